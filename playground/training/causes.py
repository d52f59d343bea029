"""Why a loss became no number: looked for in the order in which it can arise."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn


def cause(batch: Iterable[object], model: nn.Module) -> str:
    """The cause in a few words: a value of the batch, a weight, or neither."""
    for part, tensor in enumerate(tensors(batch)):
        bad = ~torch.isfinite(tensor)
        if bad.any():
            example = int(bad.flatten(1).any(1).nonzero()[0]) if tensor.dim() > 1 else int(bad.nonzero()[0])
            return f"example {example + 1} of the batch holds a value that is no number, in its part {part + 1}"
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            return f"the weights are no numbers any more, first in {name[:64]}"
    return "batch and weights are sound, so the answer or the loss grew too large"


def tensors(batch: Iterable[object]) -> Iterator[Tensor]:
    """The floating-point tensors of a batch's parts, also those inside of lists and targets."""
    for part in batch:
        if isinstance(part, Tensor):
            if part.is_floating_point() and part.dim():
                yield part
        elif isinstance(part, list | tuple):
            yield from tensors(part)
        elif hasattr(part, "__dataclass_fields__"):
            yield from tensors(vars(part).values())
