"""Read any upload safely (reading), make the model's view of it and map that back onto the upload (views)."""

from playground.image.reading import (
    MAX_BYTES,
    TOO_MANY_BYTES,
    ImageError,
    Picture,
    content_key,
    read,
    thumbnail_uri,
)
from playground.image.views import Preprocess, View, view

__all__ = [
    "MAX_BYTES",
    "TOO_MANY_BYTES",
    "ImageError",
    "Picture",
    "Preprocess",
    "View",
    "content_key",
    "read",
    "thumbnail_uri",
    "view",
]
