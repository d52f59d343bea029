"""Tokens as files for the TensorFlow Embedding Projector: vectors, what is known of each, and its pixels."""

import io
import math
from collections.abc import Mapping, Sequence

from PIL import Image

from playground.embeddings.cloud import PatchClass
from playground.embeddings.stem import patch_pixels
from playground.embeddings.tokens import GridTokens
from playground.image import View

LARGEST = 8192  # pixels of a sprite's side that the projector loads
THUMBNAIL = 32  # pixels of a patch's side, where that fits


def files(tokens: GridTokens, view: View, classes: Sequence[PatchClass] = ()) -> Mapping[str, bytes]:
    """Return the projector's files by name: vectors.tsv, metadata.tsv, sprite.png and projector_config.pbtxt.

    One line for each patch, row by row; tokens without a place have no pixels and are left out. `classes` are those
    of the patches, where they are known.
    """
    side = thumbnail_side(len(tokens.values))
    return {
        "vectors.tsv": vectors(tokens).encode(),
        "metadata.tsv": metadata(tokens, classes).encode(),
        "sprite.png": sprite(tokens, view, side),
        "projector_config.pbtxt": config(tokens, side).encode(),
    }


def vectors(tokens: GridTokens) -> str:
    """Return the patches' values as text: a line for each patch, tabs between channels, no heading."""
    return "".join("\t".join(f"{value:.7g}" for value in row) + "\n" for row in tokens.values.tolist())


def metadata(tokens: GridTokens, classes: Sequence[PatchClass] = ()) -> str:
    """Return what is known of each patch as text with a heading: row, col and, where known, class and share."""
    cols = tokens.grid[1]
    lines = ["patch\trow\tcol" + ("\tclass\tshare" if classes else "")]
    for i in range(len(tokens.values)):
        line = f"row {i // cols}, col {i % cols}\t{i // cols}\t{i % cols}"
        lines.append(line + (f"\t{_one_line(classes[i].label)}\t{classes[i].share:.4f}" if classes else ""))
    return "\n".join(lines) + "\n"


def sprite(tokens: GridTokens, view: View, side: int) -> bytes:
    """Return the patches' pixels as one PNG, thumbnails of `side` pixels in rows of about as many as there are rows."""
    rows, cols = tokens.grid
    count = rows * cols
    across = math.ceil(math.sqrt(count))
    whole = Image.new("RGB", (across * side, math.ceil(count / across) * side))
    for i in range(count):
        patch = Image.fromarray(patch_pixels(view, tokens.grid, i // cols, i % cols))
        whole.paste(patch.resize((side, side), Image.Resampling.BILINEAR), (i % across * side, i // across * side))
    file = io.BytesIO()
    whole.save(file, "PNG", optimize=True)
    return file.getvalue()


def config(tokens: GridTokens, side: int) -> str:
    """Return the projector's own description of the files; all paths are beside it."""
    return (
        "embeddings {\n"
        f'  tensor_name: "{_one_line(tokens.name)}"\n'
        '  tensor_path: "vectors.tsv"\n'
        '  metadata_path: "metadata.tsv"\n'
        f'  sprite {{\n    image_path: "sprite.png"\n    single_image_dim: {side}\n    single_image_dim: {side}\n  }}\n'
        "}\n"
    )


def thumbnail_side(count: int) -> int:
    """Return the side of a thumbnail with which a sprite of `count` patches can be loaded."""
    return max(1, min(THUMBNAIL, LARGEST // math.ceil(math.sqrt(count))))


def _one_line(text: str) -> str:
    return " ".join(text.replace('"', "'").split())
