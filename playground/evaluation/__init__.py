"""Measures over a data set: how right, how sure, how fast, and how far explanations can be trusted."""
