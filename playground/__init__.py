"""See how vision transformers see: predictions, attention and patches of ViT, DETR, axial-attention and CoAtNet models.

The names below are loaded when first used, so that `import playground` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playground.api import Target, cards, compare, embed, explain, predict

__version__ = "0.1.0"
__all__ = ["Target", "cards", "compare", "embed", "explain", "predict"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"playground has no {name!r}; it offers {', '.join(__all__)}")
    from playground import api

    return getattr(api, name)
