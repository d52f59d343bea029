"""Explanation methods: from a trace and a target to a map. A new method is one file and its name here.

made = explain("rollout", trace, Target(patch=(3, 4)), {"residual": 0.5})
made.values             # float32 [rows, cols] on the model's own grid
"""

from dataclasses import replace

import numpy as np

from playground.explanations import (
    artefacts,
    attention,
    gradcam,
    gradient_input,
    gradient_rollout,
    lens,
    occlusion,
    receptive,
    relevance,
    rollout,
)
from playground.explanations.nouns import Access, Cancelled, Map, Method, Option, Settings, Target
from playground.explanations.targets import fitting
from playground.trace import Trace

__all__ = ["METHODS", "Access", "Cancelled", "Map", "Method", "Option", "Settings", "Target", "explain", "method_of"]

METHODS = (
    attention.METHOD,
    rollout.METHOD,
    gradient_rollout.METHOD,
    relevance.METHOD,
    gradcam.METHOD,
    gradient_input.METHOD,
    receptive.METHOD,
    occlusion.METHOD,
    lens.METHOD,
    artefacts.METHOD,
)


def method_of(name: str) -> Method:
    """Return the method of this name; raises ValueError with the names there are."""
    for method in METHODS:
        if method.name == name:
            return method
    raise ValueError(f"There is no method '{str(name)[:40]}'; choose one of {', '.join(m.name for m in METHODS)}.")


def explain(
    name: str, trace: Trace, target: Target | None = None, options: Settings | None = None, access: Access | None = None
) -> Map:
    """Explain one trace by the method called `name`; everything given is checked against this model first.

    `access` is needed where the method's `needs` says "perturbation" or "head". Raises ValueError in one sentence for
    a target or option outside this model and for a map that is not finite; Cancelled when the visitor left.
    """
    method, target = method_of(name), target or Target()
    settings = method.settings(options)
    fitting(method, trace, target)
    made = method.run(trace, target, settings, access)
    if not np.isfinite(made.values).all():
        raise ValueError(f"{method.title} gave numbers that are not finite for this picture; choose another method.")
    return replace(made, method=method.name)
