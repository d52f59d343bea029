"""What the page says and does, without a server: words, controls, fields and the functions behind the tab."""

import asyncio
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import gradio as gr
import pytest
from gradio.data_classes import ImageData
from hand_made import BOXES, CLASSES, NASTY, SEGMENTS, answer, photo
from PIL import Image

from playground import ui
from playground.components import ModelImage, PlotlyView, sentences
from playground.explanations import METHODS
from playground.figures.bars import bars
from playground.figures.picture import encode
from playground.image import Picture, read
from playground.models import FAMILIES, catalogue
from playground.tabs import TABS, controls, examples, predict, words
from playground.tabs.answers import Answers
from playground.texts import en


class Parsed(HTMLParser):
    """Tags and texts of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


# words


def card(task: str = "classification") -> object:
    return next(c for c in catalogue.HUB if c.task == task)


def test_a_sure_answer_and_an_unsure_one_read_differently() -> None:
    sure, unsure = (words.headline(answer(classes=CLASSES, unsure=flag), 0.5) for flag in (False, True))
    assert Parsed(sure).texts == ["lion", "90 % sure"]
    assert Parsed(unsure).texts[0] == "Perhaps: lion"
    assert "90 % is too little" in unsure
    weak = answer(classes=(replace(CLASSES[0], score=0.38), *CLASSES[1:]))
    assert Parsed(words.headline(weak, 0.5)).texts == ["lion", "The likeliest of all, at 38 %"]


def test_boxes_start_at_the_least_score_of_the_card_and_stay_where_they_were_set() -> None:
    first = kept("detection")
    assert predict.least_score(first, None, 0.5) == first.card.threshold == 0.5
    weak = replace(first, card=replace(first.card, threshold=0.27))
    assert predict.least_score(weak, None, 0.5) == 0.27
    assert predict.least_score(weak, first, 0.8) == 0.8  # the same model: what the visitor set
    other = replace(first, prediction=replace(first.prediction, model="another"))
    assert predict.least_score(weak, other, 0.8) == 0.27


def test_a_picker_goes_back_to_a_known_model_alone() -> None:
    known = card("detection")
    family, model = controls.go_back(known.name)
    assert family["value"] == known.family
    assert model["value"] == known.name
    assert known.name in [name for _, name in model["choices"]]
    assert controls.go_back("no-such-model") == (gr.skip(), gr.skip())


def failing(answers: Answers, tab: str, model: str, sentence: str = "cannot be had") -> bool:
    """Let a question fail, and return whether the page shows its sentence."""
    with pytest.raises(gr.Error) as raised, answers.asked(tab, read(photo(8, 8)), model), sentences():
        raise ValueError(sentence)
    return raised.value.visible


def test_a_question_that_several_events_ask_is_refused_in_one_sentence() -> None:
    answers = Answers()
    assert failing(answers, "predict", "far-away")
    assert not failing(answers, "predict", "far-away")
    assert not failing(answers, "attention", "far-away")
    assert failing(answers, "attention", "far-away", "another sentence")
    assert failing(answers, "attention", "farther")
    with answers.asked("attention", read(photo(8, 8)), "near"):
        pass
    assert failing(answers, "attention", "farther")  # it was chosen again


def test_a_model_that_fails_gives_way_to_the_answer_that_stands() -> None:
    answers = Answers()
    failing(answers, "predict", "far-away")
    first = catalogue.first()
    assert answers.instead("predict", "far-away") == (first and first.name)
    assert answers.instead("predict", "chosen-meanwhile") is None
    with answers.asked("predict", read(photo(8, 8)), "near"):
        pass
    with answers.asked("predict", None, "never-asked"):
        pass
    failing(answers, "predict", "far-away")
    assert answers.instead("predict", "far-away") == "near"
    failing(answers, "attention", "near")
    assert answers.instead("attention", "near") is None  # Predict shows its answer


@pytest.mark.parametrize(
    ("threshold", "big", "more"),
    [
        (0.1, "3 objects", "2 × bus, person"),
        (0.5, "2 objects", "bus, person"),
        (0.8, "1 object", "bus"),
        (0.95, "Nothing found at 95 % or more", "Lower"),
    ],
)
def test_the_count_of_boxes_follows_the_threshold(threshold: float, big: str, more: str) -> None:
    said = Parsed(words.headline(answer("detection", boxes=BOXES), threshold)).texts
    assert said[0] == big
    assert more in said[1]


def test_nothing_found_and_nothing_to_name_are_said() -> None:
    assert "No objects found" in words.headline(answer("detection"), 0.5)
    assert "No regions found" in words.headline(answer("panoptic"), 0.5)
    assert "names nothing" in words.headline(answer("features"), 0.5)
    assert words.table(answer("features"), 0.5, 5) == ""


def test_the_table_holds_what_the_figure_shows() -> None:
    table = Parsed(words.table(answer("detection", boxes=BOXES), 0.5, 5))
    assert table.tags.count("tr") == 1 + 2
    assert "100, 50, 500, 400" in table.texts
    assert Parsed(words.table(answer(classes=CLASSES), 0.5, 2)).tags.count("tr") == 1 + 2
    assert Parsed(words.table(answer("panoptic", segments=SEGMENTS), 0.5, 5)).tags.count("tr") == 1 + 2


def test_foreign_text_is_escaped_wherever_it_is_shown() -> None:
    nasty = answer(
        "detection",
        boxes=(replace(BOXES[0], label=NASTY),),
        notes=(NASTY,),
        segments=(replace(SEGMENTS[0], label=NASTY),),
    )
    shown = [
        words.headline(nasty, 0.1),
        words.table(nasty, 0.1, 5),
        words.facts(nasty, card()),  # type: ignore[arg-type]
        words.headline(answer(classes=CLASSES[2:]), 0.5),
        words.table(answer(classes=CLASSES), 0.5, 5),
        words.table(replace(nasty, task="panoptic"), 0.5, 5),
        words.problem(NASTY),
    ]
    for html in shown:
        assert NASTY in "".join(Parsed(html).texts) or "<img" not in html
        assert not {"img", "b"} & set(Parsed(html).tags)


@pytest.mark.parametrize("source", catalogue.HUB, ids=lambda c: c.name)
def test_facts_name_time_device_licence_and_source_of_every_card(source: object) -> None:
    facts = "".join(Parsed(words.facts(answer(notes=("animated: first frame used",)), source)).texts)  # type: ignore[arg-type]
    assert "32 ms" in facts
    assert "CPU" in facts
    assert source.license in facts  # type: ignore[attr-defined]
    assert source.repo in facts  # type: ignore[attr-defined]
    assert "animated: first frame used" in facts


def test_every_text_that_code_asks_for_exists_and_none_is_left_over() -> None:
    package = Path(words.__file__).parent.parent
    code = "".join(path.read_text() for path in package.rglob("*.py") if path.name != "en.py").replace("'", '"')
    asked = set(re.findall(r'say\(\s*"(\w+)"', code))
    assert asked <= set(en.TEXTS)
    built = ("does_", "where_", "source_", "one_", "photo_", "fact_")
    unused = {key for key in en.TEXTS if f'"{key}"' not in code and not key.startswith(built)}
    assert unused == set()


# controls and examples


def test_every_card_is_in_the_picker_of_its_family_bundled_first_and_by_task() -> None:
    offered = {family.name: [name for _, name in controls.choices(family.name)] for family in FAMILIES}
    assert sorted(name for names in offered.values() for name in names) == sorted(catalogue.names())
    for family, names in offered.items():
        cards = [catalogue.find(name) for name in names]
        keys = [(card.source != "bundled", controls.TASKS.index(card.task)) for card in cards]
        assert keys == sorted(keys), family


def test_the_picker_says_where_weights_come_from_and_what_a_model_cannot_do() -> None:
    for hub in catalogue.HUB:
        text = controls.described(hub)
        assert re.search(r"Hub, (about )?[\d.]+\u00a0[MG]B$", text), text
        assert ("features only" in text) == (hub.task == "features")


def test_tabs_have_titles() -> None:
    assert all(tab.key in en.TEXTS for tab in TABS)


def test_examples_open_as_pictures_and_have_small_thumbnails() -> None:
    for example in examples.examples():
        assert example.open().mode == "RGB"
        small = examples.thumbnail(example.name)
        assert small is not None
        assert len(small) < 15_000
        assert Image.open(io.BytesIO(small)).size == (examples.THUMBNAIL, examples.THUMBNAIL)
    assert examples.thumbnail("../../etc/passwd") is None


@pytest.mark.parametrize("index", [None, -1, 99, 0.5, "0", [0], True, float("nan")])
def test_a_forged_example_click_is_refused_in_a_sentence(index: object) -> None:
    with pytest.raises(gr.Error, match="must be a whole number from 0"):
        examples.pick(gr.EventData(None, {"index": index}))


# fields


def test_the_picture_field_reads_safely(tmp_path: Path) -> None:
    field = ModelImage()
    photo(60, 40).save(tmp_path / "ok.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    read = field.preprocess(ImageData(path=str(tmp_path / "ok.png")))
    assert isinstance(read, Picture)
    assert read.rgb.size == (60, 40)
    assert field.preprocess(None) is None
    with pytest.raises(gr.Error, match="not a picture that can be read") as refused:
        field.preprocess(ImageData(path=str(tmp_path / "bad.png")))
    assert str(tmp_path) not in refused.value.message
    assert not refused.value.print_exception


@pytest.mark.parametrize("path", ["http://127.0.0.1/a.png", "HTTPS://example.org/a.png", "//host/a.png"])
def test_addresses_are_never_fetched(path: str) -> None:
    with pytest.raises(gr.Error, match="as a file, not as a web address"):
        asyncio.run(ModelImage().async_move_resource_to_block_cache(path))


def test_faults_of_ours_do_not_leak_their_text() -> None:
    with pytest.raises(gr.Error) as shown, sentences():
        raise RuntimeError("secret /home/path")
    assert "secret" not in shown.value.message
    with pytest.raises(gr.Error, match="one sentence"), sentences():
        raise ValueError("one sentence")


def test_a_view_sends_figures_as_json_and_names_its_events() -> None:
    view = PlotlyView()
    assert json.loads(view.postprocess(bars(CLASSES)))["layout"]["xaxis"]["range"] == [0, 1]
    assert view.postprocess(None) is None
    assert callable(view.pick)
    assert callable(view.point)


# the tab's own functions


def kept(task: str) -> predict.Answer:
    return predict.Answer(("", ""), answer(task, classes=CLASSES, boxes=BOXES), card(), picture=encode(photo()))  # type: ignore[arg-type]


def test_settings_redraw_without_a_model() -> None:
    assert len(predict.draw(kept("classification"), 2, 0.5).data[1].x) == 2
    assert [len(predict.draw(kept("detection"), 5, t).data) for t in (0.1, 0.5, 0.8)] == [3, 2, 1]
    assert predict.draw(kept("features"), 5, 0.5) is None


@pytest.mark.parametrize("top_k", [0, 11, 2.5, "5", None, [1], {}, True, float("nan"), float("inf")])
def test_a_wrong_number_of_classes_is_refused(top_k: object) -> None:
    with pytest.raises(ValueError, match="must be a whole number from 1 to 10"):
        predict.draw(kept("classification"), top_k, 0.5)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, "0.5", None, [0.5], {}, True, float("nan")])
def test_a_wrong_threshold_is_refused(threshold: object) -> None:
    with pytest.raises(ValueError, match="must be a number from 0 to 1"):
        predict.draw(kept("detection"), 5, threshold)


@pytest.mark.parametrize(
    "model", ["no-such", "../../etc/passwd", "http://x/y", ["everyday-vit"], None, 7, "x" * 1_000_000]
)
def test_an_unknown_model_is_refused_without_repeating_it_at_length(model: object) -> None:
    with pytest.raises(ValueError) as refused:
        predict.ask(Picture(photo(), ()), model)
    assert len(str(refused.value)) < 300


def test_correlations_and_gains_next_to_zero_are_said_without_a_sign() -> None:
    texts = {key: text for key, text in en.TEXTS.items() if key.startswith(("trust_", "badge_", "likeness_"))}
    for key, text in texts.items():
        for _, _, form, _ in Formatter().parse(text):
            if form:
                assert not format(-1e-9, form).startswith("-"), key


def test_the_readme_counts_the_methods() -> None:
    numbers = ("eight", "nine", "ten", "eleven", "twelve")
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert f"| Attention | {numbers[len(METHODS) - 8]} methods" in readme


def test_a_picture_put_back_brings_its_headline_back() -> None:
    with gr.Blocks():
        page = predict.lay_out()
    photo, card = examples.first_photo(), catalogue.first()
    assert photo is not None
    assert card is not None
    picture, model = read(photo), card.name
    held = predict.ask(picture, model)
    gone = page.run(None, model, held, 5, 0.5, lambda share, text: None)
    assert "Choose a picture" in gone[page.headline]
    again = page.run(picture, model, held, 5, 0.5, lambda share, text: None)
    assert again == {page.headline: words.headline(held.prediction, 0.5)}
    assert "below" not in page.run(None, model, None, 5, 0.5, lambda share, text: None)[page.headline]
    assert page.failed(held) == gr.skip()
    assert "No answer yet" in page.failed(None)


def test_no_event_has_two_listeners_of_which_both_may_wait() -> None:
    """Gradio repeats all listeners of an event where one had to wait: two that wait for each other never end."""
    page = ui.build()
    waiting: dict[tuple[int, str], int] = {}
    for listener in page.fns.values():
        for source, event in listener.targets:
            if source in page.blocks and listener.fn is not None and listener.trigger_mode == "always_last":
                waiting[source, event] = waiting.get((source, event), 0) + 1
    assert waiting
    assert max(waiting.values()) == 1


def test_no_listener_of_a_click_waits() -> None:
    """Gradio gives one that waited the event of the click before."""
    told = {"choose", "pick", "point", "key_up"}  # events that say where or what
    listeners = [
        fn for fn in ui.build().fns.values() if fn.fn is not None and {event for _, event in fn.targets} & told
    ]
    assert len(listeners) > 8
    assert {fn.trigger_mode for fn in listeners} == {"multiple"}
