"""What happens on the Attention tab when something is chosen, clicked, pressed or refused."""

# ruff: noqa: F811  (fixtures come by import)

import html
import inspect
import re
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest
from attending import LIMIT, NASTY, cards, counted, kept, known, parts, photo, sent, shown  # noqa: F401  fixtures

from playground import inference
from playground.explanations import Cancelled
from playground.tabs.attention import drawing, linked
from playground.tabs.attention.handlers import Handlers
from playground.tabs.attention.held import Shown, Wish, look
from playground.tabs.attention.parts import Parts
from playground.tabs.working import told


@pytest.mark.parametrize("name", ["vit", "coatnet", "axial", "detr"])
def test_layer_head_patch_class_and_method_cost_no_forward_pass(
    name: str, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = counted(monkeypatch)
    page = Handlers(parts)
    first = page.begin(photo(), name, *sent(parts, None, None))
    found, before = first[parts.held], first[parts.shown]
    keep = inference.trace(photo(), found.card)  # as the cache does
    assert seen == [name]
    asked: list[dict[str, Any]] = [
        {"layer": 0},
        {"layer": before.layers[0][1], "head": 1},
        {"start": "patch", "row": 0, "col": 1},
        {"method": "rollout"},
        {"method": "rollout", "residual": 0.3},
        {"method": "norms"},
        {"query": 1},
    ]
    if name != "detr":
        asked.append({"method": "lens", "class_index": 2})
    for given in asked:
        answer = page.change(*sent(parts, found, before, **given))
        assert isinstance(answer[parts.shown], Shown), given
        assert len(answer[parts.view].to_json()) < LIMIT
    click = gr.EventData(None, {"x": 30.0, "y": 30.0, "index": [0, 0]})
    assert isinstance(page.click(click, *sent(parts, found, before))[parts.shown], Shown)
    assert seen == [name]
    del keep


@pytest.mark.parametrize(
    "given",
    [
        {"layer": 1, "head": 1, "start": "patch", "row": 0, "col": 1},
        {"method": "gradcam", "layer": 0, "class_index": 2},
        {"method": "rollout", "residual": 0.3, "start": "patch", "row": 1, "col": 0},
    ],
)
def test_the_first_map_is_the_one_that_a_link_asks_for(parts: Parts, given: dict[str, Any]) -> None:
    page = Handlers(parts)
    made = linked.begin(page, photo(), "vit", *sent(parts, None, None, **given))
    wish = made[parts.shown].wish
    asked = {name: wish.options[name] if name in wish.options else getattr(wish, name) for name in given}
    assert asked == given
    later = linked.begin(page, photo(1), "vit", *sent(parts, made[parts.held], made[parts.shown], **given))
    assert later[parts.shown].wish.row is None  # another picture is answered from the start


@pytest.mark.parametrize(
    "given",
    [
        {"layer": 99}, {"head": 99, "layer": 1}, {"start": "patch", "row": 99, "col": 0}, {"start": NASTY},
        {"layer": "one"}, {"method": "gradcam", "class_index": -3},
    ],
)  # fmt: skip
def test_what_a_link_asks_for_and_the_model_lacks_is_left_out(parts: Parts, given: dict[str, Any]) -> None:
    page = Handlers(parts)
    fields = sent(parts, None, None, **given)
    plain = page.begin(photo(), "vit", *sent(parts, None, None, **{k: v for k, v in given.items() if k == "method"}))
    assert linked.begin(page, photo(), "vit", *fields)[parts.shown].wish == plain[parts.shown].wish


def test_gradients_go_the_slow_way_and_perturbation_waits_for_its_button(parts: Parts) -> None:
    page = Handlers(parts)
    found = look(photo(), "vit")
    assert page.change(*sent(parts, found, None, todo=3, method="relevance"))[parts.todo] == 4
    waiting = page.change(*sent(parts, found, None, todo=3, method="occlusion"))
    assert parts.shown not in waiting
    assert waiting[parts.run]["visible"]
    (answer,) = list(page.run(photo(), *sent(parts, found, None, method="relevance", class_index=2)))
    assert answer[parts.shown].made.target.class_index == 2
    *told_so_far, last = list(page.run(photo(), *sent(parts, found, None, method="occlusion")))
    assert told_so_far
    assert last[parts.shown].made.method == "occlusion"


def test_a_method_that_waits_leaves_no_map_of_another(parts: Parts) -> None:
    page = Handlers(parts)
    found, trace = kept("vit")
    before = page.change(*sent(parts, found, None, method="rollout"))[parts.shown]
    waiting = page.change(*sent(parts, found, before, method="occlusion"))
    assert (waiting[parts.shown], waiting[parts.legend], waiting[parts.leaving.call]) == (None, "", "")
    assert waiting[parts.view].to_json() == drawing.picture(found).to_json()
    (*_, own) = page.run(photo(), *sent(parts, found, None, method="occlusion"))
    again = page.change(*sent(parts, found, own[parts.shown], method="occlusion", window=3))
    assert parts.shown not in again  # its own map stays until the button makes another
    assert page.change(*sent(parts, found, None, method="rollout"))[parts.shown].made.method == "rollout"
    del trace


def test_what_is_shown_already_is_not_made_again(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slider that the page itself moves tells the page that it changed."""
    page = Handlers(parts)
    first = page.begin(photo(), "vit", *sent(parts, None, None, method="relevance"))
    seen = counted(monkeypatch)
    wish = first[parts.shown].wish
    given = {"method": "relevance", "class_index": wish.class_index, **wish.options}
    for name in ("query", "layer", "head", "row", "col"):
        given[name] = getattr(wish, name)
    assert page.change(*sent(parts, first[parts.held], first[parts.shown], **given)) == {}
    assert seen == []


def test_without_a_picture_or_an_answer_no_first_map_is_promised(parts: Parts) -> None:
    page = Handlers(parts)
    nothing = page.begin(None, "vit", *sent(parts, None, None))
    assert "no picture" in nothing[parts.problem]
    assert "No map yet" in nothing[parts.caption]
    assert "No map yet" in page.failed(None)[parts.caption]
    found, before = shown("vit")
    assert page.begin(None, "vit", *sent(parts, found, before))[parts.caption] == gr.skip()  # the map before stays


def test_choices_made_before_they_changed_and_numbers_beyond_a_range_reach_the_handler(parts: Parts) -> None:
    """Gradio would refuse them without a sentence, and another picture would not be answered."""
    for field in [parts.strength, parts.look, *parts.fields.inputs]:
        if isinstance(field, gr.Dropdown | gr.Radio | gr.Slider):
            assert field.preprocess(99) == 99
            assert field.preprocess(None) is None


def test_a_trace_that_made_room_is_made_again(parts: Parts) -> None:
    page = Handlers(parts)
    found = look(photo(), "vit")
    gone = replace(found, loose=lambda: None)
    assert page.change(*sent(parts, gone, None))[parts.todo] == 1
    (answer,) = list(page.run(photo(), *sent(parts, gone, None, todo=1)))
    assert answer[parts.shown].made.method == "attention"


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("vit", {"layer": 3}, "layer must be a whole number from 0 to 2"),
        ("vit", {"layer": -2}, "layer must be a whole number from 0 to 2"),
        ("vit", {"head": 3}, "head must be a whole number from 0 to 2"),
        ("vit", {"start": "patch", "row": 3, "col": 0}, "row of the patch must be a whole number from 0 to 2"),
        ("vit", {"start": "patch", "row": 0, "col": float("nan")}, "column of the patch must be a whole number"),
        ("vit", {"start": "patch", "row": "x", "col": 0}, "row of the patch must be a whole number"),
        ("vit", {"start": "register 9"}, "no token called 'register 9'"),
        ("vit", {"direction": "sideways"}, "direction must be one of"),
        ("vit", {"method": "magic"}, "no method 'magic'"),
        ("vit", {"method": "lens", "class_index": 5}, "class must be a whole number from 0 to 4"),
        ("vit", {"method": "rollout", "residual": float("nan")}, "residual weight must be a number from 0 to 1"),
        ("vit", {"method": "rollout", "start_layer": 7}, "start layer must be a whole number from 0 to 2"),
        ("detr", {"query": 6}, "object query must be a whole number from 0 to 5"),
        ("resnet", {"method": "attention"}, "no attention"),
    ],
)
def test_bad_input_is_one_sentence_that_names_what_is_allowed(
    name: str, given: dict[str, Any], said: str, parts: Parts
) -> None:
    found, trace = kept(name)
    with pytest.raises(gr.Error, match=said):
        Handlers(parts).change(*sent(parts, found, None, **given))
    page = Handlers(parts)
    quiet = page.quietly(lambda: page.change(*sent(parts, found, None, **given)))
    assert list(quiet) == [parts.problem]  # the last map stays
    assert re.search(said, html.unescape(quiet[parts.problem]))
    del trace


def test_another_model_takes_the_same_method_where_it_can(parts: Parts) -> None:
    page = Handlers(parts)
    answer = page.begin(
        photo(),
        "axial",
        *sent(parts, None, None, method="rollout", residual=0.25, layer=2, head=1),
    )
    assert answer[parts.shown].made.method == "rollout"
    assert answer[parts.shown].wish.options["residual"] == 0.25
    answer = page.begin(photo(), "resnet", *sent(parts, None, None, method="rollout"))
    assert answer[parts.shown].made.method == "gradcam"
    with pytest.raises(gr.Error, match="no-such-model"):
        page.begin(photo(), "no-such-model", *sent(parts, None, None))


def test_the_same_picture_and_model_are_not_answered_twice(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = counted(monkeypatch)
    page = Handlers(parts)
    first = page.begin(photo(), "vit", *sent(parts, None, None))
    assert page.begin(photo(), "vit", *sent(parts, first[parts.held], first[parts.shown])) == {parts.problem: ""}
    assert page.begin(photo(1), "vit", *sent(parts, first[parts.held], first[parts.shown]))
    assert seen == ["vit", "vit"]


@pytest.mark.parametrize(("below", "index"), [("queries", [0, 3]), ("slots", 2)])
def test_a_row_or_a_dot_chooses_its_query(below: str, index: Any, parts: Parts) -> None:
    page = Handlers(parts)
    found, before = shown("detr", Wish(layer=0))
    keep = found.trace
    answer = page.choose(gr.EventData(None, {"index": index}), *sent(parts, found, before, look=below, layer=0))
    query = found.objects[0].query if below == "queries" else 2
    assert answer[parts.shown].made.target.query == query
    assert answer[parts.shown].layers[-1] == ("decoder layer 3, into memory", answer[parts.shown].made.target.layer)
    del keep


def test_a_tile_chooses_its_layer_and_head(parts: Parts) -> None:
    found, before = shown("vit")
    keep = found.trace
    event = gr.EventData(None, {"index": [0, 2], "step": 1})
    answer = Handlers(parts).choose(event, *sent(parts, found, before))
    assert (answer[parts.shown].made.target.layer, answer[parts.shown].made.target.head) == (1, 2)
    assert keep is not None
    for index, step in [([0, 3], 0), ([0, 0], 9), ([-1, 0], 0), (None, 0), ([0, 0], None), (["x", 0], 0)]:
        assert drawing.tile(keep, before, index, step) is None


def test_another_object_brings_its_own_class(parts: Parts) -> None:
    page = Handlers(parts)
    found = look(photo(), "detr")
    asked = {"method": "gradcam", "query": 0, "class_index": 3}
    (first,) = list(page.run(photo(), *sent(parts, found, None, **asked)))
    assert first[parts.shown].made.target.class_index == 3
    asked["query"] = 1
    (other,) = list(page.run(photo(), *sent(parts, found, first[parts.shown], **asked)))
    best = next(box for box in found.objects if box.query == 1)
    assert other[parts.shown].made.target.class_index == best.index


def test_long_work_is_told_and_stops_when_nobody_waits() -> None:
    seen: list[bool] = []

    def work(progress: Any, cancelled: Any) -> str:
        progress(0.5)
        while not cancelled():
            pass
        seen.append(True)
        raise Cancelled

    running = told(work)
    assert next(running) in (0.0, 0.5)
    running.close()
    assert seen == [True]
    assert list(told(lambda progress, cancelled: "done"))[-1] == "done"
    with pytest.raises(ValueError, match="no"):
        list(told(lambda progress, cancelled: (_ for _ in ()).throw(ValueError("no"))))


def test_long_handlers_are_generators_so_that_the_page_is_told(parts: Parts) -> None:
    """Gradio looks at the function itself: one that returns an iterator would hand that over as its value."""
    page = Handlers(parts)
    assert all(inspect.isgeneratorfunction(handler) for handler in (page.run, page.measure, page.check))


@pytest.mark.parametrize("name", ["vit", "axial", "detr"])
@pytest.mark.parametrize("method", ["relevance", "gradcam", "occlusion"])
def test_a_picker_is_given_only_what_it_offers(parts: Parts, name: str, method: str) -> None:
    """Gradio refuses every later call while a picker holds what is not among its choices."""
    page = Handlers(parts)
    first = page.begin(photo(), name, *sent(parts, None, None))
    then = page.change(*sent(parts, first[parts.held], first[parts.shown], method=method))
    for field in parts.fields.inputs:
        if isinstance(field, gr.Dropdown) and "value" in then.get(field, {}):
            offered = [value for _, value in {**first.get(field, {}), **then[field]}.get("choices", field.choices)]
            assert then[field]["value"] in offered


@pytest.mark.parametrize(
    ("before", "then", "given", "usual"),
    [
        ("coatnet", "vit", {"part": "bias"}, {"part": "both"}),
        ("axial", "vit", {"axis": "column"}, {"axis": "both"}),
        ("axial", "coatnet", {"axis": "row", "part": "both"}, {"axis": "both"}),
        ("vit", "coatnet", {"method": "rollout", "start_layer": 2, "residual": 0.25}, {"residual": 0.25}),
    ],
)
def test_what_only_the_model_before_had_goes_back_to_usual(
    parts: Parts, before: str, then: str, given: dict[str, Any], usual: dict[str, Any]
) -> None:
    """The field is hidden with the other model, so nobody could take the choice back."""
    page = Handlers(parts)
    first = page.begin(photo(), before, *sent(parts, None, None, **given))
    answer = page.begin(photo(), then, *sent(parts, first[parts.held], first[parts.shown], **given))
    options = answer[parts.shown].wish.options
    assert {name: options[name] for name in usual} == usual
    assert options.get("start_layer", 0) <= answer[parts.held].last_start
    for owner, option, field in parts.fields.options:
        if owner == answer[parts.shown].made.method and "value" in answer.get(field, {}):
            assert answer[field]["value"] == options[option.name]
