"""What is measured of a run while it trains, row by row, and the records that the rows become."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax
from torch import nn

from weightspace.measures.calibration import expected_calibration_error
from weightspace.training.trainer import Trainer, loss_and_accuracy

Row = dict[str, Any]

NAMES = ("dataset", "model", "arm", "category", "setting", "seed")
"""Settings that are columns of the records of a run, where it has them."""
_BLANK = {"inputs": "", "severity": 0, "layer": "", "batch_norm": "", "unfolding": "", "N": 0, "M": 0}


class Measurements:
    """The rows of one run so far.

    run: what is trained and looked at. spectra: given its model and device, a row for every matrix of weights.
    """

    def __init__(self, run: Trainer, spectra: Callable[[nn.Module, str], list[Row]]) -> None:
        self.run = run
        self.rows: list[Row] = []
        self._spectra = spectra

    def add(self, epoch: int, inputs: str, values: Mapping[str, float], severity: int = 0) -> None:
        """A row for every metric of some inputs."""
        where = {"epoch": epoch, "inputs": inputs, "severity": severity}
        self.rows += [where | {"metric": metric, "value": value} for metric, value in values.items()]

    def train(self, epoch: int, x: NDArray[Any], y: NDArray[np.int64]) -> float:
        """Train an epoch; adds loss and accuracy of its batches as ``train`` and returns the loss."""
        loss, accuracy = self.run.train_epoch(x, y, epoch)
        self.add(epoch, "train", {"loss": loss, "accuracy_percent": 100 * accuracy})
        return loss

    def score(self, epoch: int, inputs: str, x: NDArray[Any], y: NDArray[np.int64]) -> None:
        """The scores of the network on x, in evaluation mode."""
        self.add(epoch, inputs, scores(self.run.logits(x), y))

    def spectra(self, epoch: int) -> None:
        """The spectra of the weights as they are now."""
        self.rows += [{"epoch": epoch} | row for row in self._spectra(self.run.model, self.run.device)]

    def records(self, configuration: Any, origin: Mapping[str, Any], names: Sequence[str] = NAMES) -> pd.DataFrame:
        """The rows as records of the run with all their columns; origin: columns behind them."""
        c, frame = configuration, pd.DataFrame(self.rows)
        blank = {name: value for name, value in _BLANK.items() if name in frame}
        frame = frame.fillna(blank).astype({"severity": int, "N": int, "M": int})
        identity = {name: [getattr(c, name)] * len(frame) for name in names if hasattr(c, name)}
        measured = frame[["epoch", *blank, "metric", "value", "eigenvalues"]]
        return pd.DataFrame(identity).join(measured).assign(run_key=c.run_key, **origin)


def scores(logits: NDArray[np.float32], y: NDArray[np.int64]) -> dict[str, float]:
    """loss, accuracy_percent and ece of logits ``[n, classes]``."""
    loss, accuracy = loss_and_accuracy(logits, y)
    ece = expected_calibration_error(softmax(logits.astype(np.float64), axis=1), y)
    return {"loss": loss, "accuracy_percent": 100 * accuracy, "ece": ece}
