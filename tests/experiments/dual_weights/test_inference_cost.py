"""The inference cost: turns, what a record holds, and ratios on made-up times. No timing is judged."""

import numpy as np
import pandas as pd
import pytest
import torch

from weightspace import experiments
from weightspace.analysis import inference_ratios
from weightspace.campaigns import records
from weightspace.display import tables
from weightspace.experiments.dual_weights import inference_cost


def test_the_quick_scale_fills_the_record(results):
    threads, random_state = torch.get_num_threads(), torch.get_rng_state()
    assert experiments.run("dual_inference_cost", "quick", seeds=1, progress=False) == 2  # batch sizes
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), random_state)
    frame = records.load("dual_inference_cost", "quick")
    assert {"model", "batch", "form", "seed", "metric", "value", *records.PROVENANCE} <= set(frame.columns)
    assert len(frame) == 2 * 3 * 3 and np.isfinite(frame["value"]).all() and (frame["value"] > 0).all()
    assert set(frame["form"]) == set(inference_cost.FORMS) and set(frame["data_variant"]) == {"none"}
    size = frame[frame["metric"] == "parameter_bytes"].groupby("form")["value"].unique().str[0]
    weights, biases = 784 * 64 + 64 * 32 + 32 * 10, 64 + 32 + 10
    assert size["plain"] == size["folded"] == 4 * (weights + biases)
    assert size["dual"] == 4 * (2 * weights + biases)
    assert len(inference_ratios.table(frame)) == 4
    assert "none" not in " ".join(tables.common.data_sets()["files used by the records"]).replace("none yet", "")


def test_paper_scale_is_both_models_at_both_batch_sizes():
    plan = list(experiments.planned("dual_inference_cost").values())
    assert {(c.model, c.batch) for c in plan} == {(m, b) for m in inference_cost.MODELS for b in (1, 64)}
    assert len(plan) == 4 * 20 and {c.threads for c in plan} == {1}


@pytest.mark.parametrize("model", inference_cost.MODELS)
def test_the_forms_compute_what_they_should(model):
    torch.manual_seed(0)
    forms = inference_cost.make_forms(model)
    x = torch.randn(2, *inference_cost.MODELS[model]["input"])
    with torch.no_grad():
        torch.testing.assert_close(forms["folded"](x), forms["dual"](x), rtol=1e-4, atol=1e-4)
    assert [(n, type(m)) for n, m in forms["folded"].named_modules()] == [
        (n, type(m)) for n, m in forms["plain"].named_modules()
    ]


def test_all_take_turns_and_each_begins_a_round():
    order = []
    calls = {name: (lambda name=name: order.append(name)) for name in "abc"}
    taken = inference_cost.seconds_in_turns(calls, repeat=2, rounds=3)
    assert "".join(order) == "abc" + "aabbcc" + "bbccaa" + "ccaabb"
    assert {name: len(values) for name, values in taken.items()} == {"a": 3, "b": 3, "c": 3}


def made_up(factor, repetitions=20):
    """Folded as fast as plain, dual slower by ``factor``, on a machine whose speed varies between repetitions."""
    rng = np.random.default_rng(0)
    rows = []
    for seed in range(repetitions):
        speed = rng.lognormal(0, 1)
        for form, ratio, size in (("plain", 1.0, 4.0), ("folded", 1.0, 4.0), ("dual", factor, 8.0)):
            ratio = ratio if form == "plain" else ratio * rng.lognormal(0, 0.02)
            values = {"latency_ms": speed * ratio, "latency_ratio": ratio, "parameter_bytes": size}
            rows += [
                {"model": "resnet18", "batch": 1, "form": form, "seed": seed, "metric": metric, "value": value}
                for metric, value in values.items()
            ]
    return pd.DataFrame(rows)


def test_ratios_find_the_known_factors():
    frame = made_up(2.5)
    found = inference_ratios.ratios(frame).set_index("form")
    assert found.loc["folded", "low"] < 1.01 and found.loc["folded", "high"] > 0.99
    assert found.loc["dual", "low"] < 2.5 < found.loc["dual", "high"]
    assert found["n"].eq(20).all() and found["memory"].to_dict() == {"folded": 1.0, "dual": 2.0}
    assert inference_ratios.largest_deviation(frame, "folded") < 0.02
    assert inference_ratios.largest_deviation(frame, "dual") == pytest.approx(1.5, abs=0.05)
