"""How much synthetic data: the plan, what the training sets hold, and a run from end to end."""

from collections import Counter

import numpy as np
import pytest
from plans import one

from weightspace import experiments
from weightspace.campaigns.configuration import with_changes
from weightspace.experiments.diversity import amount_settings, amounts
from weightspace.experiments.diversity.compute.amount_runs import training_set
from weightspace.experiments.diversity.compute.image_generator import synthetic
from weightspace.experiments.diversity.protocol import load_images

pytestmark = pytest.mark.usefixtures("generator_cache")


def planned(setting, **changes):
    return with_changes(one(amount_settings.EXPERIMENT, setting=setting), changes)


def test_all_runs_make_equally_many_updates_and_share_a_generator_per_seed():
    plan = list(experiments.planned(amount_settings.EXPERIMENT, "laptop").values())
    updates = {c.epochs * (c.train_size * (1 + c.added) // c.batch_size) for c in plan}
    assert max(updates) - min(updates) < 0.02 * min(updates)
    names = Counter(c.setting for c in plan)
    assert names.pop("baseline") == 15 and set(names.values()) == {5} and len(names) == 9
    assert len({c.made_by.run_key for c in plan if c.generator}) == 5
    assert {c.category for c in plan} == {"baseline", "synthetic", "added", "augmentation"}


def test_training_sets():
    real = load_images("digits")
    x, y = real.x[:128], real.y[:128]
    whole = planned("synthetic_1")
    made = synthetic(whole.made_by, "cpu").images
    sets = {fraction: training_set(planned(f"synthetic_{fraction:g}"), "cpu") for fraction in amount_settings.FRACTIONS}
    replaced = {f: (found != x).any(axis=(1, 2, 3)) for f, (found, _) in sets.items()}
    for fraction, (found, labels) in sets.items():
        assert np.array_equal(labels, y) and replaced[fraction].sum() == 128 * fraction
        assert np.array_equal(found[replaced[fraction]], made[0, replaced[fraction]])
    assert (replaced[0.25] <= replaced[0.5]).all()
    found, labels = training_set(planned("added_1"), "cpu")
    assert np.array_equal(found, np.concatenate([x, made[0]])) and np.array_equal(labels, np.tile(y, 2))
    found, labels = training_set(planned("baseline"), "cpu")
    assert np.array_equal(found, x) and np.array_equal(labels, y)


def test_what_is_synthetic_decides_and_the_record_has_the_real_images():
    values = {}
    for setting in ("baseline", "synthetic_0.25", "synthetic_1", "added_1"):
        frame = amounts.compute([planned(setting)], "cpu")
        last = frame[frame["epoch"] == frame["epoch"].max()].set_index(["inputs", "metric"])["value"]
        values[setting] = last["test", "loss"]
        assert np.isfinite(last["train_clean", "loss"]) and set(frame["setting"]) == {setting}
    assert len(set(values.values())) == 4
    assert amounts.compute([planned("added_1", steps=1)], "cpu")["value"].sum() != frame["value"].sum()
