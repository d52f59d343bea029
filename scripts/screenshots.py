"""Take the README's screenshots: `python scripts/screenshots.py`. Starts the app, needs Chromium and playwright."""

import argparse
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from serving import running  # noqa: E402

FOLDER = ROOT / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LIMIT = 300_000  # bytes a picture
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def opened(tab: Page) -> None:
    """What a visitor sees on opening the page."""


def boxes(tab: Page) -> None:
    """The detector on a picture the project draws."""
    tab.locator("#pg-family label", has_text="DETR").click()
    expect(tab.locator("#pg-threshold")).to_be_visible(timeout=30_000)
    tab.get_by_role("button", name="Bus on a country road").click()
    tab.wait_for_timeout(2000)


def cost(tab: Page) -> Locator:
    """The growth of attention's cost, as it was measured; the plot alone."""
    tab.get_by_role("tab", name="Architecture").click()
    tab.get_by_role("tab", name="Cost and size").click()
    view = tab.locator("#pg-cost-view")
    expect(view.locator(".main-svg").first).to_be_visible(timeout=60_000)
    tab.wait_for_timeout(1000)
    return view


SHOTS = (
    ("predict-light", DESKTOP, "light", opened),
    ("predict-dark", DESKTOP, "dark", opened),
    ("boxes-light", DESKTOP, "light", boxes),
    ("boxes-dark", DESKTOP, "dark", boxes),
    ("phone-light", PHONE, "light", opened),
    ("phone-dark", PHONE, "dark", boxes),
    ("cost", DESKTOP, "light", cost),
)


def take(browser: Browser, address: str, name: str, viewport: dict[str, int], theme: str, prepare: object) -> Path:
    """Open the page in a window of this size and theme, prepare it, and write docs/images/NAME.png."""
    context = browser.new_context(viewport=viewport, color_scheme=theme)  # type: ignore[arg-type]
    tab = context.new_page()
    tab.goto(address)
    expect(tab.locator("#pg-view .main-svg").first).to_be_visible(timeout=60_000)
    tab.wait_for_timeout(4000)  # the drawn examples come a moment later
    part = prepare(tab)  # type: ignore[operator]
    tab.mouse.move(0, 0)
    path = FOLDER / f"{name}.png"
    part.screenshot(path=path) if isinstance(part, Locator) else tab.screenshot(path=path, full_page=True)
    context.close()
    if path.stat().st_size > LIMIT:
        with Image.open(path) as shot:
            shot.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    return path


def main() -> None:
    """Take all of them, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with running() as address, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=options.chromium, args=FLAGS)
        for name, viewport, theme, prepare in SHOTS:
            if not options.names or name in options.names:
                path = take(browser, address, name, viewport, theme, prepare)
                print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1000} kB")
        browser.close()


if __name__ == "__main__":
    main()
