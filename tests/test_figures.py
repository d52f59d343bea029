"""Every figure: the right marks in the right place, small, readable, and nothing but text in its texts."""

import base64
import io
from dataclasses import replace

import pytest
from hand_made import BOXES, CLASSES, NASTY, SEGMENTS, SIZE, photo, segment_map
from PIL import Image

from playground.figures.bars import bars
from playground.figures.boxes import NAMED, boxes
from playground.figures.picture import BUDGET, encode
from playground.figures.segments import colour_of, segments
from playground.figures.theme import PALETTE, ink, percent, rgb
from playground.trace import Box

LIMIT = 200_000


def test_bars_show_every_class_on_a_scale_of_0_to_100_percent() -> None:
    drawn = bars(CLASSES).to_plotly_json()
    assert list(drawn["data"][1]["x"]) == [0.9, 0.06, 0.04]
    assert drawn["layout"]["xaxis"]["range"] == [0, 1]
    texts = [note["text"] for note in drawn["layout"]["annotations"]]
    assert texts[:2] == ["lion", "90 %"]
    assert drawn["layout"]["height"] > bars(CLASSES[:1]).layout.height
    assert drawn["layout"]["meta"]["alt"].startswith("Best guesses: lion 90 %, cat 6 %")


def test_unsure_bars_are_grey() -> None:
    assert bars(CLASSES).data[1].marker.color[0] == PALETTE[0]
    assert bars(CLASSES, unsure=True).data[1].marker.color[0] not in PALETTE


def test_boxes_lie_where_they_were_found_and_small_ones_can_be_pointed_at() -> None:
    drawn = boxes(BOXES, encode(photo()), SIZE)
    assert [(min(t.x), min(t.y), max(t.x), max(t.y)) for t in drawn.data] == [
        (0.0, 0.0, 640.0, 480.0),
        (100.0, 50.0, 500.0, 400.0),
        (300.0, 100.0, 350.0, 200.0),
    ]
    assert [t.text for t in drawn.data] == ["bus 20 %", "bus 90 %", "person 60 %"]
    assert tuple(drawn.layout.xaxis.range) == (0, 640)
    assert tuple(drawn.layout.yaxis.range) == (480, 0)  # y grows downwards, as in the picture
    assert drawn.layout.meta["aspect"] == pytest.approx(640 / 480)


def test_a_label_keeps_its_colour_when_the_threshold_hides_boxes() -> None:
    labels = [box.label for box in BOXES]
    every, few = (boxes(found, "", SIZE, labels) for found in (BOXES, BOXES[1:2]))
    colour = {trace.name: trace.line.color for trace in every.data}
    assert colour["bus"] != colour["person"]
    assert few.data[0].line.color == colour["person"]


def test_a_crowd_of_boxes_names_only_the_best() -> None:
    places = [(i % 5 * 120.0, i // 5 * 24.0) for i in range(100)]
    crowd = [Box("ant", i / 100, (x, y, x + 9, y + 9), 0, i) for i, (x, y) in enumerate(places)]
    drawn = boxes(crowd, encode(photo()), SIZE)
    assert len(drawn.data) == 100
    assert len(drawn.layout.annotations) == NAMED
    assert len(drawn.to_json()) < LIMIT


def test_labels_do_not_cover_each_other_and_the_best_keep_theirs() -> None:
    """Several queries that answer one object: the second label moves to another corner, the others go."""
    heap = [Box("bus", 0.9 - i / 10, (100.0 + i, 100.0 + i, 200.0 + i, 150.0 + i), 0, i) for i in range(9)]
    drawn = boxes(heap, "", SIZE)
    corners = [(note.x, note.y) for note in drawn.layout.annotations]
    assert corners[0] == (100, 100)
    assert 2 <= len(corners) < 9
    wide, high = 7 * len("bus 90 %") + 6, 20
    scale = max(SIZE[0] / 560, SIZE[1] / 460)
    for i, (x, y) in enumerate(corners):
        for u, v in corners[:i]:
            assert abs(x - u) >= wide * scale - 1e-6 or abs(y - v) >= high * scale - 1e-6
    assert len(drawn.data) == 9  # every box still says its label when it is pointed at


def test_segments_are_tinted_and_say_their_name_where_they_lie() -> None:
    drawn = segments(SEGMENTS, segment_map(), encode(photo()), SIZE)
    tint = Image.open(io.BytesIO(base64.b64decode(drawn.layout.images[1].source.split(",")[1]))).convert("RGBA")
    colours = colour_of(SEGMENTS)
    assert tint.getpixel((300, 50))[:3] == rgb(colours[7])
    assert tint.getpixel((50, 400))[:3] == rgb(colours[9])
    assert tint.getpixel((600, 400))[3] == 0
    said = drawn.data[0].text
    assert (said[0][0], said[-1][0], said[-1][-1]) == ("sky 80 %", "bus 90 %", "")


@pytest.mark.parametrize("make", [bars, boxes, segments])
def test_no_figure_is_larger_than_200_kb(make: object) -> None:
    worst = encode(photo())
    drawn = {
        bars: lambda: bars(CLASSES * 3),
        boxes: lambda: boxes(BOXES * 30, worst, SIZE),
        segments: lambda: segments(SEGMENTS, segment_map(), worst, SIZE),
    }[make]()
    assert len(drawn.to_json()) < LIMIT


def test_a_figure_does_not_carry_plotlys_own_template() -> None:
    assert len(bars(CLASSES).to_json()) < 6_000


def test_an_encoded_picture_stays_within_its_budget() -> None:
    assert len(encode(photo(1500, 1500))) <= BUDGET


@pytest.mark.parametrize("make", [lambda: bars(CLASSES), lambda: boxes([replace(BOXES[0], label=NASTY)], "", SIZE)])
def test_labels_are_text_in_figures_never_markup(make: object) -> None:
    drawn = make()  # type: ignore[operator]
    shown = [note.text for note in drawn.layout.annotations] + [t.text or "" for t in drawn.data if hasattr(t, "text")]
    assert any("&lt;img" in text for text in shown)
    assert not any("<img" in text for text in shown)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "0 %"),
        (0.0004, "< 0.1 %"),
        (0.004, "0.4 %"),
        (0.034, "3 %"),
        (0.93, "93 %"),
        (0.999, "> 99 %"),
        (1, "100 %"),
    ],
)
def test_percentages_neither_claim_nor_hide(share: float, words: str) -> None:
    assert percent(share) == words


def test_text_on_every_colour_of_the_palette_can_be_read() -> None:
    def luminance(colour: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (p / 255 for p in rgb(colour))]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in PALETTE:
        light, dark = sorted((luminance(colour), luminance(ink(colour))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, colour
