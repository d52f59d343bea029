"""Batches of photos: augmented, mixed, and seen as the page sees them."""

import numpy as np
import torch
from drawn import drawn_photos
from PIL import Image

from playground.datasets.everyday import SIDE
from playground.training.classify import Augment, augmented, mixed, normalised, to_float


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
