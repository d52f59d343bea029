"""The page: the panel for picture and model, and beside it one tab for each entry of TABS."""

from html import escape
from typing import TypeAlias

import gradio as gr

from playground.tabs import TABS
from playground.tabs.controls import build_panel
from playground.tabs.endpoints import build_endpoints
from playground.tabs.links import build_link, wire
from playground.texts import say

Page: TypeAlias = gr.Blocks


def theme() -> gr.themes.Base:
    """Return the look of Gradio's own parts: calm greys, one accent, the system's fonts, quiet labels."""
    calm = gr.themes.Base(
        primary_hue=gr.themes.colors.sky,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    )
    return calm.set(
        body_background_fill="white",
        body_background_fill_dark="#10151F",
        body_text_color="#1B2330",
        body_text_color_dark="#E6E9EF",
        body_text_color_subdued="#5B6675",
        body_text_color_subdued_dark="#9BA6B8",
        background_fill_primary_dark="#161D2A",
        background_fill_secondary_dark="#131925",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_title_text_color="*body_text_color_subdued",
        block_title_text_color_dark="*body_text_color_subdued",
        block_title_text_weight="500",
        block_title_text_size="*text_sm",
        block_label_text_color="*body_text_color_subdued",
        block_label_text_color_dark="*body_text_color_subdued",
        block_label_background_fill="*background_fill_primary",
        border_color_primary="#DDE3EA",
        border_color_primary_dark="#2A3444",
        input_background_fill="#F5F7FA",
        input_background_fill_dark="#1A2230",
        input_border_color="#DDE3EA",
        input_border_color_dark="#2A3444",
        input_border_width="1px",
        slider_color="#0072B2",
        slider_color_dark="#3D9BD6",
        color_accent="#0072B2",
    )


def build() -> Page:
    """Return the page, ready to be launched (`playground.launch`) or mounted in a larger server."""
    with gr.Blocks(title=say("title"), analytics_enabled=False, delete_cache=(600, 3600), fill_width=True) as page:
        gr.HTML(
            f'<header class="pg-header"><h1>{escape(say("title"))}</h1><p>{escape(say("lead"))}</p></header>',
            apply_default_css=False,
        )
        with gr.Row(elem_id="pg-main"):
            with gr.Column(scale=4, min_width=300, elem_id="pg-panel"):
                link = build_link(build_panel(page, TABS[0].key))
            with gr.Column(scale=8, min_width=320, elem_id="pg-answers"), gr.Tabs(overflow_behavior="wrap") as tabs:
                for tab in TABS:
                    with gr.Tab(say(tab.key), id=tab.key) as here:
                        tab.build(link.panel.within(tab.key, here))
        wire(link, tabs, [tab.key for tab in TABS])
        build_endpoints()
    return page
