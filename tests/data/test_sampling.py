"""Scaling, draws, noise and imbalance against independent calculations."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from weightspace.data import sampling

quick = settings(max_examples=50, deadline=None)
seeds = st.integers(0, 2**32 - 1)
shares = st.floats(0, 1)
label_lists = st.lists(st.integers(0, 4), min_size=1, max_size=60)


def rng(seed=0):
    return np.random.default_rng(seed)


# --- standardize


def test_standardize_by_hand():
    # Column 0: mean 2, deviations -1 0 1, s = sqrt(2 / 2) = 1. Column 1: mean 20, s = 10.
    z = sampling.standardize([[1, 10], [2, 20], [3, 30]])
    np.testing.assert_array_equal(z, [[-1, -1], [0, 0], [1, 1]])
    np.testing.assert_allclose(sampling.standardize([1.0, 3.0], ddof=0), [-1, 1])
    np.testing.assert_allclose(sampling.standardize([1.0, 3.0]), [-(2**-0.5), 2**-0.5])


@quick
@given(arrays(np.float64, (7, 3), elements=st.integers(-1000, 1000)), st.integers(0, 2))
def test_standardize_mean_spread_and_invariance(x, ddof):
    x[0] = x.max(axis=0) + 1  # no constant column
    before = x.copy()
    z = sampling.standardize(x, ddof)
    np.testing.assert_allclose(z.sum(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose((z**2).sum(axis=0), len(x) - ddof)
    np.testing.assert_allclose(sampling.standardize(3 * x - 5, ddof), z, atol=1e-9)
    np.testing.assert_array_equal(x, before)


def test_standardize_names_constant_columns():
    x = np.array([[0.1, 1, 5], [0.1, 2, 5], [0.1, 3, 5]])
    assert x[:, 0].std(ddof=1) > 0  # why comparing the deviation with 0 would not do
    with pytest.raises(ValueError, match=r"constant columns: \[0, 2\]"):
        sampling.standardize(x)


# --- the paper's draw


def legacy_randint(seed, high, size):
    """The same stream from Python's own Mersenne Twister: its 2002 seeding, masks and rejections."""
    state = [seed]
    for i in range(1, 624):
        state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + i) % 2**32)
    twister = random.Random()
    twister.setstate((3, (*state, 624), None))
    mask = 2 ** (high - 1).bit_length() - 1
    drawn = []
    while len(drawn) < size:
        value = twister.getrandbits(32) & mask
        if value < high:
            drawn.append(value)
    return drawn


def test_paper_indices_golden():
    assert sampling.paper_training_indices(100, 5).tolist() == [99, 78, 61, 16, 73]
    assert sampling.paper_training_indices(20433, 5).tolist() == [2915, 18638, 3046, 5520, 1032]
    assert sampling.paper_training_indices(4898, 3).tolist() == [2915, 2254, 4079]


@pytest.mark.parametrize(("seed", "n_rows", "size"), [(5, 20433, 1000), (5, 55000, 500), (5, 10000, 100), (0, 2, 64)])
def test_paper_indices_from_an_independent_generator(seed, n_rows, size):
    assert sampling.paper_training_indices(n_rows, size, seed).tolist() == legacy_randint(seed, n_rows, size)


def test_paper_indices_leave_the_global_generator_alone():
    np.random.seed(1)
    expected = np.random.random()
    np.random.seed(1)
    sampling.paper_training_indices(50, 10)
    assert np.random.random() == expected


@quick
@given(st.integers(1, 50), st.data())
def test_left_out_is_the_complement(n_rows, data):
    indices = data.draw(st.lists(st.integers(0, n_rows - 1), min_size=1))
    assert sampling.left_out(n_rows, indices).tolist() == sorted(set(range(n_rows)) - set(indices))


# --- noise on inputs and labels


def test_noise_has_the_stated_mean_spread_and_shape():
    x = np.full((200, 500), 7.0)
    noise = sampling.add_input_noise(x, 0.3, rng()) - x
    # 1e5 values: standard errors 0.3 / sqrt(1e5) = 0.00095 and about 0.3 / sqrt(2e5) = 0.00067.
    assert abs(noise.mean()) < 5 * 0.00095
    assert abs(noise.std() - 0.3) < 5 * 0.00067
    assert abs((np.abs(noise) < 0.3).mean() - 0.6827) < 5 * 0.0015
    assert (x == 7).all()


@quick
@given(arrays(np.float64, (4, 3), elements=st.floats(-2, 2)), seeds, st.floats(0, 1))
def test_noise_clips_only_at_the_end(x, seed, std):
    free = sampling.add_input_noise(x, std, rng(seed))
    clipped = sampling.add_input_noise(x, std, rng(seed), clip=(0, 1))
    np.testing.assert_array_equal(clipped, np.minimum(np.maximum(free, 0), 1))


def test_noise_without_spread_and_types():
    x = np.array([1, 2], np.float32)
    same = sampling.add_input_noise(x, 0, rng())
    assert same.dtype == np.float32 and same.tolist() == [1, 2] and same is not x
    assert sampling.add_input_noise([1, 2], 1, rng()).dtype == np.float64


@quick
@given(label_lists, shares, seeds)
def test_flips_exactly_the_share(labels, share, seed):
    y = np.array(labels)
    flipped = sampling.flip_labels(y, share, 5, rng(seed))
    assert (flipped != y).sum() == round(share * len(y))
    assert flipped.min() >= 0 and flipped.max() < 5
    assert y.tolist() == labels


def test_flips_are_uniform_over_the_other_classes():
    y = np.full(30000, 2)
    counts = np.bincount(sampling.flip_labels(y, 1.0, 4, rng()), minlength=4)
    assert counts[2] == 0
    # 10,000 expected of each other class, standard deviation sqrt(30000 * 1/3 * 2/3) = 82.
    assert np.abs(counts[[0, 1, 3]] - 10000).max() < 5 * 82


# --- subsets


def test_long_tail_profile_by_hand():
    y = np.repeat(np.arange(5), 1000)
    kept = sampling.long_tailed_indices(y, 100, rng())
    # 1000 * 100^(-k/4): 1000, 316.2, 100, 31.6, 10
    assert np.bincount(y[kept]).tolist() == [1000, 316, 100, 32, 10]
    assert (np.diff(kept) > 0).all()
    few = sampling.long_tailed_indices(y, 1e6, rng(), n_max=40)
    assert np.bincount(y[few]).tolist() == [40, 1, 1, 1, 1]


@quick
@given(st.lists(st.integers(1, 30), min_size=2, max_size=5), st.floats(1, 200), seeds)
def test_long_tail_falls_and_keeps_its_labels(counts, ratio, seed):
    y = rng(seed).permutation(np.repeat(np.arange(len(counts)) * 3, counts))
    kept = sampling.long_tailed_indices(y, ratio, rng(seed))
    sizes = np.bincount(y[kept])[::3]
    assert sizes[0] == min(counts) and sizes[-1] == max(1, round(min(counts) / ratio))
    assert (np.diff(sizes) <= 0).all() and len(set(kept.tolist())) == kept.size


@quick
@given(st.lists(st.integers(0, 20), min_size=1, max_size=60), shares, seeds)
def test_validation_never_shares_a_row_with_training(indices, share, seed):
    train, validation = sampling.split_validation(indices, share, rng(seed))
    assert not set(train.tolist()) & set(validation.tolist())
    assert sorted([*train.tolist(), *validation.tolist()]) == sorted(indices)
    assert len(set(validation.tolist())) == round(share * len(set(indices)))
    assert train.tolist() == [i for i in indices if i in set(train.tolist())]


def test_same_generator_state_gives_the_same_result_and_another_one_does_not():
    y = np.repeat([0, 1], 500)
    for draw in (
        lambda g: sampling.flip_labels(y, 0.5, 2, g),
        lambda g: sampling.long_tailed_indices(y, 10, g),
        lambda g: sampling.split_validation(np.arange(1000), 0.5, g)[0],
    ):
        np.testing.assert_array_equal(draw(rng(3)), draw(rng(3)))
        assert not np.array_equal(draw(rng(3)), draw(rng(4)))


REFUSED = {
    sampling.standardize: [
        (([],), "x is empty"),
        (([[1.0, np.nan], [2, 3]],), "x must be finite, got nan"),
        (([1.0, np.inf],), "x must be finite, got inf"),
        (([[1.0, 2.0]],), r"N > ddof = 1, got shape \(1, 2\)"),
        ((np.zeros((2, 2, 2)),), r"got shape \(2, 2, 2\)"),
    ],
    sampling.paper_training_indices: [
        ((0, 5), "n_rows must be .* got 0"),
        ((10, 0), "train_size must be .* got 0"),
        ((10, 2.0), "train_size must be .* got 2.0"),
        ((10, 5, -1), "seed must be .* got -1"),
    ],
    sampling.left_out: [
        ((5, [5]), r"indices must be in 0 .. 4, got 5"),
        ((5, [-1]), "got -1"),
        ((5, []), "not empty"),
        ((5, [0.5]), "whole numbers"),
        ((5, [[1]]), r"got shape \(1, 1\)"),
    ],
    sampling.add_input_noise: [
        (([1.0], -0.1, rng()), "std .* got -0.1"),
        (([1.0], np.nan, rng()), "std .* got nan"),
        (([1.0], 1, rng(), (1, 0)), r"clip .* got \(1, 0\)"),
        (([1.0], 1, rng(), (1,)), "clip"),
        (([np.nan], 1, rng()), "x must be finite"),
        (([], 1, rng()), "x is empty"),
    ],
    sampling.flip_labels: [
        (([0, 1], 1.5, 2, rng()), "share .* got 1.5"),
        (([0, 1], np.nan, 2, rng()), "share .* got nan"),
        (([0, 2], 0.5, 2, rng()), "y must be in 0 .. 1, got 2"),
        (([0], 0.5, 1, rng()), "n_classes .* got 1"),
        (([], 0.5, 2, rng()), "y must be"),
    ],
    sampling.long_tailed_indices: [
        (([0, 1], 0.5, rng()), "imbalance_ratio .* got 0.5"),
        (([0, 1], np.inf, rng()), "imbalance_ratio"),
        (([0, 0], 2, rng()), r"two classes, got \[0\]"),
        (([0, 1], 2, rng(), 0), "n_max .* got 0"),
        (([0, 0, 1], 1, rng(), 2), "1 samples of class 1, 2 are needed"),
        (([], 2, rng()), "y must be"),
    ],
    sampling.split_validation: [
        (([1], -0.1, rng()), "share .* got -0.1"),
        (([], 0.5, rng()), "indices must be"),
        (([-3], 0.5, rng()), "indices .* got -3"),
    ],
}
"""Function -> arguments, and what is said of them."""


@pytest.mark.parametrize(
    ("function", "arguments", "message"), [(function, *case) for function, cases in REFUSED.items() for case in cases]
)
def test_bad_input_is_named(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)
