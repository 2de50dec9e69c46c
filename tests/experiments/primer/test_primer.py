"""The simulations of the primer: ensembles against closed forms, experiments that repeat, regularizers that act."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from weightspace import experiments
from weightspace.analysis import primer_facts, training_facts
from weightspace.analysis.frames import select
from weightspace.campaigns.configuration import with_changes
from weightspace.experiments.primer import spectra_primer, training_spectra
from weightspace.measures.statistics import fraction_interval
from weightspace.spectra import eigenvalues, marchenko_pastur, random_matrices


@pytest.mark.parametrize("Q", [1, 4])
def test_noise_has_the_moments_of_the_law(Q):
    values = random_matrices.noise_spectra(Q, 60, 40)
    for moment, law in ((1, 1.0), (2, 1 + 1 / Q), (3, 1 + 3 / Q + 1 / Q**2)):
        own = (values**moment).mean(axis=1)
        # finite sides add terms of order 1 / M to the higher moments
        assert own.mean() == pytest.approx(law, abs=4 * stats.sem(own) + (moment - 1) * 3 / 60)


def test_planted_directions_have_the_strengths_they_were_given():
    N, M, strengths = 80, 40, [0.5, 2.0, 7.0]
    whole = random_matrices.spiked(N, M, strengths, np.random.default_rng(3))
    planted = whole - random_matrices.gaussian(N, M, np.random.default_rng(3))
    threshold = marchenko_pastur.bbp_threshold(N / M)
    np.testing.assert_allclose(eigenvalues(planted)[-3:] / N / threshold, strengths)
    assert np.linalg.matrix_rank(planted) == 3
    with pytest.raises(ValueError, match="must not be negative"):
        random_matrices.spiked(N, M, [-1.0], np.random.default_rng(0))


@pytest.mark.parametrize("strength", [0.2, 4.0])
def test_the_largest_eigenvalue_lies_where_theory_puts_it(strength):
    N, M = 400, 200
    matrices = [random_matrices.spiked(N, M, [strength], np.random.default_rng(seed)) for seed in range(20)]
    largest = np.array([eigenvalues(matrix)[-1] / N for matrix in matrices])
    if strength < 1:  # as if nothing had been planted
        law = marchenko_pastur.tracy_widom_edge(N, M, level=0.5) / N
    else:
        law = marchenko_pastur.spike_location(strength * marchenko_pastur.bbp_threshold(2), 2)
    assert largest.mean() == pytest.approx(law, abs=4 * stats.sem(largest))


@given(mu=st.floats(0.5, 6), seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_heavy_tailed_entries_follow_their_law(mu, seed):
    entries = random_matrices.heavy_tailed(100, 100, mu, np.random.default_rng(seed)).ravel()
    assert np.abs(entries).min() >= 1
    assert stats.kstest(np.abs(entries), stats.pareto(mu).cdf).pvalue > 1e-6
    assert stats.binomtest(int((entries > 0).sum()), entries.size).pvalue > 1e-6


def test_power_law_samples_have_the_density_they_promise():
    sample = random_matrices.power_law_sample(5000, 2.7, np.random.default_rng(0))
    assert stats.kstest(sample, stats.pareto(1.7).cdf).pvalue > 1e-3
    with pytest.raises(ValueError, match="alpha must be above 1"):
        random_matrices.power_law_sample(5, 1.0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="tail index must be positive"):
        random_matrices.heavy_tailed(5, 5, 0, np.random.default_rng(0))


def compute(study, ensemble, N, M, seeds, **settings):
    settings = {"strength": 0.0, "tail_index": 0.0} | settings
    kind = partial(spectra_primer.PrimerConfiguration, experiment="spectra_primer", study=study, ensemble=ensemble)
    return spectra_primer.compute([kind(N=N, M=M, seed=seed, **settings) for seed in range(seeds)], "cpu")


def test_noise_passes_its_edge_once_in_twenty():
    rows = select(compute("edge", "gaussian", 80, 40, 300), metric="above_edge")
    assert stats.binomtest(int(rows["value"].sum()), 300, 0.05).pvalue > 1e-3


def test_spikes_are_found_where_they_are_strong_and_only_there():
    weak = primer_facts.detection(compute("spike", "spiked", 100, 50, 40, strength=0.2))
    strong = primer_facts.detection(compute("spike", "spiked", 100, 50, 40, strength=5.0))
    assert weak["share"].item() < 0.25 and strong["share"].item() == 1.0


def test_ten_planted_directions_are_ten_spikes_and_no_power_law():
    rows = compute("kinds", "spiked", 400, 200, 8).pivot(index="seed", columns="metric", values="value")
    assert rows["num_spikes"].between(10, 12).all() and rows["num_spikes"].median() == 10
    assert (rows["D_mp"] < 0.04).all()


def test_stable_ranks_of_a_kernel_follow_its_unfolding():
    rows = compute("unfolding", "gaussian", 64, 64, 10).pivot(index="seed", columns="metric", values="value").mean()
    # sum / max of the Marchenko-Pastur law: 9 M / 4 for nine square slices, M / (1 + 1/3)^2 for one of Q = 9
    assert rows["stable_rank_slices"] == pytest.approx(144, rel=0.06)
    assert rows["stable_rank_reshaped"] == pytest.approx(36, rel=0.06)


def test_scaling_moves_only_what_depends_on_scale():
    values = random_matrices.noise_spectra(2, 50, 1)[0]
    table = primer_facts.scaled(values, [1e-3, 1.0, 100.0])
    assert np.ptp(table["alpha"]) < 1e-9
    assert table["alpha_absolute"].iloc[1] == table["alpha"].iloc[1] and np.isnan(table["alpha_absolute"].iloc[0])
    steps = np.diff(table["alpha_weighted"]) / table["alpha"].iloc[0]
    np.testing.assert_allclose(steps, [6, 4])  # log10 of the squared factor


def test_shares_have_wilson_intervals():
    share, low, high = fraction_interval([True] * 3 + [False] * 17)
    other = stats.binomtest(3, 20).proportion_ci(method="wilson")
    assert (share, low, high) == pytest.approx((0.15, other.low, other.high))
    with pytest.raises(ValueError, match="at least one trial"):
        fraction_interval([])


@pytest.mark.parametrize("name", ["spectra_primer", "training_spectra"])
def test_a_run_depends_on_its_configuration_only(name):
    plan = list(experiments.planned(name, "quick", 2).values())
    compute_runs = experiments.get(name).compute
    last = plan[-1]
    group = [c for c in plan if all(getattr(c, key) == getattr(last, key) for key in experiments.get(name).group_by)]
    together = compute_runs(group, "cpu")
    alone = compute_runs([last], "cpu")
    own = together[together["run_key"] == alone["run_key"].iloc[0]].reset_index(drop=True)
    assert len(own) and np.isfinite(alone["value"]).all()
    pd.testing.assert_frame_equal(own, alone)


def looks(arm, updates=30, **changed):
    configuration = training_spectra.configuration(arm, 1, "quick")
    return list(training_spectra.train(with_changes(configuration, {"updates": updates} | changed)))


def test_training_begins_with_noise_and_learns():
    run = looks("plain", 120)
    start = marchenko_pastur.fit(run[0].eigenvalues[1], 512)
    assert start.sigma == pytest.approx((2 / 512) ** 0.5, rel=0.02)  # the weights that it was given
    assert start.D < 0.05 and start.num_spikes <= 1
    assert run[0].update == 0 and run[-1].update == 120
    assert run[-1].train_loss < 0.1 * run[0].train_loss and run[-1].test_accuracy_percent > 85
    end = marchenko_pastur.fit(run[-1].eigenvalues[1], 512)
    assert 7 <= end.num_spikes <= 13 and end.sigma == pytest.approx(start.sigma, rel=0.03)


def test_regularizers_act_on_the_first_update_already():
    plain, decay, dropout = (looks(arm, 1) for arm in training_spectra.ARMS)
    assert plain[0].train_loss == decay[0].train_loss == dropout[0].train_loss
    # one step with decay subtracts lr * decay * W, and with it 2 lr decay |W|^2 from the squared norm
    change = (plain[1].eigenvalues[1].sum() - decay[1].eigenvalues[1].sum()) / plain[0].eigenvalues[1].sum()
    assert change == pytest.approx(2 * 0.1 * 0.002, rel=0.02)
    assert not np.allclose(plain[1].eigenvalues[1], dropout[1].eigenvalues[1], rtol=1e-9)


def test_recorded_spectra_are_those_of_the_training():
    configuration = with_changes(training_spectra.configuration("dropout", 0, "quick"), {"updates": 3})
    frame = training_spectra.compute([configuration], "cpu")
    for look in training_spectra.train(configuration):
        for layer, values in enumerate(look.eigenvalues, start=1):
            (stored,) = select(frame, update=look.update, layer=layer, metric="eigenvalues")["eigenvalues"]
            np.testing.assert_allclose(np.frombuffer(stored, "<f4"), values, rtol=1e-6)
    with pytest.raises(ValueError, match="unknown arm 'none'"):
        training_spectra.configuration("none", 0)


def test_dropout_elsewhere_is_what_the_records_of_its_runs_differ_by(monkeypatch):
    """Against a sum over the rows: runs with dropout minus the baseline of their seed, all layers but the last."""
    found = training_facts.dropout_elsewhere("0.1").set_index("experiment")
    assert list(found.index) == list(training_facts.ELSEWHERE)
    frame = experiments.load("diversity_transfer_spectra", "laptop")
    rows = frame[(frame["arm"] == "main") & (frame["unfolding"] == "slices") & (frame["metric"] == "num_spikes")]
    rows = rows[(rows["epoch"] == rows["epoch"].max()) & rows["layer"].between(1, rows["layer"].max() - 1)]
    values = rows.pivot_table(index=["seed", "layer"], columns="setting", values="value")
    expected = (values["dropout_0.1"] - values["baseline"]).mean()
    assert found.loc["diversity_transfer_spectra", "spikes"] == pytest.approx(expected)
    monkeypatch.setattr(experiments, "complete", lambda *_: False)
    assert training_facts.dropout_elsewhere().empty
