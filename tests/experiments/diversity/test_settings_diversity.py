"""Every setting of paper A's experiments decides something, is refused by name, or is declared to decide nothing."""

import dataclasses
from functools import cache

import numpy as np
import pytest
from plans import one

from weightspace import data, experiments
from weightspace.campaigns.configuration import identity_fields, with_changes
from weightspace.campaigns.records import RecordError
from weightspace.data.corruptions import CORRUPTIONS
from weightspace.experiments.diversity import batch_norm, spectra
from weightspace.experiments.diversity.compute import image_runs
from weightspace.experiments.diversity.protocol import image_counts, load_images
from weightspace.experiments.diversity.synthetic_settings import generator_settings
from weightspace.experiments.diversity.text_sets import TRAINING_TEXTS, training_set

SMALL = {
    "train_size": 48,
    "batch_size": 16,
    "epochs": 1,
    "test_size": 8,
    "corruption_size": 2,
    "severities": (5,),
    "spectra_epochs": (1,),
    "set_size": 16,
    "reference_size": 16,
    "judge_size": 32,
    "grid": 2,
    "generator_batch_size": 16,
}
"""Sizes for all of them, where they have such a setting."""

BASELINE = {"setting": "baseline"}
STARTS = {
    "diversity_tuning": {"optimizer": "adam", "lr": 1e-3},
    "diversity_sets": {"augmentation": "noise50", "arm": "single"},
    "diversity_scratch_sets": {"augmentation": "noise50"},
    "diversity_imagenet_sets": {"augmentation": "noise50"},
    "diversity_transfer_tuning": {"lr": 1e-3},
    "diversity_text_tuning": {"lr": 3e-4},
    "diversity_text_sets": {"augmentation": "sr_0.5"},
    "diversity_synthetic_generator": {},
    **dict.fromkeys(["diversity_hessian", "diversity_amount_sets", "diversity_batch_norm"], BASELINE),
    **dict.fromkeys(["diversity_synthetic_sets", *spectra.PARENTS, *spectra.PARENTS.values()], BASELINE),
}
"""Experiment -> the run of the quick scale that is changed."""

NOISE = {"augmentation": "noise50", "setting": "noise50", "category": "augmentation"}
GENERATOR = generator_settings("quick", 0) | {"train_size": SMALL["train_size"]}
CHANGES = {
    "dataset": {"dataset": "nothing"},
    "model": {"model": "nothing"},
    "precision": {"precision": "bfloat16 autocast"},
    "optimizer": {"optimizer": "sgd"},
    "dropout": {"dropout": 0.5, "setting": "dropout_0.5", "category": "dropout"},
    "weight_decay": {"weight_decay": 0.1, "setting": "weight_decay_0.1", "category": "weight_decay"},
    "augmentation": NOISE,
    "setting": {"setting": "else"},
    "category": {"category": "else"},
    "arm": {"arm": "independent"},
    "seed": {"seed": 1},
    "resolution": {"resolution": 40},
    "spectra_epochs": {"spectra_epochs": [2]},
    "severities": {"severities": [1]},
    "validation_share": {"validation_share": 0.3},
    "reference_size": {"reference_size": 1_000},
    "neighbours": {"neighbours": 1},
    "every": {"every": 3},
    "length": {"length": 6},
    "encoder": {"encoder": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4}},
    "channels": {"channels": [16, 16]},
    "colours": {"colours": 3},
    "border": {"border": 2},
    "ema_decay": {"ema_decay": 0.5},
    "warm_up": {"warm_up": 0.5},
    "generator_dropout": {"generator_dropout": 0.5},
    "synthetic_share": {
        "synthetic_share": 1.0,
        "setting": "synthetic_1",
        "category": "synthetic",
        "generator": GENERATOR,
    },
    "synthetic_fraction": {"synthetic_fraction": 0.5, "generator": GENERATOR},
    "added": {"added": 1, "generator": GENERATOR},
    "generator": {"generator": GENERATOR},
    "copy_ratio": {"copy_ratio": 0.0},
    "run": {"run": "0" * 16},
    "scale": {"scale": "laptop"},
}
"""Field -> other values, of the field and of what has to go with it; other numbers become larger."""

SPECIAL = {
    ("diversity_cifar10", "arm"): NOISE | {"arm": "cumulative"},
    ("diversity_sets", "arm"): {"arm": "cumulative"},
    ("diversity_sets", "augmentation"): {"augmentation": "noise30"},
    ("diversity_scratch_sets", "augmentation"): {"augmentation": "noise30"},
    ("diversity_imagenet_sets", "augmentation"): {"augmentation": "noise30"},
    ("diversity_transfer", "arm"): {"arm": "paper_rate"},
    ("diversity_text", "augmentation"): {"augmentation": "sr_0.5", "setting": "sr_0.5", "category": "augmentation"},
    ("diversity_text_sets", "augmentation"): {"augmentation": "gen"},
}
"""Where the values of ``CHANGES`` are none of the experiment's."""

KINDS = {name: type(one(name)) for name in STARTS}
PARAMETERS = [
    (name, field.name)
    for name, kind in KINDS.items()
    for field in dataclasses.fields(kind)
    if field.name not in identity_fields(kind)
]


@pytest.fixture(scope="module", autouse=True)
def no_records(generator_cache):
    """Neither the records nor the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_runs, "CORRUPTIONS", {"brightness": CORRUPTIONS["brightness"]})
        patch.setenv("WEIGHTSPACE_RESULTS", str(generator_cache))
        yield


@cache
def start(name):
    """The configuration that is changed, of small sizes."""
    c = one(name, **STARTS[name])
    return c if hasattr(c, "run") else small(c, {})


def computed(configuration):
    """All numbers on record of a run, but for the seconds it took."""
    frame = experiments.get(configuration.experiment).compute([configuration], "cpu")
    return frame[~frame["metric"].str.endswith("_seconds")]["value"].to_numpy()


@cache
def computed_start(name):
    return computed(start(name))


def change_of(name, field):
    """Other values for a field, and for what goes with it."""
    c = start(name)
    names = {item.name for item in dataclasses.fields(c)}
    value = getattr(c, field)
    larger = (
        {field: value + 1} if isinstance(value, int) else {field: 2 * value or 1.0} if isinstance(value, float) else {}
    )
    change = SPECIAL.get((name, field)) or CHANGES.get(field) or larger
    return {key: item for key, item in change.items() if key in names}


@pytest.mark.parametrize(("name", "field"), PARAMETERS)
def test_every_setting_decides_or_is_refused_by_name(name, field):
    change = change_of(name, field)
    assert change[field] != getattr(start(name), field)
    try:
        found = computed(with_changes(start(name), change))
    except (ValueError, RecordError) as error:
        assert field in str(error) and "\n" not in str(error)
        return
    before = computed_start(name)
    assert not np.array_equal(found, before, equal_nan=True)


def test_settings_of_the_generator_are_those_of_its_runs():
    """They are found by their own names, and what both have stays the same in both."""
    plan = experiments.planned("diversity_synthetic", "quick", 1).values()
    plan = [with_changes(c, {"train_size": 48, "steps": 3}) for c in plan]
    made, real = ([c for c in plan if bool(c.generator) == used] for used in (True, False))
    assert {(c.made_by.train_size, c.made_by.steps, c.train_size) for c in made} == {(48, 3, 48)}
    assert {c.train_size for c in real} == {48} and len(made) == 4
    assert not np.array_equal(computed(small(made[1], {"steps": 1})), computed(small(made[1], {})))


def small(configuration, changes):
    sizes = {key: value for key, value in SMALL.items() if hasattr(configuration, key)}
    return with_changes(configuration, sizes | changes)


def test_equal_generators_have_one_key():
    c = one("diversity_synthetic", uses_synthetic=True)
    assert with_changes(c, {"warm_up": 0.1, "generator_dropout": 0}).run_key == c.run_key
    assert with_changes(c, {"warm_up": 0.2}).run_key != c.run_key


def test_a_generator_is_checked_as_a_whole():
    c = one("diversity_synthetic", uses_synthetic=True)
    with pytest.raises(ValueError, match="generator: steps: input should be greater than or equal to 1, got 0"):
        with_changes(c, {"generator": {**c.generator, "steps": 0}})
    with pytest.raises(ValueError, match="generator must have the run's own seed"):
        with_changes(c, {"generator": {**c.generator, "seed": 5}})


@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_the_sizes_of_data_sets_are_those_of_their_files(dataset):
    try:
        images = load_images(dataset)
    except data.DataError as error:
        pytest.skip(str(error))
    assert image_counts(dataset) == (len(images.x), len(images.test_x))


@pytest.mark.parametrize("dataset", TRAINING_TEXTS)
def test_the_sizes_of_tasks_are_those_of_their_files(dataset):
    try:
        texts = training_set(dataset).texts
    except data.DataError as error:
        pytest.skip(str(error))
    assert TRAINING_TEXTS[dataset] == len(texts)


@pytest.mark.parametrize("name", spectra.PARENTS)
def test_derived_experiments_follow_a_change_of_their_parent(name):
    parent = spectra.PARENTS[name]
    changed = experiments.planned(parent, "quick", 1, {"epochs": 2})
    found = spectra.derived(name, list(changed.values()), "quick")
    assert [c.run for c in found] == list(changed)
    assert not {c.run_key for c in found} & experiments.planned(name, "quick", 1).keys()


def test_the_batch_norm_of_changed_runs():
    changed = experiments.planned("diversity_transfer", "quick", 1, {"epochs": 2})
    found = batch_norm.derived(list(changed.values()), "quick")
    assert len(found) == 4 and {c.epochs for c in found} == {2}
