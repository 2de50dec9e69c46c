"""Spectra along training: what is recorded, that training goes on as without it, and what a killed run leaves."""

import sys
import types

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from weightspace import DualLinear, SpectrumRecorder, spectral_report
from weightspace.spectra import recorder as recorder_module
from weightspace.spectra.recorder import lightning_callback, recorded, reports, trainer_callback


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        parametrizations.spectral_norm(nn.Linear(6, 12)), nn.BatchNorm1d(12), nn.Dropout(0.3), DualLinear(12, 3)
    )


def train(model: nn.Module, steps: int, after_step=lambda: None) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 6)).square().sum().backward()
        optimizer.step()
        after_step()


def test_training_is_bit_identical_with_and_without(tmp_path):
    plain, watched = network(), network()
    torch.manual_seed(1)
    train(plain, 6)
    after_plain = torch.get_rng_state()
    torch.manual_seed(1)
    with SpectrumRecorder(watched, tmp_path / "spectra.parquet", every=1) as recorder:
        train(watched, 6, recorder.step)
    assert torch.equal(after_plain, torch.get_rng_state())
    for name, tensor in plain.state_dict().items():
        assert torch.equal(tensor, watched.state_dict()[name]), name
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(plain.parameters(), watched.parameters()))
    assert len(recorded(recorder.path)) == 7


def test_modes_stay_those_of_each_module(tmp_path):
    model = network()
    model[1].eval()
    modes = [module.training for module in model.modules()]
    SpectrumRecorder(model, tmp_path / "spectra.parquet")
    assert [module.training for module in model.modules()] == modes


def test_reports_are_those_of_the_model_at_every_step(tmp_path):
    model = nn.Sequential(nn.Linear(40, 30), nn.Conv2d(3, 12, 3))
    path = tmp_path / "spectra.parquet"
    expected = [spectral_report(model)]
    recorder = SpectrumRecorder(model, path, every=1)
    with torch.no_grad():
        model[0].weight.mul_(2)
        model[1].weight.fill_(torch.nan)
    expected.append(spectral_report(model))
    recorder.step()
    found = reports(path)
    assert found["step"].tolist() == [0, 0, 1, 1] and "NaN" in found["reason"].iloc[-1]
    pd.testing.assert_frame_equal(found.drop(columns="step"), pd.concat(expected, ignore_index=True), check_dtype=False)


def test_the_interval_counts_steps_and_a_repeated_number_is_none(tmp_path):
    recorder = SpectrumRecorder(nn.Linear(3, 4), tmp_path / "spectra.parquet", every=3)
    for number in (1, 2, 3, 3, 3, 4, 5, 6, 7):
        recorder.step(number)
    recorder.close()
    recorder.close()
    assert list(recorded(recorder.path)) == [0, 3, 6, 7]


def test_without_an_interval_recording_stays_within_its_fraction_of_the_time(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(recorder_module.time, "perf_counter", lambda: clock[0])

    def slow(model, **_):
        clock[0] += 0.5
        return []

    monkeypatch.setattr(recorder_module, "layer_spectra", slow)
    recorder = SpectrumRecorder(nn.Linear(3, 4), tmp_path / "spectra.parquet")
    spent = []
    for _ in range(2000):
        clock[0] += 0.2
        recorder.step()
        spent.append(recorder.seconds / clock[0])
    assert recorder.seconds == pytest.approx(0.01 * clock[0], rel=0.2)  # as often as may be
    assert max(spent[500:]) <= 0.0101  # from the second record on


def test_an_existing_file_is_kept_or_continued(tmp_path):
    path = tmp_path / "spectra.parquet"
    model = nn.Linear(3, 4)
    recorder = SpectrumRecorder(model, path, every=2)
    for _ in range(9):
        recorder.step()
    with pytest.raises(FileExistsError, match="another run"):
        SpectrumRecorder(model, path)
    again = SpectrumRecorder(model, path, every=2, start=5)
    again.step()
    assert list(recorded(path)) == [0, 2, 4, 5, 6]
    with pytest.raises(ValueError, match="1 or more"):
        SpectrumRecorder(model, tmp_path / "other.parquet", every=0)


def test_a_run_that_ends_while_it_writes_leaves_the_records_before(tmp_path, monkeypatch):
    path = tmp_path / "spectra.parquet"
    model = nn.Linear(30, 20)
    recorder = SpectrumRecorder(model, path, every=1)
    model.weight.data.mul_(2)
    recorder.step()

    def killed(table, where, **_):
        where.write_bytes(b"PAR1 half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(pq, "write_table", killed)
    with pytest.raises(KeyboardInterrupt):
        recorder.step()
    before, after = (spectra[0].eigenvalues for spectra in recorded(path).values())
    np.testing.assert_allclose(after, 4 * before, rtol=1e-6)


# The two callbacks, in the loops that they are made for


def test_trainer_callback_follows_the_calls_of_the_trainer(tmp_path):
    transformers = pytest.importorskip("transformers")
    callback = trainer_callback(tmp_path / "spectra.parquet", every=2)
    assert isinstance(callback, transformers.TrainerCallback)
    state = transformers.TrainerState(is_world_process_zero=True)
    callback.on_train_begin(None, state, None, model=nn.Linear(5, 4))
    for state.global_step in range(1, 6):
        callback.on_step_end(None, state, None)
    callback.on_train_end(None, state, None)
    assert list(recorded(tmp_path / "spectra.parquet")) == [0, 2, 4, 5]
    other = trainer_callback(tmp_path / "none.parquet")
    other.on_train_begin(None, transformers.TrainerState(is_world_process_zero=False), None, model=nn.Linear(5, 4))
    other.on_step_end(None, state, None)
    other.on_train_end(None, state, None)
    assert not (tmp_path / "none.parquet").exists()


@pytest.mark.filterwarnings("ignore")  # Accelerate's own
def test_the_trainer_of_transformers(tmp_path):
    pytest.importorskip("accelerate")
    transformers = pytest.importorskip("transformers")

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x, labels):
            return {"loss": nn.functional.cross_entropy(self.fc(x), labels)}

    data = [{"x": torch.randn(4), "labels": 0} for _ in range(32)]
    options = transformers.TrainingArguments(
        str(tmp_path), max_steps=4, gradient_accumulation_steps=2, report_to=[], use_cpu=True, save_strategy="no"
    )
    callback = trainer_callback(tmp_path / "spectra.parquet", every=2)
    transformers.Trainer(Model(), options, train_dataset=data, callbacks=[callback]).train()
    assert list(recorded(tmp_path / "spectra.parquet")) == [0, 2, 4]


@pytest.mark.filterwarnings("ignore")  # Lightning's own
def test_the_trainer_of_lightning(tmp_path):
    lightning = pytest.importorskip("lightning.pytorch")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def training_step(self, batch):
            return self.fc(batch).square().mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    trainer = lightning.Trainer(
        max_steps=5, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        accumulate_grad_batches=2, callbacks=[lightning_callback(tmp_path / "spectra.parquet", every=2)],
        default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(Module(), torch.utils.data.DataLoader(torch.randn(64, 4), batch_size=4))
    found = recorded(tmp_path / "spectra.parquet")
    assert list(found) == [0, 2, 4, 5] and found[0][0].name == "fc"


def test_lightning_under_its_older_name(monkeypatch):
    class Callback:
        pass

    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    monkeypatch.setitem(sys.modules, "pytorch_lightning", types.SimpleNamespace(Callback=Callback))
    assert isinstance(lightning_callback("spectra.parquet"), Callback)
