"""The Architecture tab in a real browser: point at a block, click it, another size, costs, accuracy; a phone."""

import re

import pytest
from playwright.sync_api import Browser, expect
from test_browser import PHONE, Visit, chromium, context, visit  # noqa: F401  fixtures

from playground.models import catalogue

pytestmark = pytest.mark.skipif(not catalogue.bundled(), reason="needs a bundled checkpoint under checkpoints/")
PATIENCE = 120_000
DIAGRAM = "#pg-arch-diagram"


def open_tab(visit: Visit) -> None:  # noqa: F811
    visit.tab.get_by_role("tab", name="Architecture").click()
    expect(visit.tab.locator(f"{DIAGRAM} .main-svg").first).to_be_visible(timeout=PATIENCE)


def test_a_block_is_pointed_at_clicked_and_weighed(visit: Visit) -> None:  # noqa: F811
    visit.choose_family("ViT")
    open_tab(visit)
    depth = int(catalogue.find("everyday-vit").options["depth"])
    points = visit.tab.locator(f"{DIAGRAM} .scatterlayer .point")
    expect(points).to_have_count(depth + 4, timeout=PATIENCE)  # patches, positions, blocks, norm, head
    last = points.nth(depth + 1)
    last.scroll_into_view_if_needed()
    box = last.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.tab.mouse.move(*middle)
    expect(visit.tab.locator(f"{DIAGRAM} .hoverlayer")).to_contain_text("Dosovitskiy et al. 2021", timeout=20_000)
    visit.tab.mouse.click(*middle)
    details = visit.tab.locator("#pg-arch-details")
    expect(details).to_contain_text(f"Stage 1 · {depth}: transformer block", timeout=20_000)
    expect(details.get_by_role("link")).to_have_attribute("href", "https://arxiv.org/abs/2010.11929")
    expect(visit.tab.locator("#pg-arch-block input")).to_have_value(re.compile(f"{depth}: transformer block"))
    visit.tab.get_by_label("Picture, as the model sees it").click()
    visit.tab.get_by_role("option", name="128 × 128").click()
    expect(visit.tab.locator("#pg-arch-headline")).to_contain_text("128 × 128", timeout=PATIENCE)
    expect(visit.tab.locator("#pg-arch-table tr")).to_have_count(4)
    size = visit.tab.locator("#pg-arch-size input")
    size.fill("96 x 160")
    size.press("Enter")
    expect(visit.tab.locator("#pg-arch-headline")).to_contain_text("96 × 160", timeout=PATIENCE)
    visit.tab.get_by_role("tab", name="Cost and size").click()
    expect(visit.tab.locator("#pg-cost-table")).to_contain_text("O(HW(H + W))", timeout=PATIENCE)
    visit.tab.get_by_role("tab", name="Accuracy and cost").click()
    expect(visit.tab.locator("#pg-trade-view .main-svg").first).to_be_visible(timeout=PATIENCE)


def test_measuring_here_tells_how_far_it_is_and_can_be_stopped(visit: Visit) -> None:  # noqa: F811
    open_tab(visit)
    visit.tab.get_by_role("tab", name="Cost and size").click()
    visit.tab.locator("#pg-cost-run").click()
    said = visit.tab.locator("#pg-cost-said")
    expect(said).to_contain_text("Measuring", timeout=PATIENCE)
    visit.tab.locator("#pg-cost-stop").click()
    expect(said).to_contain_text("Stopped", timeout=PATIENCE)
    visit.tab.wait_for_timeout(1500)
    expect(said).to_contain_text("Stopped")
    expect(visit.tab.locator("#pg-cost-run")).to_be_visible()


def test_on_a_phone_in_the_dark_nothing_reaches_past_the_edge(chromium: Browser, page: str) -> None:  # noqa: F811
    narrow = chromium.new_context(viewport=PHONE, color_scheme="dark")  # type: ignore[arg-type]
    guest = Visit(narrow, page)
    open_tab(guest)
    assert guest.tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert guest.faults == []
    narrow.close()
