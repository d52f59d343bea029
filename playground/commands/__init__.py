"""The shell's commands that need more than a card: one file each, with `add(commands)`; loaded when asked for."""

from importlib import import_module
from types import ModuleType

COMMANDS = {  # name: what the list of commands says
    "explain": "write a map of what a model looks at",
    "compare": "ask several models about pictures, and say what each costs",
    "embed": "write the tokens of a picture, for NumPy, tables, a page or the Embedding Projector",
    "evaluate": "measure a model on a data set",
    "disturbances": "measure how accuracy falls when pictures are disturbed",
    "study": "measure one of the papers' claims in small",
    "faithfulness": "measure how far explanations can be trusted, over a data set",
    "slots": "show what every object query of a detector answers over many pictures",
}


def module(name: str) -> ModuleType:
    """Return the module of one of COMMANDS."""
    return import_module(f"playground.commands.{name}")
