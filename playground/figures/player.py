"""A slider and a play button over the frames of a figure: they work in the browser without asking the server."""

from playground.figures.theme import QUIET, clear

CONTROLS = 84  # CSS pixels below the figure
PAUSE = 700  # milliseconds a frame while playing


def slider(names: list[str], active: int) -> dict[str, object]:
    """Return a slider over frames called "0", "1", ... with these names."""
    go_there = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    return {
        "active": active,
        "steps": [{"label": name, "method": "animate", "args": [[str(i)], go_there]} for i, name in enumerate(names)],
        "x": 0,
        "xanchor": "left",
        "len": 1,
        "y": 0,
        "yanchor": "top",
        "pad": {"t": 4, "b": 0, "l": 92, "r": 8},
        "ticklen": 0,
        "minorticklen": 0,
        "tickwidth": 0,
        "font": {"color": "rgba(0,0,0,0)", "size": 1},
        "currentvalue": {"font": {"color": QUIET, "size": 14}, "xanchor": "left", "offset": 8},
        "bgcolor": clear(QUIET, 0.35),
        "activebgcolor": QUIET,
        "bordercolor": clear(QUIET, 0.35),
        "borderwidth": 0,
    }


def player() -> dict[str, object]:
    """Return the buttons that play and stop."""
    playing = {"mode": "immediate", "fromcurrent": True, "frame": {"duration": PAUSE, "redraw": True}}
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    return {
        "type": "buttons",
        "direction": "right",
        "showactive": False,
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": 22, "l": 0, "r": 0, "b": 0},
        "bgcolor": clear(QUIET, 0.18),
        "bordercolor": clear(QUIET, 0.35),
        "font": {"size": 14},
        "buttons": [
            {"label": "▶", "method": "animate", "args": [None, {**playing, "transition": {"duration": 0}}]},
            {"label": "❚❚", "method": "animate", "args": [[None], still]},
        ],
    }
