"""The claims on networks of today, on made-up runs whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from weightspace.claims import dual_weights

STRENGTHS = ("1", "2", "3")
METHODS = ("baseline", "weight_decay", "dropout", "augmentation", "dual", "dual_stabilized")


def runs(errors, seeds=5):
    """Errors around ``errors[method]`` at strength 2 and twice as large elsewhere, in two cells with shared noise."""
    rng = np.random.default_rng(0)
    rows = []
    for optimizer in ("sgd", "adam"):
        for seed in range(seeds):
            shared = rng.lognormal(0, 0.1)
            for method in METHODS:
                for strength in STRENGTHS:
                    error = errors.get(method, 20.0) * shared * rng.lognormal(0, 0.01) * (1 if strength == "2" else 2)
                    place = {"network": "resnet18", "optimizer": optimizer, "train_size": 1000, "label_noise": 0.0}
                    place |= {"method": method, "strength": strength, "seed": seed}
                    for inputs in ("validation", "test"):
                        rows.append(place | {"inputs": inputs, "metric": "accuracy_percent", "value": 100 - error})
                        rows.append(place | {"inputs": inputs, "metric": "loss", "value": error / 10})
    return pd.DataFrame(rows)


def test_the_strength_is_chosen_on_held_out_samples_alone():
    frame = runs({})
    frame.loc[(frame["inputs"] == "test") & (frame["strength"] == "3"), "value"] = 100.0  # tempting, and not looked at
    chosen = dual_weights.chosen_today(frame)
    assert set(chosen["strength"]) == {"2"} and len(chosen) == 2 * 5 * len(METHODS)


def test_equal_validation_errors_are_decided_by_the_loss():
    frame = runs({})
    accuracy = (frame["metric"] == "accuracy_percent") & (frame["inputs"] == "validation")
    frame.loc[accuracy, "value"] = 80.0
    frame.loc[(frame["metric"] == "loss") & (frame["strength"] == "1"), "value"] = 0.0
    assert set(dual_weights.chosen_today(frame)["strength"]) == {"1"}


@pytest.mark.parametrize(
    ("errors", "over_baseline", "over_regularizers"),
    [
        (
            {"augmentation": 15.0, "dual": 10.0, "dual_stabilized": 18.0},
            ("supported", "supported"),
            ("supported", "mixed"),
        ),
        ({"augmentation": 15.0}, ("not supported", "not supported"), ("not supported", "not supported")),
    ],
)
def test_verdicts_follow_the_planted_errors(errors, over_baseline, over_regularizers):
    frame = runs(errors)
    for baselines, expected in ((("baseline",), over_baseline), (dual_weights.REGULARIZERS, over_regularizers)):
        assert tuple(finding.verdict for finding in dual_weights._today(*baselines)(frame)) == expected


def test_without_a_regularizer_that_helps_nothing_is_judged():
    assert dual_weights._today("baseline")(runs({"dual": 10.0})) == []
