"""What one forward pass costs, counted on the real model, without its weights."""

from dataclasses import dataclass

from playground.architecture.anatomy import anatomy, own_size
from playground.architecture.stages import Stage, stages
from playground.models.card import Card


@dataclass(frozen=True)
class Costs:
    """Parameters and multiply-adds of one picture that the model sees at `size` (rows, cols), stage by stage.

    `macs` counts matrix products and convolutions, attention's own products included: half of what
    torch.utils.flop_counter calls operations, and what the papers of these models call FLOPs. `parameters` counts what
    training learns; DETR's frozen batch norms are constants.
    """

    size: tuple[int, int]
    parameters: int
    macs: int
    stages: tuple[Stage, ...]


def count(card: Card, size: tuple[int, int] | None = None) -> Costs:
    """Return the costs of the card's model for a picture of `size` (rows, cols); None means its own size.

    DETR resizes every picture; its own size is 800 x 1066 here, where its paper averages over 100 pictures of COCO.
    No weights are downloaded. Raises ValueError with one sentence when the model does not work at this size.
    """
    seen = size if size is not None else own_size(card)
    whole = anatomy(card, seen)
    return Costs(seen, whole.parameters, whole.macs, stages(whole))
