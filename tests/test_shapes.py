"""The drawn world: exact boxes and masks, every pixel in one segment, the same scenes from the same seed."""

import numpy as np
import pytest

from playground.datasets.shapes import NAMES, STUFF, THINGS, VISIBLE, ShapesMaker, distance


def scenes(count: int, size: int = 96, seed: int = 0) -> list:
    maker, rng = ShapesMaker(), np.random.default_rng(seed)
    return [maker.compose(rng, size) for _ in range(count)]


def test_every_pixel_is_in_one_segment_and_boxes_are_exact() -> None:
    for scene in scenes(40):
        masks = scene.masks()
        assert (masks.sum(0) == 1).all()
        assert set(np.unique(scene.segments)) == set(range(1, len(scene.labels) + 1))
        for mask, box in zip(masks, scene.boxes_xyxy, strict=True):
            x0, y0, x1, y1 = box.astype(int)
            assert mask[y0:y1, x0:x1].sum() == mask.sum()  # nothing outside, and each side touches
            assert all(side.any() for side in (mask[y0, :], mask[y1 - 1, :], mask[:, x0], mask[:, x1 - 1]))


def test_things_come_first_and_stuff_once() -> None:
    seen: set[int] = set()
    for scene in scenes(60):
        thing = scene.is_thing
        assert (np.diff(thing.astype(int)) <= 0).all()
        stuff = scene.labels[~thing]
        assert 1 <= len(stuff) == len(set(stuff.tolist())) <= 3
        assert 0 <= thing.sum() <= 5
        seen |= set(scene.labels.tolist())
    assert seen == set(range(len(NAMES))) and len(NAMES) == len(THINGS) + len(STUFF)


def test_sky_is_above_and_colours_tell_stuff_apart() -> None:
    means: dict[str, list[np.ndarray]] = {name: [] for name in STUFF}
    for scene in scenes(60):
        for label, mask in zip(scene.labels, scene.masks(), strict=True):
            if label >= len(THINGS):
                means[NAMES[label]].append(scene.image[mask].mean(0))
                if NAMES[label] == "sky" and (~scene.is_thing).sum() > 1:
                    others = [m for m, k in zip(scene.masks(), scene.labels, strict=True) if k > label]
                    rows = [np.flatnonzero(m.any(1)).mean() for m in (mask, *others)]
                    assert rows[0] == min(rows)
    grass, sand, water, sky = (np.mean(means[name], 0) for name in ("grass", "sand", "water", "sky"))
    assert grass.argmax() == 1 and sand.argmax() == 0 and water.argmax() == 2 and sky.argmax() == 2
    assert sky.sum() > water.sum() + 100


def test_equal_seeds_draw_equal_scenes_and_others_do_not() -> None:
    first, again, other = scenes(3, seed=5), scenes(3, seed=5), scenes(3, seed=6)
    for one, two, three in zip(first, again, other, strict=True):
        assert np.array_equal(one.image, two.image) and np.array_equal(one.segments, two.segments)
        assert not np.array_equal(one.image, three.image)


@pytest.mark.parametrize("label", range(len(THINGS)), ids=THINGS)
def test_outlines_have_the_area_and_symmetry_of_their_shape(label: int) -> None:
    at = (np.arange(400, dtype=np.float32) + 0.5) / 200 - 1
    x, y = np.meshgrid(at, at)
    inside = distance(label, x, y) < 0
    area = inside.mean() * 4
    star = 5 * 0.45 * np.sin(np.pi / 5)
    known = {
        "disc": np.pi * 0.81,
        "square": 2.0,
        "triangle": 0.75 * 3**0.5,
        "star": star,
        "ring": np.pi * (0.96**2 - 0.48**2),
        "cross": 2 * 1.84 * 0.6 - 0.36,
    }[THINGS[label]]
    assert area == pytest.approx(known, rel=0.01)
    turn = 2 * np.pi / {"disc": 8, "ring": 8, "square": 4, "cross": 4, "triangle": 3, "star": 5}[THINGS[label]]
    turned = distance(label, x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)) < 0
    assert (turned != inside).mean() < 0.005


def test_things_are_never_hidden_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    from playground.datasets import shapes

    areas: list[int] = []
    put = shapes._put

    def noted(*given: object) -> int:
        area = put(*given)  # type: ignore[arg-type]
        if area:
            areas.append(area)
        return area

    monkeypatch.setattr(shapes, "_put", noted)
    maker, rng = ShapesMaker((5, 8)), np.random.default_rng(3)
    hidden = 0
    for _ in range(40):
        areas.clear()
        scene = maker.compose(rng, 96)
        seen = np.bincount(scene.segments.ravel(), minlength=len(areas) + 1)[1 : len(areas) + 1]
        assert (seen >= VISIBLE * np.array(areas) - 1e-9).all()
        hidden += int((seen < areas).sum())
    assert hidden > 20  # they do hide each other


def test_size_only_changes_the_fineness() -> None:
    small, large = scenes(1, 96, seed=9)[0], scenes(1, 384, seed=9)[0]
    assert large.image.shape == (384, 384, 3)
    shrunk = large.image.reshape(96, 4, 96, 4, 3).mean((1, 3))
    assert np.array_equal(small.labels, large.labels)
    assert np.abs(shrunk - small.image).mean() < 12


@pytest.mark.parametrize(("things", "size"), [((-1, 2), 96), ((3, 2), 96), ((1, 99), 96), ((1, 2), 8), ((1, 2), 9999)])
def test_what_cannot_be_drawn_is_refused(things: tuple[int, int], size: int) -> None:
    with pytest.raises(ValueError, match="must be a whole number from"):
        ShapesMaker(things).compose(np.random.default_rng(0), size)


def test_plain_things_have_one_colour() -> None:
    scene = ShapesMaker((3, 3), plain=True).compose(np.random.default_rng(2), 96)
    for mask in scene.masks()[scene.is_thing]:
        inner = mask[1:-1, 1:-1] & mask[2:, 1:-1] & mask[:-2, 1:-1] & mask[1:-1, 2:] & mask[1:-1, :-2]
        _, counts = np.unique(scene.image[1:-1, 1:-1][inner], axis=0, return_counts=True)
        assert counts.max() > 0.85 * counts.sum()  # but for edges where another thing lies over it


@pytest.mark.parametrize(("name", "widest"), [("triangle", (0.7, 1.0)), ("square", (0.0, 1.0)), ("disc", (0.3, 0.7))])
def test_plain_things_stand_nearly_upright(name: str, widest: tuple[float, float]) -> None:
    """Where down its height, 0..1, a thing is widest; a square turned by a quarter would be so in the middle alone."""
    maker, rng = ShapesMaker((1, 1), plain=True), np.random.default_rng(0)
    scenes_ = [maker.compose(rng, 128) for _ in range(60)]
    seen = [s.masks()[0] for s in scenes_ if NAMES[s.labels[0]] == name]
    seen = [mask for mask in seen if not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())]
    assert len(seen) >= 3
    for mask in seen:
        widths = mask.sum(1)[mask.any(1)]
        assert widest[0] <= widths.argmax() / len(widths) <= widest[1]
        if name == "square":
            assert widths[len(widths) // 4] > 0.75 * widths.max()


def test_an_empty_scene_is_stuff_alone() -> None:
    scene = ShapesMaker((0, 0)).compose(np.random.default_rng(0), 64)
    assert not scene.is_thing.any() and len(scene.labels) >= 1
