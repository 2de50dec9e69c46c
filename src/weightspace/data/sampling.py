"""Which samples an experiment sees and how they are disturbed: scaling, draws, noise, imbalance.

Pure functions: the randomness comes from the generator (or, where a released number stream has to be
repeated, the seed) that the caller passes, and inputs are never modified.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = [
    "add_input_noise",
    "flip_labels",
    "left_out",
    "long_tailed_indices",
    "paper_training_indices",
    "split_validation",
    "standardize",
]


def standardize(x: ArrayLike, ddof: int = 1) -> NDArray[np.float64]:
    """Column z-scores z = (x - mean) / s, with s^2 = sum((x - mean)^2) / (N - ddof).

    x: [N, d], or [N] for a single column such as a target; returns the same shape, without unit.
    Mean and s are taken over all N rows, as in paper B, released protocol: over the whole file,
    before any split. ValueError for a constant column (named by its number), for values that are
    not finite, and for N <= ddof.
    """
    values = _finite("x", x)
    if values.ndim not in (1, 2) or values.shape[0] <= ddof:
        raise ValueError(f"x must be [N, d] or [N] with N > ddof = {ddof}, got shape {values.shape}")
    scale = values.std(axis=0, ddof=ddof)
    # The spread is compared too: rounding leaves a constant such as 0.1 a tiny standard deviation.
    constant = np.flatnonzero((np.ptp(values, axis=0) == 0) | (scale == 0))
    if constant.size:
        raise ValueError(f"x has constant columns: {constant.tolist()}")
    return (values - values.mean(axis=0)) / scale


def paper_training_indices(n_rows: int, train_size: int, seed: int = 5) -> NDArray[np.int64]:
    """Training rows of paper B, released protocol: ``train_size`` draws from 0 .. n_rows - 1.

    Drawn uniformly with replacement, so rows can repeat, by numpy's legacy generator,
    RandomState(seed).randint(0, n_rows, train_size), whose number stream is frozen.
    Returns [train_size]. ValueError for sizes below 1 or a seed outside 0 .. 2^32 - 1.
    """
    _integer("n_rows", n_rows, 1)
    _integer("train_size", train_size, 1)
    _integer("seed", seed, 0, 2**32 - 1)
    return np.random.RandomState(seed).randint(0, n_rows, train_size).astype(np.int64)


def left_out(n_rows: int, indices: ArrayLike) -> NDArray[np.int64]:
    """Rows 0 .. n_rows - 1 that are not among ``indices`` [n], ascending.

    They are the test rows of paper B, released protocol. ValueError for an index out of range.
    """
    _integer("n_rows", n_rows, 1)
    return np.setdiff1d(np.arange(n_rows), _integers("indices", indices, n_rows))


def add_input_noise(
    x: ArrayLike, std: float, rng: np.random.Generator, clip: tuple[float, float] | None = None
) -> NDArray[np.floating]:
    """x + e with independent e ~ N(0, std^2) for every value, then clipped to ``clip`` = (low, high).

    x: any shape; ``std`` and ``clip`` are in units of x. Returns the same shape, as float32 or
    float64, the smaller one that holds the type of x. Paper B, released protocol: std 0.3 on the
    test inputs, clipped to (0, 1) for images only. ValueError for values that are not finite,
    std < 0, or low >= high.
    """
    values = _finite("x", x, np.result_type(np.asarray(x).dtype, np.float32))
    if not (math.isfinite(std) and std >= 0):
        raise ValueError(f"std must be finite and at least 0, got {std}")
    if clip is not None and not (len(clip) == 2 and clip[0] < clip[1]):
        raise ValueError(f"clip must be a pair (low, high) with low < high, got {clip}")
    # Images come as float32: drawing in that type halves the time, which for 55,000 images is what a noise test costs.
    noisy = rng.standard_normal(values.shape, dtype=values.dtype)
    noisy *= std
    noisy += values
    return noisy if clip is None else np.clip(noisy, *clip, out=noisy)


def flip_labels(y: ArrayLike, share: float, n_classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Labels [n] of which exactly round(share * n) are replaced by another class (half to even).

    The samples are chosen without replacement, the new class uniformly among the n_classes - 1
    others (symmetric label noise). ValueError for a share outside [0, 1], fewer than two
    classes, or a label outside 0 .. n_classes - 1.
    """
    _integer("n_classes", n_classes, 2)
    flipped = _integers("y", y, n_classes).copy()
    chosen = rng.choice(flipped.size, round(_share(share) * flipped.size), replace=False)
    flipped[chosen] = (flipped[chosen] + rng.integers(1, n_classes, chosen.size)) % n_classes
    return flipped


def long_tailed_indices(
    y: ArrayLike, imbalance_ratio: float, rng: np.random.Generator, n_max: int | None = None
) -> NDArray[np.int64]:
    """Ascending indices of a subset whose class sizes fall exponentially from n_max to n_max / ratio.

    Of the K classes in the labels y [n], in label order k = 0 .. K - 1, class k keeps
    round(n_max * imbalance_ratio^(-k / (K - 1))) samples, at least 1, drawn without replacement.
    n_max: by default the size of the smallest class, so that every class can give its number.
    ValueError for a ratio that is not finite or below 1, fewer than two classes, or a class with
    fewer samples than it should keep.
    """
    classes, counts = np.unique(_integers("y", y), return_counts=True)
    if classes.size < 2:
        raise ValueError(f"y must hold at least two classes, got {classes.tolist()}")
    if not (math.isfinite(imbalance_ratio) and imbalance_ratio >= 1):
        raise ValueError(f"imbalance_ratio must be finite and at least 1, got {imbalance_ratio}")
    n_max = int(counts.min()) if n_max is None else _integer("n_max", n_max, 1)
    profile = n_max * float(imbalance_ratio) ** (-np.arange(classes.size) / (classes.size - 1))
    return _draw_classes(y, classes, counts, np.maximum(1, np.rint(profile).astype(np.int64)), rng)


def split_validation(
    indices: ArrayLike, share: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two parts (train, validation) of drawn indices [n]; all copies of an index go to the same part.

    round(share * u) of the u distinct indices (half to even) go to validation. Draws with
    replacement repeat rows; splitting draw by draw would validate on rows that were trained on.
    Both parts keep their repetitions and the order of drawing. ValueError for a share outside
    [0, 1], or for indices that are empty, negative or not whole numbers.
    """
    drawn = _integers("indices", indices)
    distinct = np.unique(drawn)
    held_out = rng.choice(distinct, round(_share(share) * distinct.size), replace=False)
    inside = np.isin(drawn, held_out)
    return drawn[~inside], drawn[inside]


def _draw_classes(
    y: ArrayLike, classes: NDArray, counts: NDArray, sizes: NDArray, rng: np.random.Generator
) -> NDArray[np.int64]:
    if np.any(sizes > counts):
        k = int(np.argmax(sizes > counts))
        raise ValueError(f"y has {counts[k]} samples of class {classes[k]}, {sizes[k]} are needed")
    labels = np.asarray(y)
    drawn = [rng.choice(np.flatnonzero(labels == c), n, replace=False) for c, n in zip(classes, sizes, strict=True)]
    return np.sort(np.concatenate(drawn))


def _finite(name: str, values: ArrayLike, dtype: DTypeLike = np.float64) -> NDArray[np.floating]:
    array = np.asarray(values, dtype=dtype)
    if array.size == 0:
        raise ValueError(f"{name} is empty (shape {array.shape})")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def _integers(name: str, values: ArrayLike, below: int | None = None) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be one-dimensional and not empty, got shape {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must hold whole numbers, got type {array.dtype}, first value {array[0]}")
    bad = array[(array < 0) | (array >= below)] if below is not None else array[array < 0]
    if bad.size:
        limit = "at least 0" if below is None else f"in 0 .. {below - 1}"
        raise ValueError(f"{name} must be {limit}, got {bad[0]}")
    return array.astype(np.int64)


def _integer(name: str, value: Any, low: int, high: float = math.inf) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
    return int(value)


def _share(share: float) -> float:
    if not 0 <= share <= 1:  # also refuses NaN
        raise ValueError(f"share must be in [0, 1], got {share}")
    return float(share)
