"""How far accuracy falls within training and how restless it is, run by run: of the records of ``dual_instability``."""

from __future__ import annotations

import numpy as np
import pandas as pd

from weightspace.analysis.frames import select
from weightspace.experiments.dual_weights.instability import METHODS
from weightspace.experiments.dual_weights.protocol import TURNS

KEYS = ["inputs", "method", "seed"]


def drawdowns(frame: pd.DataFrame) -> pd.DataFrame:
    """Per run, from its accuracies at the ends of the turns: the largest later fall from any turn, and the last fall.

    Columns: inputs, method, seed, fall (points, 0 if accuracy never fell), below_best (best minus last turn).
    """
    ends = select(frame, metric="accuracy_percent", unit=-1)
    ends = ends[ends["updates"] % (ends["updates"].max() // TURNS) == 0]
    rows = []
    for key, run in ends.groupby(KEYS, sort=False):
        values = run.sort_values("updates")["value"].to_numpy()
        best_so_far = np.maximum.accumulate(values)
        rows.append((*key, float((best_so_far - values).max()), float(values.max() - values[-1])))
    return pd.DataFrame(rows, columns=[*KEYS, "fall", "below_best"])


def fluctuations(frame: pd.DataFrame) -> pd.DataFrame:
    """Per run, over the second half of training: mean |change of accuracy| between looks, and the mean step gain.

    Columns: inputs, method, seed, change (points), step_gain.
    """
    late = select(frame[frame["updates"] >= frame["updates"].max() // 2], unit=-1)
    accuracy, gain = (select(late, metric=name) for name in ("accuracy_percent", "step_gain"))
    by_run = accuracy.sort_values("updates").groupby(KEYS, sort=False)["value"]
    change = by_run.agg(lambda values: float(values.diff().abs().mean()))
    return pd.DataFrame({"change": change, "step_gain": gain.groupby(KEYS, sort=False)["value"].mean()}).reset_index()


def strongest_units(frame: pd.DataFrame) -> pd.DataFrame:
    """Per run, the hidden unit of the largest mean output after the last turn: columns inputs, method, seed, active."""
    last = select(frame, layer=1, updates=frame["updates"].max())
    wide = last.pivot_table(index=[*KEYS, "unit"], columns="metric", values="value", sort=False).reset_index()
    strongest = wide.loc[wide.groupby(KEYS)["mean_output"].idxmax()]
    return strongest[[*KEYS, "active"]].reset_index(drop=True)


def facts(frame: pd.DataFrame, reported: pd.DataFrame) -> dict[str, float | str]:
    """The numbers that the chapter names, all for the inputs as published.

    paper_fall: largest later fall of the reported dual run (points); own_mean, own_largest: of ours; fell_<method>:
    runs that fall by 4 points or more; strongest_active: share of training samples (%) on which the strongest unit of
    the dual networks is active, in the mean over runs.
    """
    theirs = select(reported, method="dual").sort_values("turn")["value"]
    falls, strongest = (
        select(part, inputs="as published").set_index("method") for part in (drawdowns(frame), strongest_units(frame))
    )
    own = falls.loc["dual", "fall"]
    return {
        "paper_fall": float((theirs.cummax() - theirs).max()) if len(theirs) else float("nan"),
        "own_mean": float(own.mean()),
        "own_largest": float(own.max()),
        "strongest_active": 100 * float(strongest.loc["dual", "active"].mean()),
    } | {
        f"fell_{method}": f"{int((falls.loc[method, 'fall'] >= 4).sum())} of {len(falls.loc[method])}"
        for method in METHODS
    }
