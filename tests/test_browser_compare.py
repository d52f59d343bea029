"""The Compare tab in a real browser: a click on all models, touching, any model by name, faults, files, links."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from test_browser import PHONE, Visit, chromium, context, visit  # noqa: F401  fixtures

from playground.models import catalogue
from playground.tabs import examples

pytestmark = pytest.mark.skipif(len(catalogue.bundled()) < 2, reason="needs bundled checkpoints under checkpoints/")
FRAMES = "#pg-places .pg-frame"
CARDS = "#pg-compare-cards .pg-card"
LINES = "#pg-places figcaption small"
CELLS = "#pg-touch-cells textarea, #pg-touch-cells input"
PATIENCE = 180_000  # milliseconds a busy machine may take for all models


@pytest.fixture
def opened(visit: Visit) -> Visit:  # noqa: F811
    """A visitor before whom all models have answered the first picture."""
    open_tab(visit)
    return visit


def open_tab(visit: Visit) -> None:  # noqa: F811
    visit.tab.get_by_role("tab", name="Compare").click()
    wait(visit)


def wait(visit: Visit) -> None:  # noqa: F811
    expect(visit.tab.locator(FRAMES).first).to_be_visible(timeout=PATIENCE)


def click_in(visit: Visit, where: str, across: float, down: float) -> None:  # noqa: F811
    place = visit.tab.locator(where).first
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box is not None
    visit.tab.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])


def choose(visit: Visit, name: str) -> None:  # noqa: F811
    """Type the name of a model and press Enter."""
    field = visit.tab.locator("#pg-compare-models input").first
    field.click()
    field.press_sequentially(name)
    field.press("Enter")
    field.press("Escape")


def test_all_models_answer_and_one_click_asks_them_all(opened: Visit) -> None:
    models = opened.tab.locator(CARDS).count()
    assert models >= 2
    assert opened.tab.locator(FRAMES).count() == models
    assert opened.tab.locator("#pg-sheet tbody tr").count() == models
    before = opened.tab.locator(LINES).all_inner_texts()
    click_in(opened, FRAMES, 0.4, 0.6)
    expect(opened.tab.locator("#pg-place-y input")).to_have_value(re.compile(r"^(59|60)"))
    expect(opened.tab.locator(LINES).first).not_to_have_text(before[0], timeout=PATIENCE)
    assert len(opened.tab.locator("#pg-places .pg-frame img").all()) == models
    opened.tab.locator("#pg-place-x input").fill("20")  # the same by keys
    moved = opened.tab.locator(LINES).first.inner_text()
    expect(opened.tab.locator(LINES).first).not_to_have_text(moved, timeout=PATIENCE)


def test_a_box_is_dragged_and_set_by_two_clicks(opened: Visit) -> None:
    frame = opened.tab.locator(FRAMES).first
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box is not None
    at = [(box["x"] + share * box["width"], box["y"] + share * box["height"]) for share in (0.3, 0.5, 0.8)]
    opened.tab.mouse.move(*at[0])
    opened.tab.mouse.down()
    for place in at[1:]:
        opened.tab.mouse.move(*place)
    opened.tab.mouse.up()
    expect(opened.tab.locator(LINES).first).to_contain_text("cells", timeout=PATIENCE)
    expect(opened.tab.locator("#pg-place-x1 input")).to_have_value(re.compile(r"^(79|80)"))
    click_in(opened, FRAMES, 0.2, 0.2)
    click_in(opened, FRAMES, 0.45, 0.5)
    expect(opened.tab.locator("#pg-place-x1 input")).to_have_value(re.compile(r"^4[45]"))


def test_a_touched_picture_is_asked_again_and_cells_are_clicked(opened: Visit) -> None:
    before = opened.tab.locator(CARDS).all_inner_texts()
    opened.tab.locator("#pg-touch-kind input").click()
    opened.tab.get_by_role("option", name="Hidden patches").click()
    expect(opened.tab.locator("#pg-touch svg path").first).to_be_attached()
    for across in (0.56, 0.44):
        click_in(opened, "#pg-touch .pg-frame", across, 0.56)
    expect(opened.tab.locator(CELLS)).to_have_value("4,4 4,3")
    expect(opened.tab.locator("#pg-touch rect")).to_have_count(2)
    wait(opened)
    opened.settle()
    assert opened.tab.locator(CARDS).all_inner_texts() != before
    frame = opened.tab.locator("#pg-touch .pg-frame")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box is not None
    opened.tab.mouse.move(box["x"] + 0.06 * box["width"], box["y"] + 0.06 * box["height"])
    opened.tab.mouse.down()
    opened.tab.mouse.move(box["x"] + 0.31 * box["width"], box["y"] + 0.06 * box["height"], steps=4)
    opened.tab.mouse.up()
    expect(opened.tab.locator(CELLS)).to_have_value("4,4 4,3 0,0 0,1 0,2")


def test_measuring_can_be_stopped_and_fills_the_table(opened: Visit) -> None:
    stop, measure = opened.tab.locator("#pg-compare-stop"), opened.tab.locator("#pg-compare-measure")
    measure.click()
    stop.click()
    expect(opened.tab.locator("#pg-compare-caption")).to_contain_text("Stopped", timeout=PATIENCE)
    opened.tab.wait_for_timeout(1500)
    expect(opened.tab.locator("#pg-compare-caption")).to_contain_text("Stopped")
    expect(stop).to_be_hidden()
    measure.click()
    times = opened.tab.locator("#pg-sheet tbody td:nth-child(5)")
    expect(times).to_have_text([re.compile("ms")] * opened.tab.locator(CARDS).count(), timeout=PATIENCE)
    expect(measure).to_be_visible(timeout=PATIENCE)


def test_the_most_disputed_of_several_pictures_come_first(opened: Visit, tmp_path: Path) -> None:
    for number, example in enumerate(examples.examples()[:3]):
        example.open().convert("RGB").save(tmp_path / f"{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    opened.tab.locator("#pg-folder-files input[type=file]").set_input_files(sorted(tmp_path.iterdir()))
    expect(opened.tab.locator("#pg-folder-files")).to_contain_text("broken", timeout=PATIENCE)
    opened.tab.get_by_role("button", name="Find where they disagree").click()
    figures = opened.tab.locator("#pg-folder figcaption")
    expect(figures).to_have_count(3, timeout=PATIENCE)
    values = [float(text.split()[1]) for text in figures.all_inner_texts()]
    assert values == sorted(values, reverse=True)
    expect(opened.tab.locator("#pg-folder .pg-problem")).to_contain_text("broken.png: This is not a picture")


def test_an_untrained_model_by_name_and_one_that_is_not_there(opened: Visit) -> None:
    choose(opened, "untrained:deit_tiny_patch16_224")
    expect(opened.tab.locator(".pg-card .pg-badge")).to_contain_text("random weights", timeout=PATIENCE)
    choose(opened, "no-such-model")
    expect(opened.tab.locator(".pg-card.failed")).to_contain_text("No model is called", timeout=PATIENCE)
    expect(opened.tab.locator("#pg-compare-caption")).to_contain_text("1 model gave no answer", timeout=PATIENCE)
    wait(opened)


def test_the_table_is_sorted_in_the_browser(opened: Visit) -> None:
    opened.settle()
    asked = opened.runs()
    numbers = opened.tab.locator("#pg-sheet tbody td:nth-child(3)")
    opened.tab.locator("#pg-sheet th button").nth(2).click()
    rising = numbers.all_inner_texts()
    opened.tab.locator("#pg-sheet th button").nth(2).click()
    assert numbers.all_inner_texts() == rising[::-1]
    assert rising == sorted(rising, key=lambda text: float(text.split()[0]))
    assert opened.runs() == asked


def test_the_report_opens_from_disk_without_a_network(opened: Visit, chromium: Browser, tmp_path: Path) -> None:  # noqa: F811
    saved = {}
    for kind in ("html", "json", "csv"):
        with opened.tab.expect_download(timeout=PATIENCE) as download:
            opened.tab.locator(f"#pg-compare-{kind}").click()
        saved[kind] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[kind])
    models = json.loads(saved["json"].read_text())["models"]
    assert len(models) == opened.tab.locator(CARDS).count()
    assert len(saved["csv"].read_text(encoding="utf-8-sig").splitlines()) == 1 + len(models)
    alone = chromium.new_context(offline=True)
    reader = alone.new_page()
    faults: list[str] = []
    reader.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    reader.on("pageerror", lambda error: faults.append(str(error)))
    reader.goto(saved["html"].as_uri())
    assert reader.locator("article.card").count() >= 2 * len(models)  # answers and maps
    assert faults == []
    alone.close()


def test_a_link_restores_picture_models_tab_and_settings(opened: Visit) -> None:
    opened.tab.locator("#pg-examples button").nth(1).click()
    opened.settle()
    opened.tab.locator("#pg-touch-kind input").click()
    opened.tab.get_by_role("option", name="Without colour").click()
    opened.settle()
    opened.tab.locator("#pg-compare-models .token-remove, #pg-compare-models [aria-label*=Remove]").first.click()
    opened.settle()
    opened.tab.locator("#pg-copy-link").click()
    opened.tab.wait_for_function("location.search.includes('tab=compare')")
    expect(opened.tab.locator("#pg-copy-link")).to_contain_text("Link copied")
    answers = opened.tab.locator(CARDS).all_inner_texts()
    opened.tab.goto(opened.tab.url)
    expect(opened.tab.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true", timeout=60_000)
    wait(opened)
    expect(opened.tab.locator(CARDS)).to_have_text([re.compile(re.escape(text.split("\n")[0])) for text in answers])
    opened.settle()
    assert opened.tab.locator(CARDS).all_inner_texts() == answers, "of the picture in the link, not of the first one"
    expect(opened.tab.locator("#pg-touch-kind input")).to_have_value("Without colour")
    expect(opened.tab.locator("#pg-picture img")).to_have_attribute("src", re.compile("image|png|webp|jpg"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone_nothing_reaches_past_the_edge(chromium: Browser, page: str, theme: str) -> None:  # noqa: F811
    narrow = chromium.new_context(viewport=PHONE, color_scheme=theme)  # type: ignore[arg-type]
    guest = Visit(narrow, page)
    open_tab(guest)
    assert guest.tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert guest.faults == []
    narrow.close()
