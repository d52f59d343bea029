"""Batches of photos: augmented, mixed, and seen as the page sees them."""

import numpy as np
import torch
from drawn import drawn_photos
from PIL import Image
from torch import Tensor, nn

from playground.datasets.everyday import SIDE
from playground.training.classify import Augment, Classification, augmented, mixed, normalised, to_float
from playground.training.loop import Stage


def test_augmented_photos_keep_their_range_and_follow_the_seed() -> None:
    images = to_float(drawn_photos(8).images)
    a, b, c = (augmented(images, Augment(), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    torch.testing.assert_close(a, b)
    assert not torch.equal(a, c)
    assert a.shape == images.shape
    assert float(a.min()) >= 0 and float(a.max()) <= 1
    still = augmented(images, Augment(least_area=1.0, aspect=1.0, colour=0.0), torch.Generator().manual_seed(3))
    same = [
        torch.allclose(x, y, atol=1e-5) or torch.allclose(x, y.flip(-1), atol=1e-5)
        for x, y in zip(still, images, strict=True)
    ]
    assert all(same)  # only flips are left


def test_mixing_keeps_the_sum_of_targets() -> None:
    images, targets = torch.rand(6, 3, 16, 16), torch.eye(6)
    for seed in range(6):
        mixed_images, mixed_targets = mixed(images, targets, torch.Generator().manual_seed(seed))
        assert mixed_images.shape == images.shape
        torch.testing.assert_close(mixed_targets.sum(1), torch.ones(6))


def test_training_pixels_equal_the_page_s_view() -> None:
    """The network is trained and measured on what image.view gives it for a 64 px photo."""
    from playground.image import Preprocess, view

    photo = drawn_photos(1).images[0]
    ours = normalised(to_float(photo[None]), SIDE)[0]
    theirs = view(Image.fromarray(photo), Preprocess("crop", (SIDE, SIDE), 1.0, "bicubic")).pixels
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-5)


def test_a_milder_augmentation_lies_between_nothing_and_itself() -> None:
    strong = Augment(least_area=0.4, aspect=2.0, colour=0.3, mix=0.5)
    assert strong.milder(1.0) == strong
    assert strong.milder(0.0) == Augment(least_area=1.0, aspect=1.0, colour=0.0, mix=0.0)
    half = strong.milder(0.5)
    assert (half.least_area, half.colour, half.mix) == (0.7, 0.15, 0.25) and half.aspect == 2**0.5


def test_a_teacher_answers_the_view_that_the_network_sees() -> None:
    photos, asked = drawn_photos(8), []

    def teacher(images: Tensor) -> Tensor:
        asked.append(images)
        return torch.eye(4)[torch.zeros(len(images), dtype=torch.int64)]

    def task(trust: float, mix: float) -> Classification:
        everything, how = np.arange(8), Augment(least_area=0.3, colour=0.3, mix=mix)
        made = Classification(
            photos,
            everything,
            everything,
            lambda _: nn.Identity(),
            lambda s, _: s,
            how,
            0.0,
            teacher=teacher,
            trust=trust,
        )
        made.enter(nn.Identity(), Stage(1.0, 64, 6))
        return made

    for mix in (0.0, 1.0):
        pixels, targets = task(0.7, mix).batch(64, 6, torch.Generator().manual_seed(2))
        assert isinstance(pixels, Tensor) and isinstance(targets, Tensor)
        torch.testing.assert_close(pixels, normalised(asked[-1], 64))
        labels = task(0.0, mix).batch(64, 6, torch.Generator().manual_seed(2))[1]
        assert isinstance(labels, Tensor)
        torch.testing.assert_close(targets, 0.3 * labels + 0.7 * torch.eye(4)[[0] * 6])
