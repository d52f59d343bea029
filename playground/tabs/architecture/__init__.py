"""The Architecture tab: what a model is made of, what it costs, and what that buys."""

from playground.tabs.architecture.page import build

__all__ = ["build"]
