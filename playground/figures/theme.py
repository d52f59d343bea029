"""One look for every figure: colours, fonts and the frame around a picture."""

import html
import textwrap
from typing import Any

import plotly.graph_objects as go

# Okabe and Ito 2008, "Color Universal Design": told apart by colour-blind readers, in light and in dark.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
ACCENT = PALETTE[0]
QUIET = "#8A94A6"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def colours(labels: list[str]) -> dict[str, str]:
    """Give each label one colour, in the order in which the labels first appear."""
    seen = dict.fromkeys(labels)
    return {label: PALETTE[place % len(PALETTE)] for place, label in enumerate(seen)}


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the red, green and blue of "#rrggbb", 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def clear(colour: str, alpha: float) -> str:
    """Return the colour with an opacity of `alpha`, 0 to 1."""
    red, green, blue = rgb(colour)
    return f"rgba({red},{green},{blue},{alpha:g})"


def ink(colour: str) -> str:
    """Return the text colour, near black or white, that reads best on `colour` (WCAG relative luminance)."""
    parts = [c / 255 for c in rgb(colour)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#FFFFFF" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.0557 else "#11151C"


def plain(text: str) -> str:
    """Return the text so that Plotly shows it letter by letter and reads no markup in it."""
    return html.escape(text, quote=False)


def wrapped(text: str, letters: int = 44) -> str:
    """Return a title as plain text, broken into lines that fit on a phone."""
    return "<br>".join(plain(line) for line in textwrap.wrap(text, letters))


def percent(share: float) -> str:
    """Return a share of 0..1 in words a reader trusts: "93 %", "0.4 %", "< 0.1 %"."""
    hundredths = 100 * share
    if 0 < hundredths < 0.1:
        return "< 0.1 %"
    if hundredths < 1:
        return f"{hundredths:.1f} %" if share else "0 %"
    return "> 99 %" if 99.5 <= hundredths < 100 else f"{hundredths:.0f} %"


def figure(traces: list[Any], layout: dict[str, Any], alt: str, height: int, aspect: float | None = None) -> go.Figure:
    """Return a figure in the common look, without Plotly's template.

    alt: what a screen reader says instead of the figure. height: in CSS pixels.
    aspect: width over height of the picture that fills the figure; the view then grows no taller than the picture.
    """
    common = {
        "template": {},
        "meta": {"alt": alt, "aspect": aspect},
        "height": height,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0},
        "font": {"family": FONT, "size": 14},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "dragmode": False,
        "hoverlabel": {"font": {"family": FONT, "size": 14}, "namelength": -1},
    }
    return go.Figure(data=traces, layout={**common, **layout})
