"""One map of many masks: known answers on masks made by hand, the second contest included."""

import numpy as np
import torch
from torch import Tensor

from playground.models.detr import confident, panoptic

CAT, DOG, GRASS, NONE = 17, 18, 193, 250


def answers(*labels: int, certainty: float = 0.99) -> Tensor:
    """Logits [Q, 251] that name these classes with this probability."""
    rest = (1 - certainty) / 250
    probabilities = torch.full((len(labels), 251), rest)
    probabilities[torch.arange(len(labels)), torch.tensor(labels)] = certainty
    return probabilities.log()


def covers(*slices: tuple[slice, slice], size: tuple[int, int] = (8, 8), strength: float = 9.0) -> Tensor:
    """Mask logits [Q, rows, cols], high in the given rectangle of each query."""
    masks = torch.full((len(slices), *size), -strength)
    for mask, (rows, cols) in zip(masks, slices, strict=True):
        mask[rows, cols] = strength
    return masks


ALL, LEFT, RIGHT, TOP = slice(None), slice(0, 4), slice(4, 8), slice(0, 4)


def test_two_halves() -> None:
    masks = covers((ALL, LEFT), (ALL, RIGHT), (TOP, ALL))
    found, segments = panoptic(answers(CAT, GRASS, NONE), masks, (8, 8), (8, 8))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, np.repeat([[1] * 4 + [2] * 4], 8, axis=0))
    described = [(s.id, s.label, s.area, s.is_thing, s.query) for s in segments]
    assert described == [(1, CAT, 32, True, 0), (2, GRASS, 32, False, 1)]
    assert abs(segments[0].score - 0.99) < 1e-6


def test_only_confident_queries_take_part() -> None:
    logits = torch.cat((answers(CAT, certainty=0.84), answers(DOG, certainty=0.86), answers(NONE)))
    assert confident(logits).tolist() == [False, True, False]
    found, segments = panoptic(logits, covers((ALL, LEFT), (ALL, RIGHT), (ALL, ALL)), (8, 8), (8, 8))
    assert (found == 1).all()  # the only mask wins everywhere, also where it is weak
    assert [(s.label, s.query) for s in segments] == [(DOG, 1)]
    nothing, none = panoptic(logits, covers((ALL, LEFT), (ALL, RIGHT), (ALL, ALL)), (8, 8), (5, 7), threshold=0.9)
    assert nothing.shape == (5, 7)
    assert nothing.dtype == np.int32
    assert not nothing.any()
    assert none == ()


def test_things_of_one_class_stay_apart() -> None:
    found, segments = panoptic(answers(CAT, CAT), covers((ALL, LEFT), (ALL, RIGHT)), (8, 8), (8, 8))
    assert [s.area for s in segments] == [32, 32]
    assert sorted(np.unique(found)) == [1, 2]


def test_small_masks_go_and_their_pixels_are_contested_again() -> None:
    masks = covers((ALL, LEFT), (ALL, RIGHT), (slice(0, 2), slice(0, 2)))
    masks[2, :2, :2] = 20  # wins 4 pixels of the left half, one too few
    found, segments = panoptic(answers(CAT, DOG, DOG), masks, (8, 8), (8, 8))
    assert [(s.query, s.area) for s in segments] == [(0, 32), (1, 32)]
    assert found[0, 0] == 1
    masks[2, 2, 0] = 20  # a fifth pixel, and it stays
    _, segments = panoptic(answers(CAT, DOG, DOG), masks, (8, 8), (8, 8))
    assert [(s.query, s.area) for s in segments] == [(0, 27), (1, 32), (2, 5)]


def test_shared_stuff_loses_its_second_mask_and_the_pixels_are_contested_again() -> None:
    """Two grass masks beside a cat: the second one's name is the first's, so its area is 0 and its mask goes.

    Its pixels do not fall to the first: they are contested again, and here the cat is stronger there.
    """
    masks = covers((ALL, slice(0, 3)), (ALL, slice(3, 6)), (ALL, slice(6, 8)))
    masks[2, :, 3:6] = 5  # the cat is second on the pixels of the second grass mask
    found, segments = panoptic(answers(GRASS, GRASS, CAT), masks, (8, 8), (8, 8))
    assert [(s.label, s.query, s.area) for s in segments] == [(GRASS, 0, 24), (CAT, 2, 40)]
    np.testing.assert_array_equal(found[0], [1] * 3 + [2] * 5)


def test_when_every_mask_is_small_nothing_is_left() -> None:
    found, segments = panoptic(answers(CAT), covers((ALL, ALL)), (8, 8), (2, 2))
    assert segments == ()
    np.testing.assert_array_equal(found, np.zeros((2, 2)))


def test_masks_grow_bilinearly_to_the_view_and_ids_by_nearest_to_the_target() -> None:
    ramp = torch.linspace(-1, 1, 4).expand(4, 4)
    masks = torch.stack((-ramp, ramp))  # equal in the middle
    found, segments = panoptic(answers(CAT, DOG), masks, (8, 8), (10, 30))
    assert found.shape == (10, 30)
    np.testing.assert_array_equal(found, np.repeat([[1] * 15 + [2] * 15], 10, axis=0))
    assert sum(s.area for s in segments) == 300
    sharp, _ = panoptic(answers(CAT, DOG), masks + torch.tensor([0.4, 0.0])[:, None, None], (16, 16), (16, 16))
    # -x + 0.4 = x at x = 0.2, which is 0.3 of a mask cell right of the middle: column 8 + 0.3 * 4 = 9.2 of 16
    np.testing.assert_array_equal(sharp[0], [1] * 9 + [2] * 7)
