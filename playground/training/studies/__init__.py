"""The claims of the papers, measured in small: `python -m playground study NAME --data FOLDER`; one file a study."""

from playground.training.studies.coatnet_layouts import LAYOUTS
from playground.training.studies.data_hunger import HUNGER
from playground.training.studies.depth import DEPTH
from playground.training.studies.plan import Plan
from playground.training.studies.resolution import RESOLUTION
from playground.training.studies.token_labeling import TOKENS

PLANS: tuple[Plan, ...] = (HUNGER, LAYOUTS, RESOLUTION, DEPTH, TOKENS)


def find(name: str) -> Plan:
    """The plan of this name. Raises ValueError with the names there are."""
    for plan in PLANS:
        if plan.name == name:
            return plan
    known = ", ".join(plan.name for plan in PLANS)
    raise ValueError(f"There is no study called {str(name)[:64]!r}; choose one of {known}.")
