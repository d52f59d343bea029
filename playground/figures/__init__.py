"""Plotly figures; they know nothing of models."""

from plotly.graph_objects import Figure

__all__ = ["Figure"]
