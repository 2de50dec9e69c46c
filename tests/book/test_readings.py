"""What chapters say of a figure in words is so on record, where no number stands that would follow the records."""

import pandas as pd
import pytest

from weightspace.analysis import regularizer_facts, regularizer_tests, score_ranks
from weightspace.analysis.regularizer_effects import MEASURES
from weightspace.campaigns import records

EVERY = [measure for members in MEASURES.values() for measure in members]
NORMS = {"log_norm", "log_spectral_norm"}
AS_THEY_ARE, EQUAL_LOSS, EQUAL_ACCURACY = regularizer_tests.MATCHES


@pytest.fixture(scope="module")
def spectra():
    return records.load("diversity_from_scratch_spectra", "laptop")


@pytest.fixture(scope="module")
def compared(spectra):
    """Similarities, and distances relative to those to weight decay and to no regularizer, with names of metrics."""
    passed = regularizer_tests.passed(regularizer_tests.controls(spectra, EVERY))
    cases = regularizer_tests.cases(spectra)
    closeness = [regularizer_tests.closeness(cases, passed, than) for than in ("weight_decay", None)]
    tables = [regularizer_tests.similarities(cases, passed), *closeness]
    return [table.assign(metric=[measure.metric for measure in table["measure"]]) for table in tables]


def among(table: pd.DataFrame, **where: object) -> pd.DataFrame:
    for name, value in where.items():
        table = table[table[name].isin(value if isinstance(value, set) else {value})]
    return table


def test_of_the_direction_of_dropout(compared):
    """Chapter 12: "nearly every mark lies beyond the threshold", and the decided exceptions."""
    table = among(compared[0], to="dropout")
    beyond = table["similarity"] > regularizer_tests.LIKE
    assert beyond.mean() > 0.9
    against = among(table, outcome="against")
    assert {*zip(against["set"], against["metric"], against["match"])} == {
        ("raw", "alpha", AS_THEY_ARE),
        ("raw", "log_norm", AS_THEY_ARE),
        ("scale-free", "alpha", AS_THEY_ARE),
    }


def test_of_the_direction_of_weight_decay(compared):
    """Chapter 12: "For norms the answer is no", raw ones opposite and folded ones without a shared direction; for alpha
    and entropy "the answer is yes at equal strength"."""
    table = among(compared[0], to="weight_decay")
    norms = among(table, metric=NORMS)
    assert set(norms["outcome"]) == {"against"}
    assert (among(norms, set="raw")["similarity"] < -0.5).all()
    assert among(norms, set="folded")["similarity"].abs().max() < 0.25
    blind = among(table, metric={"alpha", "entropy"}, match={EQUAL_LOSS, EQUAL_ACCURACY})
    assert set(blind["outcome"]) == {"for"}


def test_of_distances(compared):
    """Chapter 12: closer than to weight decay but for folded norms as they are, undecided at equal test accuracy;
    closer than to no regularizer at equal test accuracy only."""
    _, to_decay, to_baseline = compared
    against = among(to_decay, outcome="against")
    assert {*zip(against["set"], against["metric"], against["match"])} == {
        ("folded", name, AS_THEY_ARE) for name in NORMS
    }
    assert set(among(to_decay, match=EQUAL_ACCURACY)["outcome"]) == {"undecided"}
    assert set(among(to_baseline, match=EQUAL_ACCURACY)["outcome"]) <= {"for", "undecided"}
    rest = among(to_baseline, match={AS_THEY_ARE, EQUAL_LOSS})["outcome"]
    assert set(rest) == {"against", "undecided"} and (rest == "against").mean() > 0.8


def test_of_gains(spectra):
    """Chapter 14: flip and crop gains most, auto2 delays most, and "neither of the two [that calibrate best] gains most
    accuracy"."""
    gains = regularizer_facts.gains(spectra).set_index("setting")
    learned = gains[gains["learns"]]
    assert learned["gain"].idxmax() == "flip_crop" and learned["delay"].idxmax() == "auto2"
    dropouts = learned[learned["category"] == "dropout"]
    assert dropouts["gain"].idxmax() == "dropout_0.2"
    assert set(gains[~gains["learns"]]["category"]) == {"dropout"}


def test_of_scores():
    """Chapter 14: six scores rank the sets, those of embeddings of the whole set do the opposite; two groups of sets,
    the better one with larger scores of pixels and of embeddings within a class and smaller ones of embeddings."""
    runs, scores = (records.load(name, "laptop") for name in ("diversity_from_scratch", "diversity_scratch_sets"))
    table = score_ranks.that_learn(score_ranks.training_sets(runs, scores), runs)
    ranks = score_ranks.ranks(table)
    whole = (ranks["of"] == "embeddings") & ~ranks["score"].str.endswith("per_class")
    assert set(ranks[~whole]["outcome"]) == {"for"} and ranks[~whole]["correlation"].between(0.6, 0.9).all()
    assert set(ranks[whole]["outcome"]) == {"against"} and ranks[whole]["correlation"].between(-0.9, -0.7).all()
    sets = score_ranks.training_sets(runs, records.load("diversity_imagenet_sets", "laptop"))
    other = score_ranks.ranks(score_ranks.that_learn(sets, runs), score_ranks.IMAGENET_SCORES)
    assert set(other["outcome"]) == {"against"}
    assert (other[other["score"].str.startswith("weighted")]["correlation"] < -0.4).all()
    means = table.groupby("setting").mean()
    weak = means.index.isin(["baseline", "noise10", "noise30", "noise50", "aug_mix"])
    low, high = means[weak], means[~weak]
    for outcome in score_ranks.OUTCOMES:
        assert low[outcome].max() < high[outcome].min()
    for score in (("vendi", "pixels"), ("vendi_per_class", "embeddings")):
        assert low[score].max() < high[score].min()
    assert low["vendi", "embeddings"].min() > high["vendi", "embeddings"].max()
    assert set(score_ranks.that_gain(table, 3).index.unique("setting")) == set(high.index)
