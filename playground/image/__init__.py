"""Read any upload safely (reading), make the model's view of it and map that back onto the upload (views)."""

from playground.image.reading import ImageError, Picture, content_key, read, thumbnail_uri
from playground.image.views import Preprocess, View, view

__all__ = ["ImageError", "Picture", "Preprocess", "View", "content_key", "read", "thumbnail_uri", "view"]
