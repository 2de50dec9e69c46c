"""Figures: each function draws one, from a frame."""
