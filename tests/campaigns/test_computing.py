"""Campaigns: keys, resuming, killed runs, the quick scale end to end, the command line."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from record_rows import configuration

from weightspace import experiments
from weightspace.__main__ import main
from weightspace.campaigns import computing, records, registry
from weightspace.campaigns.configuration import STRICT, Configuration, canonical_json, dataclass
from weightspace.data import sampling
from weightspace.dual.methods import PAPER_METHODS
from weightspace.experiments.dual_weights import protocol, regression, tuning
from weightspace.training.online.networks import OnlineNetworks

pytestmark = pytest.mark.usefixtures("results")


CONTRACT = ["dataset", "task", "layers", "train_size", "method", "seed", "turn", "test_inputs", "metric", "value"]


def test_the_quick_scale_fills_the_contract():
    assert experiments.run("dual_regression", "quick", progress=False) == 30
    frame = records.load("dual_regression", "quick")
    assert set(CONTRACT) | set(records.PROVENANCE) <= set(frame.columns)
    assert len(frame) == 30 * 7  # six turns clean, the last one noisy as well
    assert set(frame["method"]) == set(PAPER_METHODS)
    assert np.isfinite(frame["value"]).all() and (frame["value"] > 0).all()
    assert set(frame["metric"]) == {"mse_x1e4"} and set(frame["data_variant"]) == {"shipped"}
    assert frame["device"].str.startswith("cpu: ").all() and frame["versions"].str.contains("numba").all()
    noisy = frame[frame["test_inputs"] == "noisy"]
    assert set(noisy["turn"]) == {6}
    gd = frame[(frame["method"] == "gradient_descent") & (frame["test_inputs"] == "clean")]
    assert gd[gd["turn"] == 6]["value"].mean() < gd[gd["turn"] == 1]["value"].mean()  # it learns


def test_the_same_seed_gives_the_same_record():
    experiments.run("dual_regression", "quick", seeds=1, progress=False)
    first = records.load("dual_regression", "quick")
    experiments.run("dual_regression", "quick", seeds=1, recompute=True, progress=False)
    again = records.load("dual_regression", "quick")
    pd.testing.assert_frame_equal(first[[*CONTRACT, "run_key"]], again[[*CONTRACT, "run_key"]])


def test_running_again_computes_only_what_is_missing(monkeypatch):
    experiments.run("dual_regression", "quick", seeds=1, progress=False)
    before = records.load("dual_regression", "quick")
    computed = []
    original = regression.compute_protocol

    def watch(group, device):
        computed.extend((c.layers, c.method, c.seed) for c in group)
        return original(group, device)

    watched = [
        experiments.Experiment(**(vars(item) | {"compute": watch})) if item.name == "dual_regression" else item
        for item in regression.EXPERIMENTS
    ]
    monkeypatch.setattr(regression, "EXPERIMENTS", watched)
    assert experiments.run("dual_regression", "quick", seeds=1, progress=False) == 0 and not computed
    lost = before["run_key"].iloc[0]
    records.merge("dual_regression", "quick", lambda runs: set(runs["run_key"]) - {lost})
    assert experiments.run("dual_regression", "quick", seeds=1, progress=False) == 1 and len(computed) == 1
    pd.testing.assert_frame_equal(records.load("dual_regression", "quick")[CONTRACT], before[CONTRACT])
    computed.clear()
    assert experiments.run("dual_regression", "quick", seeds=2, progress=False) == 10
    assert {seed for _, _, seed in computed} == {1}


COMMAND = ["run", "dual_regression", "--scale", "quick", "--seeds", "1"]


def test_a_setting_that_all_runs_share_can_be_changed(capsys):
    """Such runs have keys of their own beside those of the plan; the value is a number where it reads as one."""
    changes = {"lr": 0.002, "noise_std": 0}
    assert main([*COMMAND, "--set", "lr=0.002", "--set", "noise_std=0"]) == 0
    assert "dual_regression (quick): 10 runs computed" in capsys.readouterr().out
    changed = experiments.planned("dual_regression", "quick", 1, changes)
    assert {c.lr for c in changed.values()} == {0.002}
    assert records.keys("dual_regression", "quick") == changed.keys()
    assert not experiments.missing_runs("dual_regression", "quick", 1, changes)
    planned = experiments.planned("dual_regression", "quick", 1)
    assert experiments.missing_runs("dual_regression", "quick", 1) == planned.keys()
    assert main(COMMAND) == 0
    for own, plan, found in ((changes, changed, {"lr": 0.002, "noise_std": 0.0}), ({}, planned, {})):
        frame = experiments.load("dual_regression", "quick", 1, changes=own)
        assert set(frame["run_key"]) == plan.keys() and set(frame["changed"]) == {canonical_json(found)}
        assert ("lr" in frame) == bool(own)
    assert set(records.load("dual_regression", "quick", lr=0.002)["run_key"]) == changed.keys()
    with pytest.raises(records.RecordError, match=r"different settings \(lr: 0.001, 0.002; noise_std: 0"):
        records.load("dual_regression", "quick")
    # and the state of the campaign counts them apart
    assert main(["records", "merge", "dual_regression", "--seeds", "1"]) == 0
    (row,) = [r for r in experiments.status() if (r["experiment"], r["scale"]) == ("dual_regression", "quick")]
    assert (row["on_record"], row["missing"], row["changed"], row["unplanned"], row["parts"]) == (10, 20, 10, 0, 0)
    capsys.readouterr()
    main(["status"])
    assert "10 of     30 runs (and 10 changed)" in capsys.readouterr().out


def test_a_change_to_what_is_planned_anyway_is_none():
    (first, *_), changed = experiments.plan_of("dual_regression", "quick", 1, {"lr": 0.001, "turns": 6})
    assert changed == {} and first.run_key in experiments.planned("dual_regression", "quick", 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "layers=2"], "dual_regression has no layers that all runs share: use dataset"),
        (["--set", "model=clip_rn50"], "dual_regression has no model that all runs share"),
        (["--set", "experiment=other"], "dual_regression has no experiment that all runs share"),
        (["--set", "protocol=2"], "dual_regression has no protocol that all runs share"),
        (["--set", "lr"], "--set needs NAME=VALUE, got 'lr'"),
        (["--set", "turns=abc"], "dual_regression, 10 runs: turns: "),
        (["--set", "turns=-3"], "dual_regression, 10 runs: turns: "),
        (["--set", "lr=-1"], "dual_regression, 10 runs: lr: "),
        (["--set", "lr=NaN"], "dual_regression, 10 runs: lr: "),
        (["--seeds", "1000000000"], "1,000,000,000 seeds of dual_regression would be 10,000,000,000 runs"),
        (["--seeds", "0"], "seeds must be at least 1, got 0"),
    ],
)
def test_nonsense_is_refused_before_anything_is_computed(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(computing, "compute_group", lambda *_: pytest.fail("computes"))
    assert main([*COMMAND, *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1


def test_more_data_than_there_are_is_refused(capsys):
    assert main(["run", "dual_imbalance", "--scale", "quick", "--set", "train_size=1000000000"]) == 1
    assert "1,000,000,000" in capsys.readouterr().err


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Derived(Configuration):
    run: str
    unfolding: str = "slices"


def made_up(name, plan, parent=None):
    return experiments.Experiment(name, "", {"quick": 2}, plan, ("run" if parent else "method",), None, parent=parent)


@pytest.fixture
def family(monkeypatch):
    """An experiment, one of its records, and one of the records of that."""

    def derived(name):
        return lambda parents, scale: [
            Derived(experiment=name, protocol=1, seed=c.seed, run=c.run_key) for c in parents
        ]

    family = [
        made_up("first", lambda scale, seeds: [configuration("a", seed, "first") for seed in range(seeds)]),
        made_up("second", derived("second"), "first"),
        made_up("third", derived("third"), "second"),
    ]
    monkeypatch.setattr(registry, "registry", lambda: {item.name: item for item in family})


def test_derived_experiments_accept_the_changes_of_their_parents(family):
    for parent, name in (("first", "second"), ("second", "third")):
        for changes in ({}, {"lr": 0.2}):
            plan = experiments.planned(name, "quick", changes=changes)
            runs = [c.run for c in plan.values()]
            assert runs == list(experiments.planned(parent, "quick", changes=changes)) and len(runs) == 2
            assert experiments.plan_of(name, "quick", 1, changes)[1] == changes
    plan, changed = experiments.plan_of("third", "quick", 1, {"unfolding": "other", "lr": 0.2})
    assert changed == {"unfolding": "other", "lr": 0.2}
    assert plan[0].unfolding == "slices"  # the nearest parent that has a setting takes the change
    assert plan[0].run in experiments.planned("second", "quick", 1, changed)


def test_every_change_of_a_parent_is_checked_there(family):
    with pytest.raises(ValueError, match="third has no nothing that all runs share: use unfolding, lr, method"):
        experiments.planned("third", "quick", changes={"nothing": 1})
    with pytest.raises(ValueError, match="first, 2 runs: lr: "):
        experiments.planned("third", "quick", changes={"lr": "fast"})


def test_a_run_does_not_depend_on_its_neighbours():
    everything = experiments.planned("dual_regression", "quick", 2)
    chosen = {key: c for key, c in everything.items() if c.layers == 2}
    together = regression.compute_protocol(list(chosen.values()), "cpu").set_index(["run_key", "turn", "test_inputs"])
    key, configuration = list(chosen.items())[7]
    alone = regression.compute_protocol([configuration], "cpu").set_index(["run_key", "turn", "test_inputs"])
    pd.testing.assert_series_equal(together.loc[key]["value"], alone.loc[key]["value"])


def test_a_killed_campaign_keeps_its_groups_and_goes_on(results):
    command = [sys.executable, "-m", "weightspace", "run", "dual_regression", "--scale", "quick", "--seeds", "30"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not records.keys("dual_regression", "quick"):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = records.load("dual_regression", "quick")
    assert (kept.groupby("run_key").size() == 7).all()
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert f"{300 - kept['run_key'].nunique()} runs computed" in finished.stdout
    assert records.load("dual_regression", "quick")["run_key"].nunique() == 300


def test_records_can_be_read_without_pytorch():
    """Importing it takes seconds, in every chapter and command: an experiment imports it where it computes."""
    code = "import sys; from weightspace import experiments; "
    code += "from weightspace.display.figures import curves; from weightspace.display.tables import common; "
    code += "experiments.registry(); "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_tuning_looks_at_training_rows_only(monkeypatch):
    """Wrecking every test target must not change what is chosen, only how it scores."""
    configuration = next(iter(experiments.planned("dual_regression_tuned", "quick", 1).values()))
    honest = regression.compute_tuned([configuration], "cpu")
    problem = protocol.load_problem("diabetes")
    subset = sampling.paper_training_indices(len(problem.x), 100, configuration.subset_seed)
    wrecked = problem.y.copy()
    wrecked[sampling.left_out(len(problem.x), subset)] += 100.0
    monkeypatch.setattr(regression, "load_problem", lambda name: replace(problem, y=wrecked))
    blind = regression.compute_tuned([configuration], "cpu")
    columns = ["method", "test_inputs", "chosen", "chosen_lr", "chosen_updates", "validation_value"]
    pd.testing.assert_frame_equal(honest[columns], blind[columns])
    assert (blind["value"] > 1e6).all()


def test_every_tuned_method_has_the_same_budget():
    assert {len(set(group)) for group in regression.TUNED.values()} == {tuning.BUDGET}


def test_a_choice_that_diverges_when_trained_again_is_passed_over(monkeypatch):
    configuration = next(iter(experiments.planned("dual_regression_tuned", "quick", 1).values()))

    class Exploding(OnlineNetworks):
        """The largest learning rate does best on held-out rows, but explodes on all training rows."""

        def score(self, x, y):
            result = super().score(x, y)
            held_out = len(x) < 60
            hot = self.settings["lr"] > 0.01
            return np.where(hot, 0.0 if held_out else np.nan, result)

    monkeypatch.setattr(protocol, "networks_on", lambda device: Exploding)
    frame = regression.compute_tuned([configuration], "cpu")
    for name in ("tuned_lr", "tuned_dual", "tuned_dual_stabilized"):
        assert (frame[frame["method"] == name]["chosen_lr"] <= 0.01).all()
    assert np.isfinite(frame["value"]).all()


def test_configurations_at_paper_scale_are_the_papers():
    plan = list(experiments.planned("dual_regression").values())
    assert len(plan) == 12 * 5 * 20
    assert {c.hidden for c in plan} == {(20,), (64, 32)}
    assert all(c.updates == 60_000 and c.lr == 1e-3 and c.subset_seed == 5 for c in plan)


def test_ensure_loads_or_says_what_to_run(capsys):
    with pytest.raises(
        records.RecordError, match="1200 runs of dual_regression are not on record.*python -m weightspace run"
    ):
        experiments.ensure("dual_regression")
    frame = experiments.ensure("dual_regression", "quick", seeds=1)
    assert "computed 10 runs" in capsys.readouterr().out and frame["run_key"].nunique() == 10
    assert frame.attrs == {"experiment": "dual_regression", "scale": "quick"}
    experiments.ensure("dual_regression", "quick", seeds=1)
    assert "10 runs loaded from the records" in capsys.readouterr().out
    experiments.ensure("dual_regression", "quick", seeds=1, recompute=True)
    assert "computed 10 runs" in capsys.readouterr().out


def test_command_line(capsys):
    assert main(["run", "dual_regression", "--scale", "quick", "--seeds", "1"]) == 0
    assert "10 runs computed" in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    rows = {(row["experiment"], row["scale"]): row for row in json.loads(capsys.readouterr().out)}
    assert rows["dual_regression", "quick"]["on_record"] == 10 and rows["dual_regression", "quick"]["missing"] == 20
    assert rows["dual_regression", "paper"]["on_record"] == 0
    assert main(["status"]) == 0
    assert "10 of     30 runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "duel"], "unknown experiment 'duel': use one of diversity_"),
        (["run", "dual_regression_tuned", "--device", "cuda"], "runs on cpu, not on 'cuda'"),
        (
            ["run", "dual_regression", "--device", "tpu"],
            "unknown device 'tpu': use cpu, cuda, a certain GPU such as cuda:1, or mps",
        ),
        (["run", "dual_regression", "--device", "cuda"], "install the NVIDIA driver, or compute with --device cpu"),
        (["reported", "dual_regression"], "no records of 'dual_regression'"),
    ],
)
def test_command_line_errors_are_one_clear_line(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1


def test_missing_data_are_a_clear_error(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("WEIGHTSPACE_DATA", str(tmp_path / "nowhere"))
    protocol.load_problem.cache_clear()
    assert main(["run", "dual_regression", "--seeds", "1"]) == 1
    assert "WEIGHTSPACE_DATA" in capsys.readouterr().err
    assert not records.path("dual_regression").exists()


def test_a_damaged_record_shows_in_the_status(capsys):
    file = records.path("dual_regression", "quick")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"PAR1 broken")
    assert main(["status"]) == 1
    assert "PROBLEM" in capsys.readouterr().out
    assert main(["run", "dual_regression", "--scale", "quick"]) == 1
    assert "damaged" in capsys.readouterr().err
    assert file.stat().st_size == 11


def test_one_bad_file_does_not_keep_the_status_from_the_others(capsys):
    experiments.run("dual_regression", "quick", seeds=1, progress=False)
    records.merge("dual_regression", "quick")
    bad = records.path("dual_sparse", "quick")
    bad.write_bytes(records.path("dual_regression", "quick").read_bytes())
    rows = {(row["experiment"], row["scale"]): row for row in experiments.status()}
    assert "it holds dual_regression at scale quick" in rows["dual_sparse", "quick"]["problem"]
    assert rows["dual_regression", "quick"]["on_record"] == 10 and not rows["dual_regression", "quick"]["problem"]
    assert len(rows) == sum(len(item.seeds) for item in experiments.registry().values())
    assert main(["records", "merge"]) == 1
    printed = capsys.readouterr()
    assert "dual_sparse.parquet" in printed.err and "dual_regression (quick): 10 runs" in printed.out


def test_rows_computed_elsewhere_keep_what_they_say_of_it():
    experiments.run("dual_regression", "quick", seeds=1, progress=False)
    rows = records.load("dual_regression", "quick").assign(
        device="another", time="2020-01-01T00:00:00+00:00", threads=3
    )
    records.merge("dual_regression", "quick", lambda runs: [])
    plan = experiments.planned("dual_regression", "quick", 1)
    assert experiments.record("dual_regression", "quick", list(plan.values()), rows) == 10
    frame = records.load("dual_regression", "quick")
    assert (
        set(frame["device"]) == {"another"} and set(frame["threads"]) == {3} and frame["time"].str[:4].eq("2020").all()
    )


def test_a_folder_that_is_not_there_is_found_before_the_report_is_computed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("weightspace.display.checkpoint.report", lambda *_: pytest.fail("computes"))
    assert main(["spectra", "model.pt", "--out", str(tmp_path / "nowhere" / "report.csv")]) == 1
    assert "there is no folder" in capsys.readouterr().err
