"""What became of a visitor's questions: which model answered last in each tab, and what was refused last."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from playground.image import Picture
from playground.models import catalogue


@dataclass
class Answers:
    """Changed in place, because a handler that fails has no outputs.

    `models` are by tab those that answered last; `refused` is the model, picture and sentence of a failure that
    nothing has answered since.
    """

    models: dict[str, Any] = field(default_factory=dict)
    refused: tuple[Any, str, str] | None = None

    @contextmanager
    def asked(self, tab: str, picture: Picture | None, model: Any) -> Iterator[None]:
        """Note what becomes of a question; where several events ask the same, the sentence is said once."""
        try:
            yield
        except gr.Error as error:
            failed = (model, picture.key if picture else "", str(error.message))
            error.visible = failed != self.refused
            self.refused = failed
            raise
        self.refused = None
        if picture is not None:
            self.models[tab] = model

    def instead(self, tab: str, chosen: Any) -> Any:
        """Return the model to go back to when the chosen one failed in a tab, None where it may stay.

        It gives way to the one whose answer stands there; before any does, to the first one unless it answered
        in another tab.
        """
        if self.refused is None or self.refused[0] != chosen:  # another one was chosen meanwhile
            return None
        if tab in self.models:
            return self.models[tab]
        first = catalogue.first()
        return None if first is None or chosen in self.models.values() else first.name
