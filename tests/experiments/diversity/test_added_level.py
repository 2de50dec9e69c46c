"""One more augmentation level is one entry: plans grow, ``status`` shows what is missing, pages show what is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from weightspace.experiments.diversity import scratch_settings

ENTRY = '    Level("posterize", "fewer grey levels", lambda t: t.RandomPosterize(4, p=1.0)),\n'

#: Run with the entry. Records of the spectra are made up, first without the level, then with it for a part of the
#: seeds, then for all of them.
READ = """
import json
import sys

import numpy as np
import pandas as pd

from weightspace import experiments
from weightspace.analysis.regularizer_effects import MEASURES, OUTCOMES, effects, outcomes
from weightspace.campaigns import records
from weightspace.display.labels import setting_label
from weightspace.data import augmentations

NAME = "diversity_from_scratch_spectra"
MEASURE = MEASURES["folded"][2]
SCORES = (("test", "accuracy_percent"), ("train_clean", "accuracy_percent"), ("train_clean", "loss"))
rng = np.random.default_rng(0)


def made_up(runs):
    rows = []
    for run in runs:
        identity = {name: getattr(run, name) for name in ("category", "setting", "seed", "replicate", "run_key")}
        identity |= {"epoch": 40, "dataset": "cifar10", "configuration": run.to_json()}
        for layer in range(1, 6):
            rows.append(identity | {"inputs": "", "layer": layer, **vars(MEASURE), "value": rng.normal()})
        for inputs, metric in SCORES:
            none = {"batch_norm": "", "unfolding": ""}
            rows.append(identity | {"inputs": inputs, "layer": 0, "metric": metric, **none, "value": rng.uniform(1, 9)})
    origin = {"changed": "{}", "device": "cpu", "precision": "float32", "threads": 1, "versions": "v", "revision": "r"}
    origin |= {"data_digest": "d", "data_variant": "canonical", "seconds": 0.1, "time": "2026-01-01T00:00:00+00:00"}
    return pd.DataFrame(rows).assign(**origin)


def shown():
    frame = experiments.ensure(NAME, "laptop")
    found = effects(frame, MEASURE)
    return [sorted(found.settings["setting"]), sorted(outcomes(frame, next(iter(OUTCOMES))).index), found.seeds]


plan = list(experiments.planned(NAME, "laptop").values())
new = [run for run in plan if run.setting == "posterize"]
answer = {
    "keys": list(experiments.planned("diversity_from_scratch", "laptop")),
    "levels": augmentations.ALL,
    "label": setting_label("posterize"),
}
steps = {"without": [run for run in plan if run.setting != "posterize"], "some": new[:4], "all": new[4:]}
for step, runs in steps.items():
    records.write_part(NAME, "laptop", step, made_up(runs))
    answer[step] = {
        "missing": len(experiments.missing_runs(NAME, "laptop")),
        "left_out": experiments.left_out(NAME, "laptop"),
        "shown": shown(),
    }
    answer[step]["scale"] = experiments.committed_scale(NAME)
    if step == "some":
        [line] = [row for row in experiments.status() if (row["experiment"], row["scale"]) == (NAME, "laptop")]
        answer["status"] = line["missing"]
json.dump(answer, open(sys.argv[1], "w"))
"""


@pytest.fixture(scope="module")
def answer(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("added_level")
    package = root / "src" / "weightspace"
    for source in [*package.rglob("*.py"), *package.rglob("*.csv")]:
        copy = folder / "src" / "weightspace" / source.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text()
        if source.name == "augmentations.py":
            before, end, after = text.partition("_flip_and_crop),\n")
            assert end
            text = before + end + ENTRY + after
        copy.write_text(text)
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "WEIGHTSPACE_RESULTS": str(folder / "results")}
    command = [sys.executable, "-c", READ, str(folder / "answer.json")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "answer.json").read_text()) | {"printed": done.stdout.splitlines()}


def test_plans_grow_by_the_level_and_keep_every_key(answer):
    before = [c.run_key for c in scratch_settings.configurations("laptop", 10)]
    assert len(answer["keys"]) == len(before) + 10 and set(before) < set(answer["keys"])
    assert answer["levels"][-1] == "posterize" and answer["label"] == "fewer grey levels"


def test_status_shows_it_missing_until_the_last_seed(answer):
    assert [answer[step]["missing"] for step in ("without", "some", "all")] == [10, 6, 0] and answer["status"] == 6
    assert [answer[step]["left_out"] for step in ("without", "some", "all")] == [["posterize"], ["posterize"], []]


def test_what_reads_the_records_shows_what_is_whole(answer):
    before = {c.setting for c in scratch_settings.configurations("laptop", 1)}
    for step, expected in (("without", before), ("some", before), ("all", before | {"posterize"})):
        judged, described, seeds = answer[step]["shown"]
        assert set(judged) == expected - {"baseline"} and set(described) >= set(judged) and seeds == 10
        assert answer[step]["scale"] == "laptop"
    said = [line for line in answer["printed"] if "not on record yet" in line]
    assert said == ["diversity_from_scratch_spectra: not on record yet, and not shown: posterize"] * 2
