"""The claims on training sets, on made-up campaigns."""

import numpy as np
import pandas as pd
import pytest

from weightspace.analysis import score_ranks
from weightspace.claims import training_sets
from weightspace.experiments.diversity import amount_settings


@pytest.fixture
def made_up():
    """Runs and scores of sets; accuracy is 60 and 2 more for every setting; scores follow it, the weighted ones
    in reverse; precision is noise. more: what a setting has beyond that.
    """

    def make(names, more=()):
        rng = np.random.default_rng(0)
        runs, sets = [], []
        for seed in range(5):
            for place, name in enumerate(names):
                value = 60 + 2 * place + dict(more).get(name, 0.0) + 0.1 * rng.standard_normal()
                identity = {"setting": name, "seed": seed, "replicate": 0, "dataset": "cifar10", "epoch": 40}
                runs.append(identity | {"inputs": "test", "severity": 0, "metric": "accuracy_percent", "value": value})
                for metric, of in (*score_ranks.SCORES, ("coverage", "embeddings"), ("precision", "embeddings")):
                    score = 200 - value if metric.startswith("weighted") else value
                    score = 50 + rng.standard_normal() if metric == "precision" else score
                    sets.append({"setting": name, "seed": seed, "metric": metric, "of": of, "value": score})
        return pd.DataFrame(sets), pd.DataFrame(runs)

    return make


LEVELS = ["baseline", *(f"level_{k}" for k in range(10))]
AMOUNTS = [c.setting for c in amount_settings.set_configurations("laptop", 1)]


def test_scores_that_rank_are_told_from_those_that_do_not(made_up):
    found = {finding.method: finding for finding in training_sets.rank(*made_up(LEVELS))}
    assert found["Vendi score, pixels"].verdict == "supported"
    assert found["weighted Vendi score, embeddings, per class"].verdict == "not supported"
    assert len(found) == len(score_ranks.SCORES)
    assert all(finding.n_seeds == 5 and finding.detectable >= 0.5 for finding in found.values())


def test_scores_in_the_eyes_of_another_network_are_judged_by_themselves(made_up):
    sets, runs = made_up(LEVELS)
    found = training_sets.rank_by_imagenet(sets[sets["of"] == "embeddings"].assign(of="imagenet"), runs)
    assert {finding.method: finding.verdict for finding in found} == {
        "Vendi score, ImageNet embeddings": "supported",
        "weighted Vendi score, ImageNet embeddings": "not supported",
        "Vendi score, ImageNet embeddings, per class": "supported",
        "weighted Vendi score, ImageNet embeddings, per class": "not supported",
    }


def test_the_candidate_is_held_against_the_weighted_score_where_it_was_not_chosen(made_up):
    (finding,) = training_sets.better(*made_up(AMOUNTS), *made_up(LEVELS))
    assert finding.method == "coverage x vendi" and finding.verdict == "supported" and finding.mean > 0.5


def test_what_synthetic_images_bring_and_when_there_are_too_many(made_up):
    falls = {f"synthetic_{fraction:g}": -40 * fraction for fraction in amount_settings.FRACTIONS}
    sets, runs = made_up(AMOUNTS, falls.items())
    improved = {finding.method: finding.verdict for finding in training_sets.improve(runs, sets)}
    assert improved == {
        "in the place of real images": "not supported",
        "augmentation": "supported",
        "beside them": "supported",
    }
    harmed = {finding.method: finding.verdict for finding in training_sets.harm(runs, sets)}
    assert harmed == {"in the place of real images": "supported", "beside them": "not supported"}
