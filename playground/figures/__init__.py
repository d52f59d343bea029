"""Plotly figures; they know nothing of models."""
