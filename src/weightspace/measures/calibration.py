"""How well stated confidence agrees with accuracy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """ECE = sum_b |B_b| / n |accuracy(B_b) - mean confidence(B_b)|, a share from 0 to 1.

    probabilities: ``[n, classes]``, rows that sum to 1; labels: ``[n]``. The confidence of a sample is its largest
    probability; bins have equal width on [0, 1] and hold their lower edge, the last one also 1. Guo et al. 2017,
    equation 3; 15 bins as there and in paper A. ``ValueError`` for other shapes, values outside [0, 1] or rows that do
    not sum to 1 (logits, say).
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if p.ndim != 2 or p.size == 0 or y.shape != p.shape[:1]:
        raise ValueError(f"need probabilities [n, classes] and labels [n], got shapes {p.shape} and {y.shape}")
    # Probabilities often come in single precision, so their sums are 1 to that precision only.
    if not (p.min() >= 0 and np.allclose(p.sum(axis=1), 1, atol=1e-4)):
        raise ValueError("each row of the probabilities must be at least 0 and sum to 1: apply softmax to logits first")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    confidence = p.max(axis=1)
    right = p.argmax(axis=1) == y
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(bin_of, weights=right - confidence, minlength=bins)  # |B_b| (accuracy - confidence)
    return float(np.abs(gap).sum() / len(y))
