"""The Patches tab in a browser: click a patch, play, open every part, compare pictures, take files along, phone."""

import io
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from test_browser import PHONE, PHOTOS, Visit, chromium, context, visit  # noqa: F401  fixtures

from playground.models import catalogue

pytestmark = pytest.mark.skipif(not catalogue.bundled(), reason="needs a bundled checkpoint under checkpoints/")
DRAWN = {  # part: what is there once it is drawn
    "1 Cut": "#pg-patch-detail .main-svg",
    "2 Filters": "#pg-filters .main-svg",
    "3 Positions": "#pg-positions .pg-plot",
    "4 Layers": "#pg-levels .main-svg",
    "5 Alike": "#pg-likeness .main-svg",
    "6 Two models": "#pg-twin .main-svg",
}
SLOW = 120_000
LARGE = "untrained:vit_small_patch14_dinov2"  # 518 px, random weights


@pytest.fixture
def opened(visit: Visit) -> Visit:  # noqa: F811
    """A visitor who looks at the first part."""
    open_tab(visit)
    return visit


def open_tab(visit: Visit) -> None:  # noqa: F811
    visit.tab.get_by_role("tab", name="Patches").click()
    expect(visit.tab.locator(DRAWN["1 Cut"]).first).to_be_visible(timeout=SLOW)


def open_part(visit: Visit, name: str) -> None:  # noqa: F811
    visit.tab.get_by_role("tab", name=name).click()
    expect(visit.tab.locator(DRAWN[name]).first).to_be_visible(timeout=SLOW)


def click_in(visit: Visit, where: str, across: float, down: float) -> None:  # noqa: F811
    place = visit.tab.locator(where).first
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box is not None
    visit.tab.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])


def test_a_patch_can_be_clicked_or_typed_without_another_run(opened: Visit) -> None:
    opened.settle()
    tab, before = opened.tab, opened.runs()
    alt = tab.locator("#pg-patch-detail .pg-plot")
    click_in(opened, "#pg-patchify .pg-scene", 0.5, 0.1)
    row, col = tab.locator("#pg-patch-row input"), tab.locator("#pg-patch-col input")
    expect(alt).to_have_attribute("aria-label", re.compile("in row [0-9]"), timeout=20_000)
    expect(row).not_to_have_value("")
    row.fill("1")
    expect(alt).to_have_attribute("aria-label", re.compile("in row 1, column"), timeout=20_000)
    col.fill("2")
    expect(alt).to_have_attribute("aria-label", re.compile("in row 1, column 2"), timeout=20_000)
    assert opened.runs() == before
    row.fill("9999")
    problem = tab.locator("#pg-patches-problem")
    expect(problem).to_contain_text("must be a whole number from 0 to", timeout=20_000)
    expect(problem).to_be_in_viewport()  # though it stands above a tall figure
    expect(alt).to_have_attribute("aria-label", re.compile("in row 1, column 2"))
    row.fill("1")
    expect(tab.locator("#pg-patches-problem")).to_have_text("", timeout=20_000)


def test_the_story_plays_to_its_end_in_the_browser_alone(opened: Visit) -> None:
    opened.settle()
    steps, asked = opened.tab.locator("#pg-patchify .pg-step"), len(opened.asked)
    expect(steps.first).to_have_attribute("aria-current", "step")
    opened.tab.locator("#pg-patchify .pg-play").click()
    expect(steps.last).to_have_attribute("aria-current", "step", timeout=60_000)
    steps.nth(1).click()
    expect(steps.nth(1)).to_have_attribute("aria-current", "step", timeout=20_000)
    assert re.search(r"\d+ × \d+ × \d+", steps.nth(1).inner_text())
    assert not [url for url in opened.asked[asked:] if "/run/" in url or "/queue/join" in url]


def test_every_part_opens_once_and_is_never_empty(opened: Visit) -> None:
    for name in DRAWN:
        open_part(opened, name)
    opened.settle()
    before = opened.runs()
    open_part(opened, "4 Layers")
    opened.settle()
    assert opened.runs() <= before + 1  # it asks whether what it shows is still right
    expect(opened.tab.locator("#pg-levels .main-svg").first).to_be_visible()


@pytest.mark.parametrize(("model", "shape"), [("ViT", "×"), ("Axial", "×"), ("DETR", "×"), (LARGE, "1370 × 384")])
def test_every_family_and_a_model_of_1370_tokens_fills_every_part(visit: Visit, model: str, shape: str) -> None:  # noqa: F811
    if model == LARGE:
        visit.tab.locator("#pg-model input").fill(model)
        visit.tab.locator("#pg-model input").press("Enter")
    else:
        visit.choose_family(model)
    visit.settle()
    open_tab(visit)
    expect(visit.tab.locator("#pg-patchify .pg-step").last).to_contain_text(shape, timeout=SLOW)
    for name in DRAWN:
        open_part(visit, name)
    click_in(visit, "#pg-twin-first .pg-plot", 0.5, 0.6)
    expect(visit.tab.locator("#pg-patches-problem")).to_have_text("")


def test_layers_play_in_the_browser_alone(opened: Visit) -> None:
    open_part(opened, "4 Layers")
    tab = opened.tab
    opened.settle()
    label, asked = tab.locator("#pg-levels .slider-label").first, len(opened.asked)
    last = label.text_content()
    tab.locator("#pg-levels .updatemenu-button").first.click()
    expect(label).not_to_have_text(str(last), timeout=20_000)
    tab.locator("#pg-levels .updatemenu-button").nth(1).click()
    name = tab.locator("#pg-cloud .pg-name")
    expect(name).not_to_have_text("", timeout=20_000)
    here = name.inner_text()
    tab.locator("#pg-cloud .pg-layer").focus()
    tab.keyboard.press("ArrowLeft")
    expect(name).not_to_have_text(here, timeout=20_000)
    assert not [url for url in opened.asked[asked:] if "/run/" in url or "/queue/join" in url]
    opened.faults[:] = [fault for fault in opened.faults if fault != "undefined"]  # Plotly drops the frames not played


def test_the_cloud_is_drawn_of_patches_and_turns(opened: Visit) -> None:
    open_part(opened, "4 Layers")
    tab = opened.tab
    cloud = tab.locator("#pg-cloud .pg-cloud")
    expect(tab.locator("#pg-cloud .pg-name")).not_to_have_text("", timeout=30_000)
    cloud.scroll_into_view_if_needed()
    seen = "canvas => { const p = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;"
    seen += " let n = 0; for (let i = 3; i < p.length; i += 4) n += p[i] > 0; return n; }"
    tab.wait_for_timeout(300)
    assert cloud.evaluate(seen) > 1000
    before = cloud.evaluate("canvas => canvas.toDataURL()")
    cloud.focus()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_timeout(300)
    assert cloud.evaluate("canvas => canvas.toDataURL()") != before


def test_what_is_said_of_a_patch_stays_within_the_cloud(opened: Visit) -> None:
    opened.tab.set_viewport_size(PHONE)  # type: ignore[arg-type]
    open_part(opened, "4 Layers")
    cloud, tip = opened.tab.locator("#pg-cloud .pg-cloud"), opened.tab.locator("#pg-cloud .pg-tip")
    expect(opened.tab.locator("#pg-cloud .pg-name")).not_to_have_text("", timeout=30_000)
    cloud.scroll_into_view_if_needed()
    stage = cloud.bounding_box()
    assert stage is not None
    seen = 0
    for down in range(4, int(stage["height"]), 12):
        for across in range(4, int(stage["width"]), 12):
            opened.tab.mouse.move(stage["x"] + across, stage["y"] + down)
            if tip.is_visible():
                box, seen = tip.bounding_box(), seen + 1
                assert box is not None
                assert stage["y"] <= box["y"] and box["y"] + box["height"] <= stage["y"] + stage["height"]
                assert stage["x"] <= box["x"] and box["x"] + box["width"] <= stage["x"] + stage["width"]
    assert seen


def test_alike_patches_and_a_second_picture(opened: Visit, tmp_path: Path) -> None:
    open_part(opened, "5 Alike")
    opened.settle()
    tab, before = opened.tab, opened.runs()
    click_in(opened, "#pg-likeness .pg-plot", 0.5, 0.4)
    expect(tab.locator("#pg-nearest li")).to_have_count(7, timeout=20_000)
    assert opened.runs() == before
    tab.locator("#pg-likeness-how label", has_text="Parts").click()
    expect(tab.locator("#pg-likeness .pg-plot")).to_have_attribute("aria-label", re.compile("k-means"), timeout=20_000)
    tab.locator("#pg-likeness-how label", has_text="Like one").click()
    tab.set_input_files("#pg-second-picture input[type=file]", str(PHOTOS / "lion.jpg"))
    other = tab.locator("#pg-likeness-other .pg-plot")
    expect(other).to_have_attribute("aria-label", re.compile("best match"), timeout=SLOW)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff not a picture")
    tab.set_input_files("#pg-second-picture input[type=file]", str(broken))
    expect(tab.locator(".toast-body")).to_be_visible(timeout=60_000)
    expect(other).to_have_attribute("aria-label", re.compile("best match"))  # nothing is lost


def test_another_resolution_is_answered(opened: Visit) -> None:
    opened.choose_family("ViT")
    opened.settle()
    open_part(opened, "3 Positions")
    expect(opened.tab.locator("#pg-resolution-answer th")).to_have_count(1, timeout=SLOW)
    click_in(opened, "#pg-resolution input[type=range]", 0.6, 0.5)
    sides = opened.tab.locator("#pg-resolution-answer th")
    expect(sides).to_have_count(2, timeout=SLOW)
    slider, number = (opened.tab.locator(f"#pg-resolution input[type={kind}]") for kind in ("range", "number"))
    before = sides.last.inner_text()
    slider.press("ArrowRight")
    expect(sides.last).not_to_have_text(before, timeout=SLOW)
    number.fill("96")
    expect(sides.last).to_contain_text("96", timeout=SLOW)
    number.fill("7")
    expect(opened.tab.locator("#pg-patches-problem")).to_contain_text("must be a whole number from", timeout=20_000)
    expect(sides.last).to_contain_text("96")
    number.fill("64")
    expect(sides).to_have_count(1, timeout=SLOW)  # its own size
    expect(opened.tab.locator("#pg-patches-problem")).to_have_text("")


def test_a_model_that_cannot_be_had_leaves_the_pickers_at_those_that_answered(opened: Visit) -> None:
    """Without a network every model of the Hub fails."""
    tab = opened.tab
    for part, field in (("1 Cut", "#pg-model"), ("6 Two models", "#pg-twin-model")):
        open_part(opened, part)
        opened.settle()
        model = tab.locator(f"{field} input")
        before = model.input_value()
        model.click()
        tab.get_by_role("option").filter(has_text="Hub").first.click()
        expect(tab.locator(".toast-message-text")).to_have_count(1, timeout=SLOW)
        expect(model).to_have_value(before, timeout=SLOW)
        opened.settle()
        expect(tab.locator(".toast-message-text")).to_have_count(1)
        tab.locator(".toast-close").click()


def test_tokens_and_figures_leave(opened: Visit, tmp_path: Path) -> None:
    tab = opened.tab
    tab.get_by_role("button", name="Take it along").click()
    with tab.expect_download(timeout=60_000) as download:
        tab.locator("#pg-tokens-projector").click()
    download.value.save_as(tmp_path / "files.zip")
    with zipfile.ZipFile(io.BytesIO((tmp_path / "files.zip").read_bytes())) as files:
        assert {"vectors.tsv", "metadata.tsv"} <= set(files.namelist())
    with tab.expect_download(timeout=60_000) as download:
        tab.locator("#pg-take button[data-kind=html]").click()
    download.value.save_as(tmp_path / "figures.html")
    page = (tmp_path / "figures.html").read_text(encoding="utf-8")
    assert "Plotly.newPlot('f0'" in page
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="http', page)
    alone = opened.tab.context.new_page()
    alone.goto((tmp_path / "figures.html").as_uri())
    expect(alone.locator("#f0 .main-svg").first).to_be_visible(timeout=30_000)
    alone.close()
    with tab.expect_download(timeout=60_000) as download:
        tab.locator("#pg-take button[data-kind=png]").click()
    assert download.value.suggested_filename.endswith(".png")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone_nothing_reaches_past_the_edge(chromium: Browser, page: str, theme: str) -> None:  # noqa: F811
    narrow = chromium.new_context(viewport=PHONE, color_scheme=theme)  # type: ignore[arg-type]
    guest = Visit(narrow, page)
    open_tab(guest)
    for name in DRAWN:
        open_part(guest, name)
        assert guest.tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert guest.faults == []
    narrow.close()
