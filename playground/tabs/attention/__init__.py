"""The Attention tab: where a model looks, by many methods, on the visitor's own picture."""

from playground.tabs.attention.page import build

__all__ = ["build"]
