"""Experiments whose truth is known: random matrices, and a small network along its training."""
