"""Our Gradio components, the only subclasses of Gradio's classes.

Gradio writes a stub (`components.pyi`) beside this file when it is imported; git ignores it.
"""

import importlib.metadata
import importlib.util
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData

from playground import image
from playground.figures import Figure
from playground.texts import say

STATIC = Path(__file__).parent / "static"
BUNDLE_URL = f"plotly/{importlib.metadata.version('plotly')}/plotly.min.js"


@contextmanager
def sentences() -> Iterator[None]:
    """Turn what goes wrong into one sentence on the page: a ValueError's own text, else a general one and a log entry.

    A ValueError of the project is written for the visitor; anything else is a fault of ours, whose text stays inside.
    """
    try:
        yield
    except gr.Error:
        raise
    except ValueError as error:
        raise gr.Error(str(error), title=say("error_title"), print_exception=False) from error
    except Exception as error:
        logging.getLogger(__name__).exception("a handler failed")
        raise gr.Error(say("error_ours"), title=say("error_title"), print_exception=False) from error


class ModelImage(gr.Image):
    """A picture field whose uploads go through `image.read`: handlers get an `image.Picture`, or None when empty.

    A file that cannot be read becomes one sentence on the page; an address on the web is refused, never fetched.
    """

    def __init__(
        self,
        value: str | None = None,
        *,
        label: str | None = None,
        alt_text: str | None = None,
        height: int | str | None = None,
        sources: Sequence[str] = ("upload", "clipboard", "webcam"),
        placeholder: str | None = None,
        elem_id: str | None = None,
        visible: bool = True,
        interactive: bool | None = True,
        render: bool = True,
    ) -> None:
        super().__init__(
            value=value,
            label=label,
            alt_text=alt_text,
            height=height,
            sources=list(sources),
            placeholder=placeholder,
            elem_id=elem_id,
            visible=visible,
            interactive=interactive,
            render=render,
            type="filepath",
            format="png",
            image_mode=None,
            buttons=["fullscreen"],
            show_label=True,
        )

    def get_block_name(self) -> str:
        """Return the name under which the page draws this field: Gradio's own picture field."""
        return "image"

    def get_config(self, cls: type | None = None) -> dict[str, Any]:
        """Return what the browser needs: all settings of Gradio's own picture field."""
        return super().get_config(gr.Image)

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        """Take an uploaded file into the cache; Gradio would fetch an address on the web here, without a limit."""
        if str(url_or_file_path).strip().lower().startswith(("http:", "https:", "ftp:", "//")):
            with sentences():
                raise ValueError(say("error_address"))
        return await super().async_move_resource_to_block_cache(url_or_file_path)

    def preprocess(self, payload: ImageData | None) -> image.Picture | None:
        """Return the upload as an upright sRGB picture; raises gr.Error with one sentence."""
        if payload is None or payload.path is None:
            return None
        with sentences():
            return image.read(Path(payload.path))


class AsSent:
    """A field that hands its value over as the browser sent it, for the handler to check with a sentence.

    Gradio would refuse it without one: a number typed beyond the range, or a choice made before the choices changed.
    """

    def preprocess(self, payload: Any) -> Any:
        """Return the value as it came: whatever JSON can say."""
        return payload


class Slider(AsSent, gr.Slider):
    """A slider whose value is checked by the handler."""


class Number(AsSent, gr.Number):
    """A number that is checked by the handler."""


class Dropdown(AsSent, gr.Dropdown):
    """A dropdown whose choice is checked by the handler."""


class Radio(AsSent, gr.Radio):
    """A choice among few that is checked by the handler."""


class PlotlyView(gr.HTML):
    """A Plotly figure drawn with Plotly's own bundle, served by us and loaded once.

    `view.pick(handler)` is called with gr.EventData when a mark is clicked: `index` (a number, or [row, col] on a
    heat map), `curve`, `x`, `y`; `view.point(handler)` when one is pointed at, at most 12 times a second. Both come
    from the browser and are to be checked. The figure's `layout.meta` may give `alt`, which screen readers say,
    and `aspect`, the width over height of a picture that fills it.
    """

    def __init__(
        self,
        value: Figure | str | None = None,
        *,
        height: int = 360,
        alt: str = "",
        label: str | None = None,
        elem_id: str | None = None,
        elem_classes: list[str] | None = None,
        server_functions: list[Callable[..., Any]] | None = None,
        visible: bool = True,
        render: bool = True,
        **given: Any,
    ) -> None:
        self.height = height
        self.alt = alt
        super().__init__(
            value=value,
            label=label,
            # the height stands in the text: a view updated before its tab was first opened loses its properties
            html_template=f'<div class="pg-plot" role="img" data-height="{height}" style="height:{height}px"></div>',
            js_on_load=view_script(),
            apply_default_css=False,
            head=f'<script src="{BUNDLE_URL}"></script>',
            elem_id=elem_id,
            elem_classes=elem_classes,
            server_functions=server_functions,
            visible=visible,
            render=render,
            height=height,
            alt=alt,
        )

    def postprocess(self, value: Figure | str | None) -> str | None:
        """Return the figure as JSON text."""
        return value.to_json() if isinstance(value, Figure) else value

    def api_info(self) -> dict[str, Any]:
        """Describe the value for API callers."""
        return {"type": "string", "description": "Plotly figure as JSON"}


@cache
def view_script() -> str:
    """Return the script that runs in each PlotlyView."""
    return (STATIC / "plotly_view.js").read_text(encoding="utf-8")


def bundle_path() -> Path:
    """Return where the installed plotly package keeps its plotly.min.js."""
    found = importlib.util.find_spec("plotly")
    assert found is not None
    assert found.submodule_search_locations
    return Path(next(iter(found.submodule_search_locations))) / "package_data" / "plotly.min.js"
