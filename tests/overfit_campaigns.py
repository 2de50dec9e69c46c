"""Made-up campaigns of networks that overfit, with effects that are known, for the tests of their rules and figures."""

from functools import lru_cache

import numpy as np
import pandas as pd

from weightspace.analysis.regularizer_effects import MATRIX, Measure
from weightspace.experiments.diversity import scratch_settings

MEASURE = Measure("log_norm", "folded", MATRIX)
MEASURES = {"folded": (MEASURE,)}
LAYERS = 20
RUNS = [(c.setting, c.category, c.replicate) for c in scratch_settings.configurations("laptop", 1)]
GAINS = {"baseline": 0.0, "augmentation": 6.0, "dropout": 7.0, "weight_decay": 2.0, "combined": 7.0}
BROKEN = ("dropout_0.5", "dropout_0.7")


def by_category(setting, category):
    return GAINS[category]


@lru_cache(maxsize=4)
def layout(seeds):
    """The records of a campaign without values: for every run the layers, the last one the classifier, and scores."""
    run = pd.DataFrame({"layer": range(1, LAYERS + 2), "inputs": ""}).assign(**vars(MEASURE))
    scores = [("test", "accuracy_percent"), ("train_clean", "accuracy_percent"), ("train_clean", "loss")]
    scores = pd.DataFrame(scores, columns=["inputs", "metric"]).assign(layer=0, batch_norm="", unfolding="")
    run = pd.concat([run, scores]).assign(epoch=40)
    runs = [(seed, *names) for seed in range(seeds) for names in RUNS]
    runs = pd.DataFrame(runs, columns=["seed", "setting", "category", "replicate"])
    return runs.merge(run, how="cross").assign(dataset="cifar10")


def campaign(effect, gain=by_category, seeds=10, random_seed=0, spread=0.7, broken=BROKEN):
    """Records like those of the derived spectra; effect(setting, category): [layers] in units of a run's noise."""
    rng = np.random.default_rng(random_seed)
    shape = (seeds, len(RUNS))
    effects = np.array([effect(setting, category) for setting, category, _ in RUNS])
    gains = np.array([gain(setting, category) for setting, category, _ in RUNS])
    start = rng.standard_normal((seeds, 1, LAYERS))
    values = start + rng.standard_normal((*shape, LAYERS)) + effects
    accuracy = 44 + gains + spread * rng.standard_normal(shape)
    stuck = np.array([setting in broken for setting, _, _ in RUNS])
    accuracy = np.where(stuck, 12 + rng.standard_normal(shape), accuracy)
    loss = 10 ** (-3 + gains / 7 + 0.1 * rng.standard_normal(shape))
    # The last layer is the classifier, which the rules leave out.
    scores = np.stack([np.zeros(shape), accuracy, np.full(shape, 100.0), loss], axis=2)
    return layout(seeds).assign(value=np.concatenate([values, scores], axis=2).ravel())


def unit_shapes(cosine, random_seed=1):
    """Two directions over layers of root mean square 1 with the given cosine between them."""
    a, b = np.linalg.qr(np.random.default_rng(random_seed).standard_normal((LAYERS, 2)))[0].T * np.sqrt(LAYERS)
    return a, cosine * a + np.sqrt(1 - cosine**2) * b


def nothing(setting, category):
    return np.zeros(LAYERS)


def planted(cosine, size=1.0, decay=None):
    """Dropout in one direction, augmentation at the cosine to it, weight decay in a third one."""
    dropout, augmentation = unit_shapes(cosine)
    shapes = {"dropout": dropout, "augmentation": augmentation, "weight_decay": unit_shapes(0, 5)[1]}
    if decay is not None:
        shapes["weight_decay"] = decay
    return lambda setting, category: size * shapes.get(category, np.zeros(LAYERS))
