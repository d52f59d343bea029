"""The Attention tab in a real browser: click, keys, play, tiles, atlas, boxes, gradients, files, faults, phone."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from test_browser import PHONE, Visit, chromium, context, visit  # noqa: F401  fixtures

from playground.models import catalogue

pytestmark = pytest.mark.skipif(not catalogue.bundled(), reason="needs a bundled checkpoint under checkpoints/")
MAP = "#pg-map-view .main-svg"
CAPTION = "#pg-map-caption"
TILES = "#pg-map-tiles .pg-plot"


@pytest.fixture
def opened(visit: Visit) -> Visit:  # noqa: F811
    """A visitor who looks at the map of the first picture."""
    open_tab(visit)
    return visit


def open_tab(visit: Visit) -> None:  # noqa: F811
    visit.tab.get_by_role("tab", name="Attention").click()
    expect(visit.tab.locator(MAP).first).to_be_visible(timeout=60_000)
    expect(visit.tab.locator(CAPTION)).to_contain_text("Raw attention", timeout=60_000)
    expect(visit.tab.locator(f"{TILES} .main-svg").first).to_be_visible(timeout=30_000)


def click_in(visit: Visit, where: str, across: float, down: float) -> None:  # noqa: F811
    place = visit.tab.locator(where).first
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box is not None
    visit.tab.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])


def test_a_click_asks_about_that_patch_without_another_run(opened: Visit) -> None:
    opened.settle()
    before = opened.runs()
    click_in(opened, "#pg-map-view .pg-plot", 0.5, 0.5)
    expect(opened.tab.locator(CAPTION)).to_contain_text("the patch in row", timeout=20_000)
    row = int(opened.tab.get_by_label(re.compile("^Row")).input_value())
    assert f"row {row}," in opened.tab.locator(CAPTION).inner_text()
    assert opened.runs() == before
    alt = opened.tab.locator("#pg-map-view .pg-plot").get_attribute("aria-label")
    assert alt is not None
    assert alt.startswith("Raw attention")


def test_a_link_restores_patch_and_head(opened: Visit) -> None:
    click_in(opened, "#pg-map-view .pg-plot", 0.2, 0.7)
    expect(opened.tab.locator(CAPTION)).to_contain_text("the patch in row", timeout=20_000)
    opened.tab.locator("#pg-map-fields").get_by_label("Head").click()
    opened.tab.get_by_role("option", name="Head 2").click()
    expect(opened.tab.locator(CAPTION)).to_contain_text("head 2", timeout=20_000)
    said = opened.tab.locator(CAPTION).inner_text()
    opened.tab.locator("#pg-copy-link").click()
    opened.tab.wait_for_function("location.search.includes('s.map-row')")
    opened.tab.goto(opened.tab.url)
    expect(opened.tab.locator(CAPTION)).to_have_text(said, timeout=60_000, use_inner_text=True)


def test_row_and_column_can_be_typed_and_a_bad_one_leaves_the_map(opened: Visit) -> None:
    click_in(opened, "#pg-map-view .pg-plot", 0.5, 0.5)
    expect(opened.tab.locator(CAPTION)).to_contain_text("the patch in row", timeout=20_000)
    field = opened.tab.get_by_label(re.compile("^Row"))
    field.fill("1")
    expect(opened.tab.locator(CAPTION)).to_contain_text("row 1,", timeout=20_000)
    field.fill("999")
    expect(opened.tab.get_by_text("The row of the patch must be a whole number from 0 to")).to_be_visible(
        timeout=20_000
    )
    assert "row 1," in opened.tab.locator(CAPTION).inner_text()
    expect(opened.tab.locator(MAP).first).to_be_visible()


def test_layers_play_in_the_browser_alone_and_a_tile_chooses_its_head(opened: Visit) -> None:
    opened.settle()
    label = opened.tab.locator("#pg-map-tiles .slider-label").first
    last = label.text_content()
    asked = len(opened.asked)
    opened.tab.locator("#pg-map-tiles .updatemenu-button").first.click()
    expect(label).not_to_have_text(str(last), timeout=10_000)
    assert not [url for url in opened.asked[asked:] if "/run/" in url or "/queue/join" in url]
    opened.tab.locator("#pg-map-tiles .updatemenu-button").nth(1).click()
    stopped_at = str(label.text_content())
    click_in(opened, f"{TILES} .draglayer .nsewdrag", 0.05, 0.2)
    expect(opened.tab.locator(CAPTION)).to_contain_text("head 1", timeout=20_000)
    assert stopped_at in opened.tab.locator(CAPTION).inner_text()
    opened.faults[:] = [fault for fault in opened.faults if fault != "undefined"]  # Plotly drops the frames not played


def test_a_dot_of_the_atlas_chooses_its_head(opened: Visit) -> None:
    opened.tab.locator("#pg-looks label", has_text="Head atlas").click()
    point = opened.tab.locator("#pg-map-tiles .scatterlayer .point").first
    expect(point).to_be_visible(timeout=20_000)
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    assert box is not None
    opened.tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(opened.tab.locator(CAPTION)).to_contain_text("head 1", timeout=20_000)


def test_a_box_is_drawn_with_two_clicks_and_moved_with_the_keyboard(opened: Visit) -> None:
    look_at(opened, "Can it be trusted?")
    opened.tab.locator("#pg-box-draw").click()
    expect(opened.tab.locator("#pg-box")).to_contain_text("Click one corner")
    click_in(opened, "#pg-map-view .pg-plot", 0.4, 0.4)
    expect(opened.tab.locator("#pg-box")).to_contain_text("Now click the opposite corner", timeout=20_000)
    click_in(opened, "#pg-map-view .pg-plot", 0.6, 0.7)
    said = opened.tab.locator("#pg-map-more")
    expect(said).to_contain_text("Your box", timeout=20_000)
    before = said.inner_text()
    left = opened.tab.get_by_label("Left", exact=True)
    left.fill(str(float(left.input_value()) / 2))
    expect(said).not_to_have_text(before, timeout=20_000)
    assert "highest place inside" in said.inner_text()


def test_a_row_of_the_query_table_chooses_its_object(visit: Visit) -> None:  # noqa: F811
    visit.choose_family("DETR")
    open_tab(visit)
    look_at(visit, "Queries among each other")
    heat = f"{TILES} .heatmaplayer"
    expect(visit.tab.locator(heat).first).to_be_visible(timeout=20_000)
    before = visit.tab.get_by_label("Object", exact=True).input_value()
    click_in(visit, f"{TILES} .draglayer .nsewdrag", 0.5, 0.9)
    expect(visit.tab.get_by_label("Object", exact=True)).not_to_have_value(before, timeout=20_000)


def look_at(visit: Visit, title: str) -> None:  # noqa: F811
    visit.tab.locator("#pg-looks label", has_text=title).click()


def test_gradients_run_once_more_and_ask_for_a_class(opened: Visit) -> None:
    opened.settle()
    before = opened.runs()
    opened.tab.get_by_label("Method", exact=True).click()
    opened.tab.get_by_role("option", name="Grad-CAM").click()
    expect(opened.tab.locator(CAPTION)).to_contain_text("Grad-CAM", timeout=60_000)
    expect(opened.tab.get_by_label("Class", exact=True)).to_be_visible()
    assert opened.runs() == before + 1


def test_relevance_of_an_object_is_chosen_on_a_first_visit(visit: Visit) -> None:  # noqa: F811
    """A detector's map starts from no patch: nothing is offered there, and nothing may be filled in."""
    visit.choose_family("DETR")
    open_tab(visit)
    visit.tab.get_by_label("Method", exact=True).click()
    visit.tab.get_by_role("option", name="Transformer relevance").click()
    expect(visit.tab.locator(CAPTION)).to_contain_text("Transformer relevance", timeout=60_000)
    expect(visit.tab.get_by_label("Class", exact=True)).to_be_visible()


def test_the_map_leaves_as_picture_page_and_arrays(opened: Visit, tmp_path: Path) -> None:
    files = {}
    for kind in ("png", "html", "npz"):
        with opened.tab.expect_download(timeout=60_000) as download:
            opened.tab.locator(f"#pg-leave-{kind}").click()
        files[kind] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[kind])
    with Image.open(files["png"]) as picture:
        assert max(picture.width, picture.height - 120) == 2000  # the scale stands below the picture
    page = files["html"].read_text(encoding="utf-8")
    assert "Plotly.newPlot" in page
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="http', page)
    arrays = np.load(files["npz"])
    assert arrays["values"].ndim == 2
    opened.tab.get_by_text("The Python that makes this map").click()
    assert str(arrays["call"]) == opened.tab.locator(".pg-call pre").inner_text()


def test_a_model_that_cannot_be_had_leaves_the_tab_working(visit: Visit) -> None:  # noqa: F811
    """The failure comes before the tab is opened at all; the picker goes back to the model whose answer stands."""
    picker = visit.tab.locator("#pg-model input")
    answering = picker.input_value()
    picker.click()
    visit.tab.get_by_role("option").filter(has_text="Hub").first.click()
    expect(visit.tab.locator(".toast-body")).to_be_visible(timeout=60_000)
    expect(picker).to_have_value(answering, timeout=20_000)
    visit.choose_family("Axial attention")
    open_tab(visit)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone_nothing_reaches_past_the_edge(chromium: Browser, page: str, theme: str) -> None:  # noqa: F811
    narrow = chromium.new_context(viewport=PHONE, color_scheme=theme)  # type: ignore[arg-type]
    guest = Visit(narrow, page)
    open_tab(guest)
    assert guest.tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert guest.faults == []
    narrow.close()


def test_two_quick_changes_end_with_the_map_of_the_newest(opened: Visit) -> None:
    """What the page sends of the second still holds choices that the first one's answer takes away."""
    opened.choose_family("ViT")
    opened.settle()
    family = opened.tab.locator("#pg-family label", has_text="DETR").element_handle()
    example = opened.tab.get_by_role("button", name="Lion").element_handle()
    opened.tab.evaluate(
        "([family, example]) => { family.click(); setTimeout(() => example.click(), 200); }", [family, example]
    )
    opened.settle()
    expect(opened.tab.locator(".toast-body")).to_have_count(0)
    drawn = opened.tab.locator("#pg-map-view image").first.get_attribute("href")
    opened.tab.get_by_role("tab", name="Predict").click()
    opened.settle()
    assert opened.tab.locator("#pg-view image").first.get_attribute("href") == drawn
