"""Dual weights in networks of today: the plan, what is trained, and that every setting acts."""

import dataclasses

import numpy as np
import pytest
import torch

from weightspace import experiments
from weightspace.campaigns.configuration import identity_fields, with_changes
from weightspace.dual.optimizers import DualOptimizer
from weightspace.experiments.dual_weights import today_settings as today
from weightspace.experiments.dual_weights.compute import today_runs

PLAN = list(experiments.planned(today.NAME, "quick").values())
COMMON = {
    "train_size": 48,
    "held_out": 16,
    "test_size": 16,
    "epochs": 2,
    "batch_size": 24,
    "label_noise": 0.5,
    "lr": 0.1,
    "weights": "dual",
    "weight_decay": 0.5,
    "dropout": 0.5,
    "seed": 1,
}
OTHERS = {
    "resnet18": {"augmentation": "noise50", "shape": {"width": 16}},
    "vision_transformer": {"augmentation": "noise50", "shape": {"patch": 8, "width": 9, "blocks": 1, "heads": 3}},
    "minilm_l6": {"augmentation": "sr_0.5", "length": 8, "encoder": {"hidden_size": 8, "num_attention_heads": 2}},
}
SMALLER_ENCODER = {"num_hidden_layers": 1, "intermediate_size": 32}


def baseline(network):
    return next(c for c in PLAN if c.network == network and c.method == "baseline")


def test_every_method_has_the_same_budget_in_every_cell():
    plan = list(experiments.planned(today.NAME, "laptop").values())
    cells = {}
    for c in plan:
        cell = cells.setdefault((c.network, c.optimizer, c.train_size, c.label_noise, c.seed), {})
        cell.setdefault(c.method, []).append(c.strength)
    assert len(cells) == 5 * len(today.CELLS["laptop"]) and len(plan) == len(cells) * 6 * today.STRENGTHS
    assert {len(set(own)) for cell in cells.values() for own in cell.values()} == {today.STRENGTHS}
    assert {frozenset(cell) for cell in cells.values()} == {
        frozenset({"baseline", "weight_decay", "dropout", "augmentation", "dual", "dual_stabilized"})
    }


@pytest.mark.parametrize("network", OTHERS)
def test_every_setting_acts_or_is_refused(network):
    start = baseline(network)
    before = today_runs.train_and_measure(start, "cpu")["value"].tolist()
    changes = COMMON | OTHERS[network] | {"optimizer": "adam" if start.optimizer == "sgd" else "sgd"}
    if network == "minilm_l6":
        changes["encoder"] = changes["encoder"] | SMALLER_ENCODER
    fields = {field.name for field in dataclasses.fields(start)} - set(identity_fields(type(start)))
    for name in fields - {"dataset", "network"}:
        value = changes[name]
        assert today_runs.train_and_measure(with_changes(start, {name: value}), "cpu")["value"].tolist() != before, name
    for name in ("dataset", "network"):
        with pytest.raises(ValueError, match=name):
            with_changes(start, {name: "nothing"})


@pytest.mark.parametrize("network", OTHERS)
def test_a_dual_network_starts_as_the_plain_one_and_is_trained_by_its_optimizer(network):
    start = baseline(network)
    of = today_runs.task(start)
    plain, dual = (
        today_runs.trainer(with_changes(start, {"weights": weights}), of, "cpu")
        for weights in ("plain", "dual_stabilized")
    )
    x = of.sets["test"][0]
    np.testing.assert_allclose(dual.logits(x), plain.logits(x), atol=1e-5)
    assert isinstance(dual.optimizer, DualOptimizer) and dual.optimizer.decoupled == (start.optimizer == "adamw")
    before = [layer.m.detach().clone() for layer in dual.optimizer.layers]
    dual.train_epoch(of.seen(1), of.sets["train"][1], 1)
    moved = [not torch.equal(layer.m, m) for layer, m in zip(dual.optimizer.layers, before, strict=True)]
    assert np.mean(moved) > 0.9 and np.abs(dual.logits(x) - plain.logits(x)).max() > 0


def test_held_out_samples_are_as_wrong_as_those_trained_on_and_tests_are_right():
    start = with_changes(baseline("resnet18"), {"label_noise": 0.0})
    clean, noisy = (today_runs.task(with_changes(start, {"label_noise": noise})) for noise in (0.0, 0.5))
    both = np.concatenate([noisy.sets[name][1] != clean.sets[name][1] for name in ("train", "validation")])
    assert both.mean() == 0.5 and both[: start.train_size].any() and both[start.train_size :].any()
    assert (noisy.sets["test"][1] == clean.sets["test"][1]).all()


def test_a_network_that_diverges_is_a_guess(monkeypatch):
    start = with_changes(baseline("resnet18"), {"lr": 1e20})
    found = today_runs.train_and_measure(start, "cpu")
    assert np.isfinite(found["value"]).all()
    test = found[(found["inputs"] == "test") & (found["metric"] == "loss")]["value"].iloc[0]
    assert test == pytest.approx(np.log(10))
