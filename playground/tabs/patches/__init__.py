"""The Patches tab: from pixels to tokens and on to meaning, as a story in six parts."""

from playground.tabs.patches.page import build

__all__ = ["build"]
