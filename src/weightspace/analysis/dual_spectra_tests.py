"""Are dual weights weight decay, dropout, or neither? The rule for ``dual_spectra`` (book/rules).

A place is a layer of a cell (data set, depth, training size, label noise) in one form: ``scale``, the logarithms of its
singular values, or ``shape``, the same minus their mean, which no factor of the matrix changes. The effect of a
setting in a seed is the vector of these logarithms minus that of the seed's mean baseline, every entry in units of the
standard deviation between baselines. Products of effects are taken between different seeds only and everything is
estimated again in every bootstrap draw of seeds, as in ``regularizer_tests``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from weightspace.analysis.frames import select
from weightspace.analysis.regularizer_tests import (
    CLOSER,
    DRAWS,
    LIKE,
    SEEN,
    Estimate,
    between_seeds,
    decide,
    interpolation,
    placebo,
    products,
    randomization_p,
    seed_weights,
)
from weightspace.experiments.dual_weights.spectra import BASELINE, DUAL
from weightspace.measures.statistics import ALPHA, holm

CATEGORIES = {"weight_decay": "l2_squared_", "dropout": "dropout_"}
"""Category -> what the names of its settings begin with; the strength follows."""
FORMS = ("scale", "shape")
MATCHES = ("tuned", "equal training loss", "equal test loss")
PREDICTED = "predicted strength"
"""Weight decay at E|g| / 4 of the layer, averaged over the training: what the theory says dual weights are."""
CELL = ["dataset", "layers", "train_size", "label_noise"]
VALUES_NEEDED = 8
"""Layers with fewer singular values have no spectrum to speak of: the one output of a regression."""
QUESTIONS = (
    ("weight_decay", "dropout"),
    ("dropout", "weight_decay"),
    ("weight_decay", BASELINE),
    ("dropout", BASELINE),
)
"""(near, than): whether dual weights are nearer to the one than to the other."""
_FLOOR = 1e-12


def whole_seeds(frame: pd.DataFrame) -> pd.DataFrame:
    """The records without the seeds of a cell in which some network diverged: a seed is compared as a whole."""
    where = [*CELL, "seed"]
    broken = pd.MultiIndex.from_frame(select(frame, metric="diverged")[where].drop_duplicates())
    return frame[~pd.MultiIndex.from_frame(frame[where]).isin(broken)]


@dataclass(frozen=True, eq=False)
class Effects:
    """settings: names. values: [settings, seeds, singular values]. baselines: [seeds, replicates, singular values]."""

    settings: list[str]
    values: NDArray[np.float64]
    baselines: NDArray[np.float64]


def levels(settings: list[str], category: str) -> list[int]:
    """Positions of the settings of a category, the weakest first."""
    prefix = CATEGORIES[category]
    found = [k for k, name in enumerate(settings) if name.startswith(prefix)]
    return sorted(found, key=lambda k: float(settings[k].removeprefix(prefix)))


def effects(cell: pd.DataFrame, layer: int, form: str) -> Effects:
    """The effects at the end of training. ``ValueError`` if a seed lacks a run."""
    own = select(cell, layer=layer, part="W", metric="eigenvalues", update=cell["update"].max())
    own = own.sort_values(["method", "seed", "replicate"])
    values = np.stack([np.frombuffer(content, "<f4") for content in own["eigenvalues"]]).astype(np.float64)
    logs = 0.5 * np.log10(np.maximum(values, _FLOOR * values.max(axis=1, keepdims=True)))
    if form == "shape":
        logs = logs - logs.mean(axis=1, keepdims=True)
    seeds = own["seed"].nunique()
    runs = {method: logs[(own["method"] == method).to_numpy()] for method in own["method"].unique()}
    base = runs.pop(BASELINE)
    if len(base) % seeds or len(base) < 2 * seeds or any(len(run) != seeds for run in runs.values()):
        raise ValueError(
            f"every seed needs every setting once and two baselines or more: {len(own)} runs, {seeds} seeds"
        )
    unit = base.std(axis=0, ddof=1)
    base = base.reshape(seeds, -1, base.shape[1])
    middle = base.mean(axis=1)
    return Effects(
        list(runs), np.stack([(run - middle) / unit for run in runs.values()]), (base - middle[:, None]) / unit
    )


def losses(cell: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By inputs: log10 of the loss at the end minus the mean of the seed's baselines, settings (rows) by seeds."""
    end = select(cell, layer=0, metric="loss", update=cell["update"].max())
    tables = {}
    for inputs, own in end.groupby("inputs"):
        table = own.assign(value=np.log10(own["value"])).pivot_table(index="method", columns="seed", values="value")
        tables[str(inputs)] = table - table.loc[BASELINE]
    return tables


def predicted_strength(cell: pd.DataFrame, layer: int, method: str) -> NDArray[np.float64]:
    """E|g| / 4 of every seed, averaged over the training by the trapezoidal rule between checkpoints."""
    own = select(cell, layer=layer, metric="mean_abs_g", method=method)
    table = own.pivot(index="update", columns="seed", values="value").sort_index()
    updates, values = table.index.to_numpy(float), table.to_numpy()
    # Before the first checkpoint: as there.
    return np.trapezoid(np.vstack([values[:1], values]), np.append(0, updates), axis=0) / updates[-1] / 4


# --- controls


def controls(ends: dict[str, pd.DataFrame], found: Effects) -> pd.DataFrame:
    """Which settings act and are seen. Columns setting, acts, p, p_holm (over those that act), seen.

    ends: see ``losses``.
    acts: training or test loss differ from the baseline's, t-test over seeds, Holm over both losses of all settings.
    The row of the baseline takes the first replicate for a setting: p should be below 0.05 in one case of twenty.
    """
    tested = [ends[inputs].loc[found.settings].to_numpy() for inputs in ("train", "test")]
    differ = [stats.ttest_1samp(values, 0, axis=1).pvalue for values in tested]
    acts = holm(np.nan_to_num(np.concatenate(differ), nan=1.0)).reshape(2, -1).min(axis=0) < ALPHA
    rows = [
        (name, bool(act), randomization_p(found.baselines, own))
        for name, act, own in zip(found.settings, acts, found.values)
    ]
    if found.baselines.shape[1] > 2:
        rows.append((BASELINE, False, randomization_p(*placebo(found.baselines))))
    table = pd.DataFrame(rows, columns=["setting", "acts", "p"]).assign(p_holm=np.nan)
    if table["acts"].any():
        table.loc[table["acts"], "p_holm"] = holm(table.loc[table["acts"], "p"])
    return table.assign(seen=table["p_holm"] < ALPHA)


def passes(controls: pd.DataFrame, prefix: str) -> bool:
    """Whether at least half of the acting settings of this prefix are seen, and at least one."""
    own = controls[controls["acts"] & controls["setting"].str.startswith(prefix)]
    return bool(len(own)) and own["seen"].mean() >= SEEN


# --- what is held against what


def profiles(
    ends: dict[str, pd.DataFrame],
    settings: list[str],
    method: str,
    match: str,
    weights: NDArray[np.float64],
    predicted: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]] | None:
    """Weights of the settings that make the effects to compare: category -> [draws, settings].

    ends: see ``losses``. predicted: see ``predicted_strength``.
    tuned: the level of the smallest validation loss. Equal loss: the levels interpolated to the loss of the dual
    network; None where that does not lie between the baseline's and the strongest level's. Everything is estimated
    again in every draw.
    """
    share = weights / weights.sum(axis=1, keepdims=True)
    draws = np.arange(len(weights))
    own = np.zeros((len(weights), len(settings)))
    own[:, settings.index(method)] = 1
    found = {"dual": own}
    for category in CATEGORIES if match != PREDICTED else ("weight_decay",):
        rows = levels(settings, category)
        found[category] = np.zeros_like(own)
        if match == "tuned":
            best = (share @ ends["validation"].loc[settings].to_numpy()[rows].T).argmin(axis=1)
            found[category][draws, np.array(rows)[best]] = 1
            continue
        if match == PREDICTED:
            wanted = share @ predicted
            strengths = [float(settings[k].removeprefix(CATEGORIES[category])) for k in rows]
            rising = np.broadcast_to(strengths, (len(weights), len(rows)))
        else:
            inputs, sign = ("train", 1) if match == "equal training loss" else ("test", -1)
            strength = share @ (sign * ends[inputs].loc[settings].to_numpy()).T
            wanted, rising = strength[:, settings.index(method)], strength[:, rows]
        if not 0 < wanted[0] <= rising[0].max():
            return None
        found[category][:, rows] = interpolation(np.maximum(wanted, np.finfo(float).tiny), rising)
    return found


def _cases(
    frame: pd.DataFrame, draws: int
) -> Iterator[tuple[tuple, int, dict[tuple[str, str], NDArray], dict[str, bool]]]:
    """(place, method and match), seeds, products of the profiles, and which categories pass their controls."""
    for key, cell in frame.groupby(CELL, sort=True):
        weights = seed_weights(cell["seed"].nunique(), draws)
        spectra = select(cell, part="W", metric="eigenvalues", update=cell["update"].max())
        scores = select(cell, part="").drop(columns="eigenvalues")  # few rows and small ones, which are asked often
        ends = losses(scores)
        for layer, some in spectra.groupby("layer"):
            if len(some["eigenvalues"].iloc[0]) < 4 * VALUES_NEEDED:
                continue
            of_form = {form: effects(some, layer, form) for form in FORMS}
            held = {}
            for method in DUAL:
                predicted = predicted_strength(scores, layer, method)
                for match in (*MATCHES, PREDICTED):
                    settings = of_form[FORMS[0]].settings
                    held[method, match] = profiles(ends, settings, method, match, weights, predicted)
            for form, effect in of_form.items():
                seen = controls(ends, effect)
                by_draw = between_seeds(products(effect.values), weights)
                passed = {name: passes(seen, prefix) for name, prefix in CATEGORIES.items()}
                for (method, match), profile in held.items():
                    if profile is None:
                        continue
                    own = seen[seen["setting"] == method].iloc[0]
                    categories = [name for name in profile if name != "dual"]
                    asked = [("dual", "dual"), *((a, b) for b in categories for a in ("dual", b))]
                    pairs = {(a, b): _drawn(profile[a], by_draw, profile[b]) for a, b in asked}
                    name = (*key, layer, form, method, match)
                    yield name, len(weights[0]), pairs, passed | {"dual": bool(own["acts"] and own["seen"])}


def _drawn(left: NDArray[np.float64], products: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """<left, right> of two profiles draw by draw. What no draw gives a weight is left out: it adds zeros."""
    i, j = (np.flatnonzero(profile.any(axis=0)) for profile in (left, right))
    return np.einsum("di,dij,dj->d", left[:, i], products[:, i[:, None], j], right[:, j])


COLUMNS = [*CELL, "layer", "form", "method", "match"]


def judge(frame: pd.DataFrame, draws: int = DRAWS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The two tables of the rule: (closeness, similarity), a row for each comparison of each place.

    closeness: near, than, n (seeds), distance_near, distance_than, margin = ``CLOSER``^2 distance_than^2 -
    distance_near^2. similarity: to, n, similarity (cosine between the true effects). Both with low and high (95 %),
    judged, p, p_holm (over the judged rows of the table), outcome (for, against, undecided, not judged). detectable:
    the largest ratio of distances, or the smallest similarity, that would be decided in favour with 80 % power.
    """
    near_rows, like_rows = [], []
    for name, seeds, pairs, passed in _cases(frame, draws):
        own = pairs["dual", "dual"]
        squared = {to: own + pairs[to, to] - 2 * pairs["dual", to] for to in CATEGORIES if (to, to) in pairs}
        squared[BASELINE] = own
        for near, than in QUESTIONS:
            if not {near, than} <= set(squared):
                continue
            d_near, d_than = squared[near], squared[than]
            margin = Estimate.of(CLOSER**2 * d_than - d_near, seeds)
            judged = all(passed.get(category, True) for category in ("dual", near, than))
            roots = [float(np.sqrt(max(d[0], 0))) for d in (d_near, d_than)]
            near_rows.append((*name, near, than, seeds, *roots, margin, 0.0, judged))
        for to in CATEGORIES:
            if (to, to) in pairs:
                size = np.where((pairs[to, to] > 0) & (own > 0), pairs[to, to] * own, np.nan)
                cosine = Estimate.of(pairs["dual", to] / np.sqrt(size), seeds)
                like_rows.append((*name, to, seeds, cosine, LIKE, passed["dual"] and passed[to]))
    near = decide(near_rows, [*COLUMNS, "near", "than", "n", "distance_near", "distance_than"], "margin")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = CLOSER**2 - near.pop("reach") / near["distance_than"] ** 2
    near = near.assign(detectable=np.sqrt(ratios.where(ratios >= 0)))
    like = decide(like_rows, [*COLUMNS, "to", "n"], "similarity")
    reach = LIKE + like.pop("reach")
    return near, like.assign(detectable=reach.where(reach <= 1))


def answer(outcomes: dict[tuple[str, str], str]) -> str:
    """The answer of one place from the outcomes of ``QUESTIONS``.

    weight decay, dropout: nearer to it than to the other and than to the baseline. both: nearer to each than to the
    baseline, and to none of them by a tenth. neither: to none of them nearer by a tenth than to the baseline.
    """
    decay, drop, decay_0, drop_0 = (outcomes[question] for question in QUESTIONS)
    if "not judged" in (decay_0, drop_0, decay, drop):
        return "not judged"
    if decay == decay_0 == "for":
        return "weight decay"
    if drop == drop_0 == "for":
        return "dropout"
    if decay_0 == drop_0 == "against":
        return "neither"
    if decay_0 == drop_0 == "for" and decay == drop == "against":
        return "both"
    return "undecided"


def answers(closeness: pd.DataFrame) -> pd.DataFrame:
    """The answer of every place, method and match with all questions: their columns and answer."""
    rows = []
    for key, own in closeness[closeness["match"] != PREDICTED].groupby(COLUMNS, sort=False):
        outcomes = {(row.near, row.than): row.outcome for row in own.itertuples()}
        rows.append((*key, answer(outcomes)))
    return pd.DataFrame(rows, columns=[*COLUMNS, "answer"])


def verdict(answers: pd.Series) -> str:
    """One answer for many places: the one that at least 80 % of the decided ones give, else mixed; undecided if fewer
    than two thirds of the judged ones are decided or none is judged."""
    judged = answers[answers != "not judged"]
    decided = judged[judged != "undecided"]
    if not len(decided) or 3 * len(decided) < 2 * len(judged):
        return "undecided"
    share = decided.value_counts(normalize=True)
    return str(share.index[0]) if share.iloc[0] >= 0.8 else "mixed"
