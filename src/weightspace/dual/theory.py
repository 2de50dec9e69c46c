"""Dual weights as a weight decay: what the update does on average, in closed form.

One neuron, z = W.x + b with W = w1 - w2, g = dL/dz, lr the learning rate, and c = (w1 + w2) / 2 the middle of its two
weight vectors. The update of ``OnlineNetworks`` is, exactly,

    W <- W - lr [g (x - c) + |g| / 2 W],        c <- c + lr / 2 [|g| (x - c) + g / 2 W].

So it is gradient descent on inputs from which c is taken, with a weight decay of lr |g| / 2, and c follows the mean
input, weighted by |g|. A squared L2 penalty of strength s decays by 2 lr s: hence s = E|g| / 4. The derivations are
ours; the update is that of paper B (arXiv 2503.11965).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weightspace.dual.methods import STABILIZER_GAIN

Floats = NDArray[np.float64]

LARGEST_NORM = float(np.sqrt(2 * np.pi))
"""No neuron without noise in its targets grows beyond this norm where inputs are N(0, 1), see ``resting_norm``."""


def step(w: Floats, c: Floats, g: float, x: Floats, lr: float) -> tuple[Floats, Floats]:
    """W and c after one update on input x, by the equations above. w, c, x: [inputs]."""
    return w - lr * (g * (x - c) + abs(g) / 2 * w), c + lr / 2 * (abs(g) * (x - c) + g / 2 * w)


def matched_l2(g: ArrayLike) -> Floats:
    """Strength of the squared L2 penalty with the same decay, E|g| / 4 of every unit: [samples, units] -> [units].

    With this strength gradient descent has the same mean update of W if E[g] = 0, as it is when the bias rests;
    otherwise the mean input of the neuron counts as well, by the term E[g] c.
    """
    sizes: Floats = np.abs(np.asarray(g, np.float64)).mean(axis=0)
    return sizes / 4


def output_strength(frequency: ArrayLike, mean_right: ArrayLike) -> Floats:
    """``matched_l2`` of the outputs of a classifier whose biases rest, from the classes alone.

    frequency: fraction of training labels in each class; mean_right: mean probability that the network gives to the
    label, over the samples of that class. frequency (1 - mean_right) / 2: E[g] = 0 makes the pushes down, from the
    samples of other classes, as large as the pushes up.
    """
    return np.asarray(frequency, np.float64) * (1 - np.asarray(mean_right, np.float64)) / 2


def stabilized_strength(driven: ArrayLike) -> Floats:
    """The same for dual weights with stabilizer: 0.1 P(g != 0) / 4, whatever the size of the errors.

    The stabilizer divides |g| by its running mean, which makes the mean rate of a unit constant. The gradient is
    divided by the same number, so that the weights at rest do not change. Left out here: the cap of the rate at lr,
    and that the running mean lags behind by 1 / lr updates, which lowers the rate while errors fall.
    """
    return STABILIZER_GAIN * np.asarray(driven, np.float64) / 4


def remaining_start(g: ArrayLike, lr: float) -> Floats:
    """What is left of the initial w1 after the updates: the product of 1 - lr max(0, -g), [updates, units] -> [units].

    It is all that W has on inputs that are always 0, where gradient descent keeps its start and squared L2 keeps
    (1 - 2 lr strength)^updates of it.
    """
    left: Floats = np.prod(1 - lr * np.maximum(0, -np.asarray(g, np.float64)), axis=0)
    return left


def resting_weights(x: Floats, y: Floats) -> tuple[Floats, float]:
    """(W, strength) at which one linear neuron with the loss (z - y)^2 rests on the rows x [samples, inputs].

    Ridge regression on centred data whose strength is half of its own mean absolute error. The flow to it goes down
    sqrt(mean squared error) + k / 4 |W|^2 as long as
    k = E|e| / sqrt(E e^2) stays the same, as sqrt(2 / pi) for normal errors.
    """
    centred, target = x - x.mean(axis=0), y - y.mean()
    covariance, slope = centred.T @ centred / len(x), centred.T @ target / len(x)
    w, strength = np.zeros(x.shape[1]), float(np.abs(target).mean() / 2)
    for _ in range(1_000):
        w = np.linalg.solve(covariance + strength * np.eye(len(w)), slope)
        new = float(np.abs(target - centred @ w).mean() / 2)
        if abs(new - strength) <= 1e-12 * (1 + strength):
            break
        strength = new
    return w, strength


def resting_norm(norm: float) -> float:
    """|W| that a neuron learns from targets W'.x without noise, |W'| = norm, inputs N(0, 1): min(norm, sqrt(2 pi)).

    sqrt(mean squared error) has a kink at 0. Up to this norm the penalty does not move W away from a perfect fit;
    beyond, w1 and w2 are means of inputs, and two half-spaces of a normal distribution are no farther apart.
    """
    return min(norm, LARGEST_NORM)
