"""How the page is served: every launch setting, in one place."""

from starlette.middleware import Middleware

from playground import ui
from playground.components import BUNDLE_URL, STATIC, bundle_path
from playground.web import Guard, bundle_route


def serve(host: str | None = None, port: int | None = None, page: ui.Page | None = None) -> None:
    """Serve the page until stopped.

    host, port: None means as GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say, else 127.0.0.1, and from 7860 the first
    free one.
    """
    page = ui.build() if page is None else page
    page.queue(max_size=32, default_concurrency_limit=4, api_open=False)
    names = frozenset({"predict", *(str(fn.api_name) for fn in page.fns.values() if fn.api_name)})
    page.launch(
        server_name=host,
        server_port=port,
        theme=ui.theme(),
        css_paths=[STATIC / "page.css"],
        footer_links=["api"],
        run_history=False,
        show_error=False,
        max_file_size="20mb",
        state_session_capacity=200,
        enable_monitoring=False,
        ssr_mode=False,
        strict_cors=True,
        allowed_paths=[],
        share=False,
        app_kwargs={
            "middleware": [Middleware(Guard, names=names)],
            "routes": [bundle_route(BUNDLE_URL, bundle_path())],
        },
    )
