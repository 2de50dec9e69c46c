"""Outcomes of the text experiments and what scores explain of them, on made-up records whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from weightspace import claims
from weightspace.analysis import diversity_outcomes, text_outcomes
from weightspace.display import tables
from weightspace.experiments.diversity.text_sets import SETS, sets_of

TASKS = ("complaints", "sst2")


def campaign(accuracy, score, seeds=3):
    """Records like those of ``diversity_text`` and its sets; accuracy(place), score(metric, of, place) of a set."""
    runs, sets = [], []
    for dataset in TASKS:
        levels = [("baseline", "baseline", "")]
        levels += [(category, name, name) for category, names in sets_of(dataset).items() for name in names]
        levels += [("dropout", "dropout_0.5", None)]
        for seed in range(seeds):
            for place, (category, setting, augmentation) in enumerate(levels):
                key = (dataset, "main", category, setting, seed)
                for inputs, metric, value in (
                    ("train", "loss", 9.0),
                    ("train_clean", "loss", 0.4),
                    ("test", "loss", 0.5),
                    ("test", "accuracy_percent", accuracy(place)),
                    ("test", "macro_f1", accuracy(place) / 200),
                    ("test", "ece", (100 - accuracy(place)) / 1000),
                ):
                    runs += [(*key, epoch, inputs, metric, value * (epoch == 2), 24 + place) for epoch in (1, 2)]
                if augmentation is not None:
                    for of, metric in (("ngrams", "vendi"), ("embeddings", "vendi"), ("embeddings", "weighted_vendi")):
                        sets.append((dataset, augmentation, seed, of, metric, score(metric, of, place)))
            sets.append((dataset, "shuffled", seed, "embeddings", "vendi", 1.0))
            sets.append((dataset, "shuffled", seed, "embeddings", "weighted_vendi", 1.0))
    runs = pd.DataFrame(
        runs,
        columns=["dataset", "arm", "category", "setting", "seed", "epoch", "inputs", "metric", "value", "updates"],
    )
    return runs, pd.DataFrame(sets, columns=["dataset", "augmentation", "seed", "of", "metric", "value"])


@pytest.fixture(scope="module")
def planted():
    """Accuracy rises with the weighted score and falls with the n-gram score; the plain one of embeddings is noise."""
    noise = np.random.default_rng(0).permutation(40)
    return campaign(
        lambda place: 60.0 + place,
        lambda metric, of, place: (
            50.0 - place if of == "ngrams" else 5 + (place if metric != "vendi" else noise[place])
        ),
    )


def test_outcomes_are_those_of_the_last_epoch_in_percent(planted):
    runs, _ = planted
    table = text_outcomes.outcomes(runs)
    assert len(table) == runs[["dataset", "setting", "seed"]].drop_duplicates().shape[0]
    first = table.iloc[0]
    assert first["setting"] == "baseline" and first["updates"] == 24
    assert first[["accuracy", "macro_f1", "ece"]].tolist() == pytest.approx([60, 30, 4])
    assert first["train_loss"] == 0.4 and first["test_loss"] == 0.5
    lacking = runs[(runs["metric"] != "macro_f1") | (runs["seed"] != 1)]
    with pytest.raises(ValueError, match="no value of macro_f1 for some of the runs"):
        text_outcomes.outcomes(lacking)


def test_training_sets_are_those_that_a_network_was_trained_on(planted):
    both = text_outcomes.training_sets(text_outcomes.outcomes(planted[0]), planted[1])
    assert both.groupby(["design", "seed"]).size().to_dict() == {
        (task, seed): 1 + sum(map(len, sets_of(task).values())) for task in TASKS for seed in range(3)
    }
    first = both[(both["design"] == "complaints") & (both["seed"] == 0)]
    assert first["level"].tolist() == ["", *sum(SETS.values(), ())]
    assert "resemblance_embeddings" in both and "resemblance_ngrams" not in both
    np.testing.assert_allclose(
        both["resemblance_embeddings"] * both["vendi_embeddings"], both["weighted_vendi_embeddings"]
    )


def test_the_rules_of_the_claims_on_scores(planted):
    by_id = {claim.id: claim for claim in claims.CLAIMS}
    found = {finding.method: finding for finding in by_id["A3w"].assess(*planted)}
    assert set(found) == {"Vendi score, n-grams", "Vendi score, embeddings", "weighted Vendi score, embeddings"}
    weighted, ngrams = found["weighted Vendi score, embeddings"], found["Vendi score, n-grams"]
    assert (weighted.wins, weighted.verdict, weighted.mean) == (6, "supported", pytest.approx(1))
    assert (ngrams.losses, ngrams.verdict, ngrams.mean) == (6, "not supported", pytest.approx(-1))
    assert found["Vendi score, embeddings"].wins == 0
    (better,) = by_id["A3bw"].assess(*planted)
    assert better.method == "of embeddings" and better.wins > 3 and better.losses == 0
    _, equal = campaign(lambda place: 60.0 + place, lambda metric, of, place: 5.0 + place)
    (tie,) = by_id["A3bw"].assess(planted[0], equal)
    assert (tie.wins, tie.ties, tie.mean) == (0, 6, 0)


def test_differences_of_one_task_pair_by_seed(planted):
    table = text_outcomes.outcomes(planted[0])
    own = diversity_outcomes.differences(table[table["dataset"] == "sst2"], text_outcomes.OUTCOMES)
    accuracy = own[own["outcome"] == "accuracy"].set_index("setting")["mean"]
    assert accuracy["sr_0.3"] == 1 and accuracy["dropout_0.5"] == 9 and len(accuracy) == 9


def test_every_reported_accuracy_stands_beside_ours(planted):
    """Some of the reported values, as printed in the release, by hand."""
    complaints, _ = tables.texts.tasks(text_outcomes.outcomes(planted[0]))
    found = text_outcomes.against_reported(complaints).set_index("setting")
    assert len(found) == 27
    known = {"baseline": 87.5, "gen": 83.5, "comb_0.7": 88.4, "verified_gen": 86.4, "verified_0.1": 86.7}
    known |= {"added_0.5": 91.6, "added_1": 90.4, "sr_0.3": 88.7, "rd_0.5": 87.0, "ri_0.3": 90.7}
    for setting, value in known.items():
        assert found["reported"][setting] == pytest.approx(value, abs=0.06)
    assert found["reported_gain"]["gen"] == pytest.approx(-4.0, abs=0.1)
    assert found["gain"]["sr_0.3"] == 1 and found["n"].eq(3).all()
    assert (found["reported_low"] < found["reported"]).all() and (found["reported"] < found["reported_high"]).all()
