"""The Compare tab: up to six models on the same picture, on the same place of it, and on the same touched picture."""

from playground.tabs.compare.page import build

__all__ = ["build"]
