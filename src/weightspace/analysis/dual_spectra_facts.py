"""What stands beside the verdicts on the spectra of dual weights: where they change, and what is described only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from weightspace.analysis import dual_spectra_tests as rule
from weightspace.analysis.frames import select, summarize
from weightspace.analysis.regularizer_tests import between_seeds, placebo, products, randomization_p
from weightspace.experiments.dual_weights.spectra import BASELINE, DUAL
from weightspace.measures.statistics import ALPHA
from weightspace.spectra import metrics

PARTS = ("dataset", "position", "layers", "train_size", "label_noise")
"""What the answers are split by: the rule's parts, and the data set, which is described."""


def by_part(answers: pd.DataFrame) -> pd.DataFrame:
    """The answer of each method and form over all places, and over those of each part of ``PARTS``.

    answers: from ``dual_spectra_tests.answers``. Columns: method, form, part ("all" for all places), value (of the
    part, as text), places (judged ones), decided, answer. position: first, middle or last layer of the network.
    """
    where = [answers["layer"] == 1, answers["layer"] == answers["layers"]]
    split = answers.assign(position=np.select(where, ["first", "last"], "middle"), all="")
    rows = []
    for part in ("all", *PARTS):
        for (method, form, value), own in split.groupby(["method", "form", part], sort=False):
            judged = own["answer"] != "not judged"
            decided = judged & (own["answer"] != "undecided")
            rows.append((method, form, part, str(value), judged.sum(), decided.sum(), rule.verdict(own["answer"])))
    return pd.DataFrame(rows, columns=["method", "form", "part", "value", "places", "decided", "answer"])


def changes(parts: pd.DataFrame) -> pd.DataFrame:
    """Of ``by_part``, the method, form and part in which two values have different answers, both decided."""
    clear = parts[~parts["answer"].isin(("undecided", "mixed"))]
    numbers = clear.groupby(["method", "form", "part"], sort=False)["answer"].nunique()
    return numbers[numbers > 1].reset_index()[["method", "form", "part"]]


def positions(closeness: pd.DataFrame) -> pd.DataFrame:
    """Where dual weights lie: their distances to weight decay and to dropout in units of that to the baseline.

    closeness: from ``dual_spectra_tests.judge``. A row per place, method and match, with the answer; to_baseline is 1
    where a setting changes nothing. Rows whose distance to the baseline is estimated as none are left out.
    """
    found = rule.answers(closeness)
    for category in rule.CATEGORIES:
        own = select(closeness, near=category, than=BASELINE)
        own = own.assign(**{category: own["distance_near"] / own["distance_than"].where(own["distance_than"] > 0)})
        found = found.merge(own[[*rule.COLUMNS, category]])
    return found.dropna(subset=list(rule.CATEGORIES))


def per_layer(closeness: pd.DataFrame) -> pd.DataFrame:
    """The answer of every layer of every data set and depth, over training sizes, label noise and matches.

    Columns: dataset, layers, layer, method, form, answer, how many places gave each answer (counts), and detectable:
    the median of the largest ratio of the distances to weight decay and dropout that would have been decided.
    """
    table = select(closeness, near="weight_decay", than="dropout").merge(rule.answers(closeness))
    rows = []
    for key, own in table.groupby(["dataset", "layers", "layer", "method", "form"], sort=False):
        counts = own["answer"].value_counts()
        words = ", ".join(f"{name} {number}" for name, number in counts.items())
        rows.append((*key, rule.verdict(own["answer"]), words, own["detectable"].median()))
    return pd.DataFrame(
        rows, columns=["dataset", "layers", "layer", "method", "form", "answer", "counts", "detectable"]
    )


def nearer_than_baseline(closeness: pd.DataFrame, form: str, **which: object) -> dict[str, str]:
    """For each dual method, in how many of the judged comparisons a regularizer was nearer than gradient descent.

    closeness: from ``dual_spectra_tests.judge``. which: values of its columns, such as ``near="dropout"``.
    """
    found = select(closeness, than=BASELINE, form=form, judged=True, **which)
    table = (found["outcome"] == "for").groupby(found["method"]).agg(["sum", "size"]).reindex(list(DUAL), fill_value=0)
    return {str(method): f"{row['sum']} of {row['size']}" for method, row in table.iterrows()}


def left_out(everything: pd.DataFrame, kept: pd.DataFrame) -> tuple[int, int]:
    """How many seeds of cells are left out, and how many there are."""
    of_all, of_kept = (frame.groupby([*rule.CELL, "seed"]).ngroups for frame in (everything, kept))
    return of_all - of_kept, of_all


def negative_control(frame: pd.DataFrame) -> tuple[int, int]:
    """In how many places one more baseline is seen as if it were a setting, p < 0.05, and the number of places."""
    of_all = (rule.effects(spectra, layer, form).baselines for _, spectra, layer, form in _places(frame))
    p = [randomization_p(*placebo(baselines)) for baselines in of_all]
    return sum(value < ALPHA for value in p), len(p)


def _places(frame: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame, int, str]]:
    """Rows of the cell, among them those of the layer's spectra, the layer and the form of every place."""
    for _, cell in frame.groupby(rule.CELL, sort=True):
        spectra = select(cell, part="W", metric="eigenvalues")
        for layer, some in spectra.groupby("layer"):
            if len(some["eigenvalues"].iloc[0]) >= 4 * rule.VALUES_NEEDED:
                for form in rule.FORMS:
                    yield cell, some, layer, form


def early_stopping(frame: pd.DataFrame) -> pd.DataFrame:
    """How similar the effects of dual weights are to that of stopping gradient descent early: described, not judged.

    A row per data set, method and form: the mean and the smallest and largest cosine over its layers, at the earlier
    checkpoint of the smallest validation loss of gradient descent (its mean over seeds and replicates).
    """
    rows = []
    for cell, spectra, layer, form in _places(frame):
        loss = select(cell, layer=0, inputs="validation", metric="loss", method=BASELINE)
        earlier = loss[loss["update"] < cell["update"].max()].groupby("update")["value"].mean()
        stopped = select(spectra, method=BASELINE, replicate=0, update=earlier.idxmin())
        own = spectra[spectra["update"] == spectra["update"].max()]
        stopped = stopped.assign(method="stopped", update=own["update"].iloc[0])
        found = rule.effects(pd.concat([own, stopped]), layer, form)
        by_seed = between_seeds(products(found.values), np.ones((1, found.values.shape[1])))[0]
        at = found.settings.index("stopped")
        for method in DUAL:
            k = found.settings.index(method)
            size = by_seed[k, k] * by_seed[at, at]
            # Where one of the two has no effect that all seeds share there is no direction to compare.
            cosine = by_seed[k, at] / np.sqrt(size) if min(by_seed[k, k], by_seed[at, at]) > 0 else np.nan
            rows.append((cell["dataset"].iloc[0], method, form, cosine))
    table = pd.DataFrame(rows, columns=["dataset", "method", "form", "cosine"])
    grouped = table.groupby(["dataset", "method", "form"], sort=False)["cosine"]
    return grouped.agg(["mean", "min", "max", "count"]).reset_index()


def mean_spectra(frame: pd.DataFrame) -> pd.DataFrame:
    """Geometric mean singular values with 95 % intervals over seeds: a row per method, part, update and rank.

    frame: records of one layer of one cell. rank 1 is the largest singular value.
    """
    own = frame[frame["part"].isin(["W1", "W2", "W"]) & (frame["metric"] == "eigenvalues")]
    values = np.stack([np.frombuffer(content, "<f4") for content in own["eigenvalues"]]).astype(np.float64)[:, ::-1]
    ranks = np.arange(1, values.shape[1] + 1)
    long = own[["method", "part", "update", "seed", "replicate"]].loc[own.index.repeat(len(ranks))]
    floor = np.maximum(values, 1e-12 * values.max(axis=1, keepdims=True))
    long = long.assign(rank=np.tile(ranks, len(own)), value=0.5 * np.log10(floor).ravel())
    # The replicates of a seed are one value of it.
    keys = ["method", "part", "update", "rank"]
    seeds = long.groupby([*keys, "seed"], sort=False)["value"].mean().reset_index()
    table = summarize(seeds, keys)
    return table.assign(**{name: 10 ** table[name] for name in ("mean", "low", "high")})


def ranks(frame: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Stable rank and effective rank of W at the end over those of gradient descent, by data set and method.

    frame: records of layer 1. Columns: dataset, method, stable rank, effective rank: geometric means over cells and
    seeds; and for each the 95 % interval over seeds in columns low and high.
    """
    end = frame.groupby(rule.CELL)["update"].transform("max")
    own = frame[(frame["update"] == end) & (frame["part"] == "W") & (frame["metric"] == "eigenvalues")]
    spectra = [np.frombuffer(content, "<f4").astype(np.float64) for content in own["eigenvalues"]]
    measures = {"stable rank": metrics.stable_rank, "effective rank": metrics.effective_rank}
    rows = []
    for name, measure in measures.items():
        logs = own.assign(value=np.log([measure(values) for values in spectra]))
        table = logs.groupby([*rule.CELL, "seed", "method"])["value"].mean().unstack("method")
        change = table[list(methods)].sub(table[BASELINE], axis=0).groupby(["dataset", "seed"], sort=False).mean()
        long = change.stack().rename("value").reset_index()
        summary = summarize(long, ["dataset", "method"])
        summary[["mean", "low", "high"]] = np.exp(summary[["mean", "low", "high"]])
        rows.append(summary.assign(metric=name))
    return pd.concat(rows, ignore_index=True)
