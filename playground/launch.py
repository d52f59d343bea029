"""How the page is served: every launch setting, in one place."""

import logging
import threading

import gradio as gr
from starlette.middleware import Middleware

from playground import image, ui
from playground.components import BUNDLE_URL, STATIC, bundle_path
from playground.models import catalogue
from playground.tabs import examples, predict
from playground.texts import say
from playground.web import Guard, bundle_route, pictures_route


def serve(host: str, port: int | None) -> None:
    """Serve the page until stopped; without a port, on the first free one from 7860."""
    threading.Thread(target=warm, daemon=True).start()
    page = ui.build()
    page.queue(max_size=32, default_concurrency_limit=4, api_open=False)
    names = frozenset({"predict", *(str(fn.api_name) for fn in page.fns.values() if fn.api_name)})
    page.launch(
        server_name=host,
        server_port=port,
        theme=ui.theme(),
        css_paths=[
            STATIC / f"{name}.css" for name in ("page", "attention", "patches", "compare", "architecture", "phone")
        ],
        i18n=gr.I18n(en={"common.complete": say("complete")}),  # screen readers hear it; Gradio names only the key
        footer_links=["api"],
        run_history=False,
        show_error=False,
        max_file_size=image.MAX_BYTES,
        state_session_capacity=200,
        enable_monitoring=False,
        ssr_mode=False,
        strict_cors=True,
        allowed_paths=[],
        share=False,
        app_kwargs={
            "middleware": [Middleware(Guard, names=names)],
            "routes": [bundle_route(BUNDLE_URL, bundle_path()), pictures_route(examples.URL, examples.thumbnail)],
        },
    )


def warm() -> None:
    """Make the first answer while the server starts, so that the first visitor finds it in the cache."""
    picture, card = examples.first_photo(), catalogue.first()
    if picture is None or card is None:
        return
    try:
        predict.ask(image.read(picture), card.name)
    except ValueError as error:  # the visitor who asks for it is told the same; the page opens all the same
        logging.getLogger(__name__).warning("The first answer could not be made ahead. %s", error)
