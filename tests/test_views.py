"""The model's view of a picture: it equals timm's, and every mark in it is found again on the upload."""

import corpus
import numpy as np
import pytest
import timm
import timm.data
from PIL import Image

from playground.image import Picture, Preprocess, View, read, view

pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's remark on two of the files
SIZES = [(160, 120), (120, 160), (333, 50), (64, 64), (51, 203), (7, 9)]


@pytest.mark.parametrize("crop_pct", [1.0, 0.95, 0.9, 0.875])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest", "lanczos"])
@pytest.mark.parametrize("size", [(64, 64), (224, 224), (96, 128), (160, 72)])
@pytest.mark.parametrize(("rule", "crop_mode"), [("crop", "center"), ("squash", "squash"), ("border", "border")])
def test_the_view_equals_timms_evaluation_transform(
    rule: str, crop_mode: str, size: tuple[int, int], interpolation: str, crop_pct: float
) -> None:
    mean, std = (0.5, 0.4, 0.3), (0.5, 0.25, 0.225)
    theirs = timm.data.create_transform(
        (3, *size), interpolation=interpolation, mean=mean, std=std, crop_pct=crop_pct, crop_mode=crop_mode
    )
    ours = Preprocess(rule, size, crop_pct, interpolation, mean, std)  # type: ignore[arg-type]
    for width, height in SIZES:
        picture = Picture(corpus.noisy(width, height))
        seen = view(picture, ours)
        assert seen.pixels.dtype == np.float32
        assert seen.pixels.shape == (3, *size)
        assert np.abs(seen.pixels - theirs(picture.rgb).numpy()).max() <= 1e-6
        assert seen.picture_size == (width, height)
        assert seen.image.size == size[::-1]


@pytest.mark.parametrize(
    "name",
    [
        "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
        "vit_base_patch16_384.augreg_in21k_ft_in1k",
        "vit_base_patch14_reg4_dinov2.lvd142m",
        "deit_small_patch16_224.fb_in1k",
        "coatnet_0_rw_224.sw_in1k",
        "vit_so400m_patch14_siglip_384.webli",
        "eva02_base_patch14_448.mim_in22k_ft_in1k",
    ],
)
def test_the_view_equals_what_timm_resolves_for_a_published_model(name: str) -> None:
    config = timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    rule = "squash" if config["crop_mode"] == "squash" else "crop"
    ours = Preprocess(
        rule, config["input_size"][1:], config["crop_pct"], config["interpolation"], config["mean"], config["std"]
    )
    picture = Picture(corpus.noisy(500, 375))
    assert np.abs(view(picture, ours).pixels - timm.data.create_transform(**config)(picture.rgb).numpy()).max() <= 1e-6


def test_a_crop_larger_than_the_resized_picture_is_padded_as_timm_does() -> None:
    theirs = timm.data.create_transform((3, 64, 64), crop_pct=1.3, interpolation="bicubic")
    picture = Picture(corpus.noisy(70, 90))
    assert np.abs(view(picture, Preprocess("crop", (64, 64), 1.3)).pixels - theirs(picture.rgb).numpy()).max() <= 1e-6


@pytest.mark.parametrize(
    ("upload", "expected"),  # (width, height) -> (rows, cols), worked out by hand from the published rule
    [
        ((640, 480), (800, 1066)),
        ((480, 640), (1066, 800)),
        ((1000, 400), (533, 1332)),
        ((400, 1000), (1332, 533)),
        ((800, 800), (800, 800)),
        ((800, 1200), (1200, 800)),
        ((1333, 27), (27, 1333)),
        ((50, 1), (27, 1350)),
    ],
)
def test_detr_sizes(upload: tuple[int, int], expected: tuple[int, int]) -> None:
    seen = view(Picture(Image.new("RGB", upload, (124, 116, 104))), Preprocess("detr"))
    assert seen.pixels.shape == (3, *expected)
    assert seen.region_xyxy == (0, 0, *upload)
    assert np.abs(seen.pixels).max() < 0.02  # the ImageNet mean becomes zero


def test_detr_is_bilinear() -> None:
    picture = corpus.noisy(90, 60)
    seen = view(picture, Preprocess("detr", shortest=80, longest=133))
    assert seen.image.tobytes() == picture.resize((120, 80), Image.Resampling.BILINEAR).tobytes()


PREPROCESSES = [
    Preprocess("crop", (224, 224), 0.9),
    Preprocess("crop", (96, 160), 0.95, "bilinear"),
    Preprocess("crop", (64, 64), 1.3),
    Preprocess("squash", (200, 200)),
    Preprocess("squash", (192, 128), 0.875),
    Preprocess("detr", shortest=200, longest=333),
]


@pytest.mark.parametrize("preprocess", PREPROCESSES, ids=lambda p: f"{p.rule}-{p.size}-{p.crop_pct}")
@pytest.mark.parametrize("upload", [(300, 200), (123, 457), (400, 90)])
def test_a_mark_seen_in_the_view_is_found_on_the_upload(preprocess: Preprocess, upload: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(6):
        x, y = (int(rng.integers(4, side - 12)) for side in upload)
        image = Image.new("RGB", upload)
        image.paste((255, 255, 255), (x, y, x + 8, y + 8))
        seen = view(image, preprocess)
        rows, cols = np.nonzero(np.asarray(seen.image)[:, :, 0] > 127)
        if not rows.size or 0 in (rows.min(), cols.min()) or rows.max() == seen.image.height - 1 or (
            cols.max() == seen.image.width - 1
        ):  # fmt: skip
            continue  # cropped away
        found += 1
        box = seen.to_upload(np.array([[cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]]))
        scale = max(upload[0] / seen.image.width, upload[1] / seen.image.height, 1)
        assert np.abs(box - [x, y, x + 8, y + 8]).max() <= 1.5 * scale
        grid = (10, 14)
        cell = seen.cell_at(x + 4, y + 4, grid)
        assert cell is not None
        x0, y0, x1, y1 = seen.cell_boxes(grid)[cell]
        assert x0 <= x + 4 <= x1
        assert y0 <= y + 4 <= y1
    assert found or preprocess.rule == "crop"


@pytest.mark.parametrize("preprocess", PREPROCESSES, ids=lambda p: f"{p.rule}-{p.size}-{p.crop_pct}")
@pytest.mark.parametrize("upload", [(2, 2), (2, 3), (100, 2), (3, 150)])
def test_the_smallest_and_thinnest_pictures_have_views(preprocess: Preprocess, upload: tuple[int, int]) -> None:
    seen = view(read(Image.new("RGB", upload, corpus.WHITE)), preprocess)
    assert np.isfinite(seen.pixels).all()
    assert min(seen.pixels.shape) >= 3
    boxes = seen.cell_boxes((7, 5))
    assert np.isfinite(boxes).all()
    assert boxes.min() >= 0
    assert (boxes <= [*upload, *upload]).all()
    assert seen.cell_at(upload[0] / 2, upload[1] / 2, (7, 5)) == (3, 2)


def test_boxes_are_clipped_to_the_upload_and_grids_cover_the_region() -> None:
    seen = view(corpus.noisy(300, 200), Preprocess("crop", (100, 100)))
    assert seen.region_xyxy == (50, 0, 250, 200)
    assert seen.to_upload(np.array([[0, 0, 100, 100], [-50, -50, 400, 50]])).tolist() == [
        [50, 0, 250, 200], [0, 0, 300, 100],
    ]  # fmt: skip
    assert seen.to_upload(np.zeros((0, 4))).shape == (0, 4)
    cells = seen.cell_boxes((4, 2))
    assert cells.shape == (4, 2, 4)
    assert cells[0, 0].tolist() == [50, 0, 150, 50]
    assert cells[3, 1].tolist() == [150, 150, 250, 200]
    assert seen.cell_at(151, 199, (4, 2)) == (3, 1)
    assert seen.cell_at(250, 200, (4, 2)) == (3, 1)
    assert seen.cell_at(20, 100, (4, 2)) is None


def test_a_grid_that_was_rounded_up_reaches_past_the_edge() -> None:
    """DETR: 101 x 70 pixels at stride 32 are 4 x 3 cells, the last ones cut off by the edge."""
    seen = view(corpus.noisy(101, 70), Preprocess("detr", shortest=70, longest=200))
    assert seen.grid_xyxy((3, 4)) == (0, 0, 128, 96)
    assert seen.stride((3, 4)) == (32, 32)
    assert seen.cell_at(97, 65, (3, 4)) == (2, 3)
    assert seen.cell_at(95, 63, (3, 4)) == (1, 2)
    assert seen.cell_at(102, 10, (3, 4)) is None  # inside the grid, outside the picture
    assert seen.cell_boxes((3, 4))[2, 3].tolist() == [96, 64, 101, 70]
    assert seen.stride((5, 6)) == (14, 101 / 6)  # no rounding gives this grid: even cells


@pytest.mark.parametrize("name", ["exif_3.jpg", "exif_6.jpg", "exif_7.jpg", "exif_6.tif"])
def test_a_turned_photo_is_seen_as_the_upright_one(name: str) -> None:
    """The view, and so every answer and box, is that of the picture as a person sees it."""
    kind = "ok.tif" if name.endswith("tif") else "ok.jpg"
    files = {case.name: case.data for case in corpus.cases()}
    turned, upright = (view(read(files[n]), Preprocess("crop", (64, 64))) for n in (name, kind))
    assert turned.picture_size == upright.picture_size
    assert turned.region_xyxy == upright.region_xyxy
    assert np.abs(turned.pixels - upright.pixels).mean() < 0.02


@pytest.mark.parametrize(
    "arguments",
    [
        {"rule": "stretch"},
        {"rule": "crop", "size": (0, 4)},
        {"rule": "crop", "size": (4, 4, 4)},
        {"rule": "crop", "crop_pct": 0},
        {"rule": "crop", "crop_pct": float("nan")},
        {"rule": "crop", "interpolation": "magic"},
        {"rule": "crop", "std": (1, 1, 0)},
        {"rule": "crop", "mean": (1, 1)},
        {"rule": "detr", "shortest": 0},
    ],
)
def test_impossible_preprocessing_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|need"):
        Preprocess(**arguments)  # type: ignore[arg-type]


def test_preprocessing_from_lists_equals_that_from_tuples() -> None:
    assert Preprocess("crop", [8, 9], mean=[0, 0, 0]) == Preprocess("crop", (8, 9), mean=(0, 0, 0))  # type: ignore[arg-type]


def test_views_of_unread_pictures_are_read_first() -> None:
    seen: View = view(Image.new("LA", (40, 50)), Preprocess("squash", (8, 8)))
    assert seen.image.getpixel((3, 3)) == (255, 255, 255)
