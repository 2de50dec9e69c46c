"""Figures: each function draws one, from a frame."""

from weightspace import extras

extras.need("plots", "matplotlib", "seaborn")
