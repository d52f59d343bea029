"""The page in a real browser: first answer, uploads, models, threshold, bad files, widths and themes."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio.media import MEDIA_ROOT
from PIL import Image

from playground.image import MAX_BYTES
from playground.models import catalogue
from playground.tabs import TABS

if not os.environ.get("CI"):
    pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -r requirements-dev.txt")

from asking import unanswered, watch
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PHOTOS = Path(MEDIA_ROOT) / "images"
DETECTOR = next((card for card in catalogue.bundled() if card.task == "detection"), None)
DESKTOP, PHONE = {"width": 1280, "height": 850}, {"width": 390, "height": 844}
PLOT = "#pg-view .main-svg"
PATIENCE = 120_000  # milliseconds a busy machine may take for an answer
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip("needs Debian's Chromium: apt-get install chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """One visitor with the page open and its first answer there; collects what must not happen."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.tab: Page = context.new_page()
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.tab.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        self.tab.on("pageerror", lambda error: self.faults.append(str(error)))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        watch(self.tab)
        self.tab.goto(address)
        expect(self.tab.locator(PLOT).first).to_be_visible(timeout=PATIENCE)

    def headline(self) -> str:
        return self.tab.locator("#pg-headline .pg-headline").inner_text()

    def runs(self) -> int:
        """How many questions to a model this visitor has sent."""
        return sum("/queue/join" in url for url in self.asked)

    def settle(self) -> None:
        """Wait until every question is answered and no more follow: other tabs ask their own after a model."""
        for _ in range(PATIENCE // 1000):
            before = len(self.asked)
            self.tab.wait_for_timeout(1000)
            if not unanswered(self.tab) and before == len(self.asked):
                return
        raise AssertionError(f"no answer yet: {unanswered(self.tab)}")

    def upload(self, path: Path) -> None:
        self.tab.set_input_files("#pg-picture input[type=file]", str(path))

    def choose_family(self, title: str) -> None:
        self.tab.locator("#pg-family label", has_text=title).click()

    def set_slider(self, field: str, value: str) -> None:
        number = self.tab.locator(f"#{field} input[type=number]")
        number.fill(value)
        number.press("Enter")


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport=DESKTOP, color_scheme="light")  # type: ignore[arg-type]
    yield made
    made.close()


@pytest.fixture
def visit(context: BrowserContext, page: str) -> Iterator[Visit]:
    opened = Visit(context, page)
    yield opened
    opened.tab.close()
    assert opened.faults == []
    assert [url for url in opened.asked if not url.startswith((page, "data:", "blob:"))] == []


def test_the_page_opens_with_an_answer_and_asks_no_other_host(visit: Visit) -> None:
    assert "being made" not in visit.headline()
    expect(visit.tab.locator("#pg-facts")).to_contain_text("bundled")
    assert visit.tab.locator("h1").count() == 1
    assert "Best guesses" in (visit.tab.locator(".pg-plot").get_attribute("aria-label") or "")
    assert sum("plotly.min.js" in url for url in visit.asked) == 1


def test_screen_readers_hear_words_where_an_answer_is_complete(visit: Visit) -> None:
    visit.upload(PHOTOS / "tower.jpg")
    spoken = "/Done|common/.exec(document.querySelector('.sr-only[aria-live]').textContent)?.[0]"
    assert visit.tab.wait_for_function(spoken).json_value() == "Done"  # it stands for a second


def test_uploading_a_photo_changes_the_answer(visit: Visit) -> None:
    table = visit.tab.locator("#pg-table")
    before = table.inner_text() or table.text_content()
    visit.upload(PHOTOS / "tower.jpg")
    expect(table).not_to_have_text(str(before))


def test_an_example_can_be_chosen_with_the_keyboard(visit: Visit) -> None:
    before = visit.tab.locator("#pg-picture img").get_attribute("src")
    visit.tab.get_by_role("button", name="Lion").focus()
    visit.tab.keyboard.press("Enter")
    expect(visit.tab.locator("#pg-picture img")).not_to_have_attribute("src", str(before))


def test_every_bundled_model_answers(visit: Visit) -> None:
    for card in catalogue.bundled()[::-1]:
        title = {"vit": "ViT", "coatnet": "CoAtNet", "axial": "Axial", "detr": "DETR"}[card.family]
        visit.choose_family(title)
        model = visit.tab.locator("#pg-model input")
        expect(model).to_have_value(re.compile(title))
        if card.title not in model.input_value():
            model.click()
            visit.tab.get_by_role("option").filter(has_text=card.title).first.click()
        expect(model).to_have_value(re.compile(re.escape(card.title)))
        expect(visit.tab.locator("#pg-threshold")).to_be_visible(visible=card.task == "detection")
        expect(visit.tab.locator("#pg-top-k")).to_be_visible(visible=card.task == "classification")


def test_the_threshold_changes_the_boxes_without_asking_the_model_again(visit: Visit) -> None:
    visit.choose_family("DETR")
    threshold = visit.tab.locator("#pg-threshold")
    expect(threshold).to_be_visible()
    visit.settle()
    runs, time = visit.runs(), visit.tab.locator("#pg-facts dd").first.inner_text()
    visit.set_slider("pg-threshold", "0.05")
    expect(visit.tab.locator("#pg-headline")).to_contain_text(re.compile(r"\d+ objects?\s*at 5 %"))
    many = visit.tab.locator("#pg-view .scatterlayer .trace").count()
    visit.set_slider("pg-threshold", "1")
    expect(visit.tab.locator("#pg-headline")).to_contain_text("Nothing found at 100 %")
    expect(visit.tab.locator("#pg-view .annotation")).to_have_count(0)
    assert many > 0
    assert visit.runs() == runs
    assert visit.tab.locator("#pg-facts dd").first.inner_text() == time


def test_the_number_of_classes_is_a_matter_of_drawing(visit: Visit) -> None:
    visit.settle()
    runs = visit.runs()
    visit.set_slider("pg-top-k", "3")
    expect(visit.tab.locator("#pg-view .annotation")).to_have_count(2 * 3)
    assert visit.runs() == runs


def test_a_bad_file_gets_a_sentence_and_the_last_answer_stays(visit: Visit, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"this is no picture")
    before, picture = visit.headline(), visit.tab.locator("#pg-picture img").get_attribute("src")
    visit.upload(bad)
    expect(visit.tab.locator(".toast-body")).to_contain_text("not a picture that can be read")
    expect(visit.tab.locator("#pg-picture img")).to_have_attribute("src", str(picture))
    assert visit.headline() == before
    visit.upload(PHOTOS / "lion.jpg")
    expect(visit.tab.locator("#pg-picture img")).to_have_attribute("src", re.compile("lion"))


def test_a_file_that_is_too_large_gets_a_sentence_and_the_last_picture_stays(visit: Visit, tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes((PHOTOS / "lion.jpg").read_bytes() + bytes(MAX_BYTES))
    dropped = visit.tab.evaluate_handle(
        "(size) => { const given = new DataTransfer(); given.items.add(new File([new Uint8Array(size)], 'large.jpg',"
        " { type: 'image/jpeg' })); return given; }",
        MAX_BYTES + 1,
    )
    shown, toast = visit.tab.locator("#pg-picture img"), visit.tab.locator(".toast-body")
    before, picture = visit.headline(), shown.get_attribute("src")
    for send in (lambda: visit.upload(large), lambda: shown.dispatch_event("drop", {"dataTransfer": dropped})):
        send()
        expect(toast).to_contain_text("larger than 20 MB")
        expect(shown).to_have_attribute("src", str(picture))
        visit.tab.locator(".toast-close").click()
        expect(toast).to_have_count(0)
    assert visit.headline() == before


def test_the_last_of_two_quick_choices_wins(visit: Visit) -> None:
    names = ("Mountain lake with a tower", "Lion")  # the first is drawn, which takes longer
    buttons = [visit.tab.get_by_role("button", name=name).element_handle() for name in names]
    visit.tab.evaluate("(buttons) => buttons.forEach((button) => button.click())", buttons)
    visit.settle()
    answers = visit.tab.locator("#pg-table")
    lion = answers.text_content()
    for name in ("Tower at night", "Lion"):
        visit.tab.get_by_role("button", name=name).click()
        visit.settle()
    assert answers.text_content() == lion


def test_a_model_that_cannot_be_had_leaves_the_page_working(visit: Visit) -> None:
    before = visit.headline()
    model = visit.tab.locator("#pg-model input")
    model.click()
    visit.tab.get_by_role("option").filter(has_text="Hub").first.click()
    expect(visit.tab.locator(".toast-body")).to_be_visible(timeout=PATIENCE)
    assert visit.headline() == before
    expect(model).to_have_value(re.compile("CoAtNet, 80"))  # the picker goes back to the model whose answer stands
    visit.choose_family("ViT")
    millions = (catalogue.find("everyday-vit").parameters or 0) / 1e6
    expect(visit.tab.locator("#pg-facts")).to_contain_text(f"{millions:.1f} million", timeout=PATIENCE)


def test_another_model_is_asked_once_for_each_tab(visit: Visit) -> None:
    visit.settle()
    before = visit.runs()
    visit.choose_family("Axial")
    expect(visit.tab.locator("#pg-model input")).to_have_value(re.compile("Axial"))
    visit.settle()
    assert visit.runs() - before == len(TABS)


def test_a_link_to_a_model_that_cannot_be_had_says_so_once_and_shows_another(visit: Visit, page: str) -> None:
    name = next(card.name for card in catalogue.HUB if card.family == "vit")
    guest = visit.tab.context.new_page()
    guest.goto(f"{page}/?tab=attention&s.model=%22{name}%22")
    toast = guest.locator(".toast-message-text")
    expect(toast).to_have_count(1, timeout=PATIENCE)
    expect(guest.locator("#pg-map-caption")).to_contain_text("Raw attention")
    guest.wait_for_timeout(1500)
    expect(toast).to_have_count(1)
    guest.close()


def test_a_link_says_what_it_leaves_out_and_where_it_is_when_it_cannot_be_copied(visit: Visit, tmp_path: Path) -> None:
    own = tmp_path / "own.png"
    Image.new("RGB", (40, 30), "teal").save(own)
    before = visit.tab.locator("#pg-picture img").get_attribute("src")
    visit.upload(own)
    expect(visit.tab.locator("#pg-picture img")).not_to_have_attribute("src", str(before))
    copy = visit.tab.locator("#pg-copy-link")
    copy.click()
    expect(copy).to_contain_text("your own picture is not part of it")
    expect(copy).to_have_text("Copy link to this view")
    visit.tab.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # as over plain http
    visit.tab.get_by_role("button", name="Lion").click()
    expect(visit.tab.locator("#pg-picture img")).to_have_attribute("src", re.compile("image.png"))
    copy.click()
    expect(copy).to_have_text("The address bar holds the link now; copy it from there")
    assert "picture=photo-lion" in visit.tab.url


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>.png", "a'b\"c.png", "😀" * 20 + ".png"])
def test_a_file_name_is_never_markup(visit: Visit, tmp_path: Path, name: str) -> None:
    dialogs: list[str] = []
    visit.tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    nasty = tmp_path / name
    nasty.write_bytes((PHOTOS / "lion.jpg").read_bytes())
    before = visit.tab.locator("#pg-picture img").get_attribute("src")
    visit.upload(nasty)
    expect(visit.tab.locator("#pg-picture img")).not_to_have_attribute("src", str(before))
    assert dialogs == []


def test_rapid_changes_end_with_the_newest(visit: Visit) -> None:
    slider = visit.tab.locator("#pg-top-k input[type=range]")
    slider.focus()
    for key in ["ArrowRight"] * 5 + ["ArrowLeft"] * 8 + ["ArrowRight"] * 2:
        slider.press(key)
    expect(visit.tab.locator("#pg-view .annotation")).to_have_count(2 * 4)  # 5 + 5 - 8 + 2


def test_a_number_beyond_the_range_gets_a_sentence_and_putting_it_back_an_answer(visit: Visit) -> None:
    problem, drawn = visit.tab.locator("#pg-predict-problem"), visit.tab.locator("#pg-view .annotation")
    number = visit.tab.locator("#pg-top-k input[type=number]")
    for typed in ("99", "", "0"):
        number.fill(typed)
        expect(problem).to_contain_text("must be a whole number from 1 to 10")
        expect(drawn).to_have_count(2 * 5)  # the last good answer
    number.fill("7")
    expect(drawn).to_have_count(2 * 7)
    expect(problem).to_have_text("")
    number.fill("99")
    number.press("Tab")  # the browser brings it into range
    expect(drawn).to_have_count(2 * 10)
    visit.tab.locator("#pg-top-k .reset-button").click()
    expect(drawn).to_have_count(2 * 5)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_overflows_and_plots_fit_in_both_themes(
    chromium: Browser, page: str, viewport: dict[str, int], theme: str
) -> None:
    context = chromium.new_context(viewport=viewport, color_scheme=theme)  # type: ignore[arg-type]
    visit = Visit(context, page)
    tab = visit.tab
    assert tab.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    assert tab.evaluate("document.body.classList.contains('dark')") == (theme == "dark")
    text = tab.locator("#pg-view .annotation-text").first.evaluate("e => getComputedStyle(e).fill")
    brightness = sum(int(part) for part in re.findall(r"\d+", text)[:3]) / 3
    assert (brightness > 128) == (theme == "dark"), text
    inside = "e => [e.querySelector('.main-svg').getBoundingClientRect().right, e.getBoundingClientRect().right]"
    drawn, room = tab.locator(".pg-plot").evaluate(inside)
    assert drawn <= room + 0.5
    assert tab.locator("#pg-picture").bounding_box()["x"] >= 16  # type: ignore[index]
    context.close()
    assert visit.faults == []


def test_on_a_phone_what_a_finger_presses_is_tall_enough(chromium: Browser, page: str) -> None:
    context = chromium.new_context(viewport=PHONE, has_touch=True)  # type: ignore[arg-type]
    tab = Visit(context, page).tab
    small = """() => [...document.querySelectorAll('button, label:has(input), summary, .pg-block a')]
      .filter((e) => e.checkVisibility() && e.getBoundingClientRect().width > 0)
      .filter((e) => e.getBoundingClientRect().height < 39.5 && !e.closest('footer')).map((e) => e.outerHTML)"""
    for name in (*(tab_.key.capitalize() for tab_ in TABS), "Patches", "Layers", "Alike"):
        tab.get_by_role("tab", name=name).first.click()
        tab.wait_for_timeout(1500)
        assert tab.evaluate(small) == [], name
    context.close()


def test_a_narrower_window_redraws_the_plot(visit: Visit) -> None:
    visit.tab.set_viewport_size(PHONE)
    fits = "() => document.querySelector('#pg-view .main-svg').getBoundingClientRect().width <= 358"
    visit.tab.wait_for_function(fits)
    assert visit.tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_switching_the_theme_recolours_the_plot(visit: Visit) -> None:
    colour = "() => getComputedStyle(document.querySelector('#pg-view .annotation-text')).fill"
    before = visit.tab.evaluate(colour)
    visit.tab.evaluate("document.body.classList.add('dark')")
    visit.tab.wait_for_function(f"({colour})() !== '{before}'")
