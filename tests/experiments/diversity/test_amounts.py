"""How much synthetic data: the plan, what the training sets hold, and a run from end to end."""

from collections import Counter

import numpy as np
import pytest

from weightspace import experiments
from weightspace.campaigns.configuration import with_changes
from weightspace.experiments.diversity import amount_settings, amounts
from weightspace.experiments.diversity.compute import image_generator
from weightspace.experiments.diversity.compute.amount_runs import training_set
from weightspace.experiments.diversity.compute.image_generator import synthetic
from weightspace.experiments.diversity.protocol import load_images


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("amounts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_generator, "cache_folder", lambda: folder)
        yield


def planned(setting, **changes):
    plan = experiments.planned(amount_settings.EXPERIMENT, "quick", 1).values()
    return with_changes(next(c for c in plan if c.setting == setting), changes)


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


@pytest.mark.parametrize(
    ("setting", "changes", "message"),
    [
        ("added_1", {"synthetic_fraction": 0.5}, "added: 0 where images are replaced, synthetic_fraction > 0, got 1"),
        ("added_1", {"added": 2}, "added: at most the 1 copies of the generator, got 2"),
        ("added_1", {"augmentation": "noise50"}, "augmentation, label_noise: none where images are synthetic"),
        ("synthetic_1", {"label_noise": 0.1}, "augmentation, label_noise: none where images are synthetic"),
        ("baseline", {"synthetic_fraction": 0.5}, "generator must be given where images are synthetic, and only there"),
        ("synthetic_1", {"synthetic_fraction": 0.0}, "generator must be given where images are synthetic"),
        ("synthetic_1", {"synthetic_fraction": 1.5}, "synthetic_fraction: input should be less than or equal to 1"),
    ],
)
def test_what_cannot_be_run_is_refused(setting, changes, message):
    with pytest.raises(ValueError, match=message):
        planned(setting, **changes)
