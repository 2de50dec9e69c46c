"""Spectra along training: eigenvalues of all weight matrices, step by step, in one Parquet file.

    with SpectrumRecorder(model, "spectra.parquet") as recorder:
        for inputs, targets in batches:
            ...
            optimizer.step()
            recorder.step()

Eigenvalues are kept, not numbers made of them, so that every column of ``spectral_report`` can be had later
(``reports``). ``lightning_callback`` and ``trainer_callback`` do the same in Lightning and in Hugging Face's Trainer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from weightspace import extras
from weightspace.spectra.report import LayerSpectrum, layer_spectra, report_of

FRACTION = 0.01
"""Of the time since the start that recording takes at most, where no interval is given."""


class SpectrumRecorder:
    """Records the spectra of ``model`` at its start and, through ``step``, along its training.

    path: of the Parquet file, with a row for every layer of every record: ``step``, the fields of ``LayerSpectrum``,
    and ``eigenvalues`` (list of float64). Every record writes a whole new file and then gives it the name, so that a
    run that is killed leaves all records before.

    every: steps from one record to the next. By default as few as keep the time spent in the recorder below 1 % of the
    time since its start (``FRACTION``); ``seconds`` is the time spent. start: step of the first record. Above 0 the run
    goes on from a checkpoint: records of the file before that step are kept. device: that computes the eigenvalues.

    Training does not change: weights, buffers, gradients, random numbers and modes are as they were, and nothing is
    added to the graph. Layers are those of ``spectral_report(model)``; a weight with NaN has a row with a reason.

    Raises ``ValueError`` for an interval below 1, ``FileExistsError`` for a file that is there where start is 0, and
    ``ModuleNotFoundError`` without pyarrow.
    """

    def __init__(
        self,
        model: nn.Module,
        path: str | os.PathLike[str],
        *,
        every: int | None = None,
        start: int = 0,
        device: str = "cpu",
    ) -> None:
        extras.need("experiments", "pyarrow")
        if every is not None and every < 1:
            raise ValueError(f"every is a number of steps, 1 or more, got {every}")
        self.model, self.path, self.every, self.device = model, Path(path), every, device
        self.seconds = 0.0
        self._begin, self._longest = time.perf_counter(), 0.0
        self._rows: list[dict[str, Any]] = []
        self._now = self._recorded = start
        if self.path.exists():
            if not start:
                raise FileExistsError(f"{path} holds the spectra of another run: give this one a path of its own")
            self._rows = [row for row in _table(self.path).to_pylist() if row["step"] < start]
        self.record(start)

    def step(self, number: int | None = None) -> None:
        """To be called after every step of the optimizer; records where one is due.

        number: of the step, by default one more than before; a number again, as within accumulated gradients, is none.
        """
        number = self._now + 1 if number is None else number
        if number == self._now:
            return
        self._now = number
        if self.every is not None:
            due = number % self.every == 0
        else:
            due = self.seconds + self._longest <= FRACTION * (time.perf_counter() - self._begin)
        if due:
            self.record(number)

    def record(self, number: int) -> None:
        """Record now, as this step, whatever the interval."""
        begin = time.perf_counter()
        with _untouched(self.model):
            spectra = layer_spectra(self.model, device=self.device, progress=False)
        self._rows += [{"step": number} | asdict(spectrum) for spectrum in spectra]
        self._write()
        self._now = self._recorded = number
        self._longest = time.perf_counter() - begin
        self.seconds += self._longest

    def close(self) -> None:
        """Record the last step, if that has not been done."""
        if self._recorded != self._now:
            self.record(self._now)

    def __enter__(self) -> SpectrumRecorder:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self.close()

    def _write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        partial = self.path.with_name(f".{self.path.name}.partial")
        pq.write_table(pa.Table.from_pylist(self._rows, _schema()), partial, compression="zstd")
        partial.replace(self.path)


def _schema() -> Any:
    import pyarrow as pa

    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
    types = [(each.name, kinds.get(str(each.type), pa.list_(pa.float64()))) for each in fields(LayerSpectrum)]
    return pa.schema([("step", pa.int64()), *types])


def _table(path: str | os.PathLike[str]) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(path, schema=_schema())


@contextmanager
def _untouched(model: nn.Module) -> Iterator[None]:
    """Reading computed weights changes nothing: in training mode spectral norm would take a step of its iteration."""
    modes = [(module, module.training) for module in model.modules()]
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.no_grad(), torch.random.fork_rng(devices=gpus):
        try:
            for module, _ in modes:
                module.training = False
            yield
        finally:
            for module, mode in modes:
                module.training = mode


def recorded(path: str | os.PathLike[str]) -> dict[int, list[LayerSpectrum]]:
    """The records of a file: step -> the spectra of its layers."""
    found: dict[int, list[LayerSpectrum]] = {}
    for row in _table(path).to_pylist():
        step = row.pop("step")
        found.setdefault(step, []).append(LayerSpectrum(**row | {"eigenvalues": np.array(row["eigenvalues"])}))
    return found


def reports(path: str | os.PathLike[str], **options: Any) -> pd.DataFrame:
    """``spectral_report`` of every record, one below the other, with the column ``step``; options of ``report_of``."""
    tables = {step: report_of(spectra, **options) for step, spectra in recorded(path).items()}
    return pd.concat(tables, names=["step"]).reset_index("step").reset_index(drop=True)


def lightning_callback(path: str | os.PathLike[str], **options: Any) -> Any:
    """A ``Callback`` for the ``Trainer`` of Lightning that records the module in training; options as above.

    The first process alone records. Steps are those of ``trainer.global_step``.
    """
    try:
        from lightning.pytorch import Callback
    except ImportError:  # the same class, in a package of its own
        from pytorch_lightning import Callback

    class Recording(Callback):  # type: ignore[misc] # Lightning brings no types where it is not installed
        recorder: SpectrumRecorder | None = None

        def on_train_start(self, trainer: Any, pl_module: nn.Module) -> None:
            if trainer.is_global_zero:
                self.recorder = SpectrumRecorder(pl_module, path, start=trainer.global_step, **options)

        def on_train_batch_end(self, trainer: Any, *_: object) -> None:
            if self.recorder:
                self.recorder.step(trainer.global_step)

        def on_train_end(self, *_: object) -> None:
            if self.recorder:
                self.recorder.close()

    return Recording()


def trainer_callback(path: str | os.PathLike[str], **options: Any) -> Any:
    """A ``TrainerCallback`` for the ``Trainer`` of Hugging Face's transformers; options as above.

    The first process alone records. Steps are those of ``state.global_step``.
    """
    from transformers import TrainerCallback

    class Recording(TrainerCallback):
        recorder: SpectrumRecorder | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            if state.is_world_process_zero:
                self.recorder = SpectrumRecorder(given["model"], path, start=state.global_step, **options)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if self.recorder:
                self.recorder.step(state.global_step)

        def on_train_end(self, *_: object, **__: object) -> None:
            if self.recorder:
                self.recorder.close()

    return Recording()
