"""What pages say of a campaign is what is planned."""

from weightspace.analysis import designs
from weightspace.data import augmentations
from weightspace.experiments.diversity import scratch_controls, scratch_settings
from weightspace.experiments.dual_weights import spectra, today_settings


def test_a_design_is_that_of_the_runs():
    found = designs.designs("diversity_from_scratch", "diversity_cifar10")
    assert found["diversity_from_scratch_baselines"] == scratch_settings.BASELINES
    per_seed = found["diversity_from_scratch_settings"] - 1 + scratch_settings.BASELINES
    plan = scratch_settings.configurations("laptop", found["diversity_from_scratch_seeds"])
    assert len(plan) == per_seed * found["diversity_from_scratch_seeds"]
    assert {run.train_size for run in plan} == {found["diversity_from_scratch_train_size"]}
    assert "diversity_cifar10_epochs" in found and "diversity_cifar10_width" in found


def test_numbers_of_the_rules_are_those_of_the_plans():
    assert designs.listed([500, 1000, 5000]) == "500, 1,000 and 5,000" and designs.listed([2]) == "2"
    assert 10 <= designs.augmentation_levels() <= len(augmentations.ALL)
    sizes = {run.train_size for run in scratch_controls.sizes("laptop", 1)}
    assert all(f"{size:,}" in designs.map_design()["diversity_map_sizes"] for size in sizes)
    found = designs.dual_spectra_design()
    assert found["dual_spectra_decays"] == len(spectra.L2_STRENGTHS)
    assert found["dual_spectra_baselines"] == spectra.REPLICATES
    rates = (found["dual_spectra_lowest_rate"], found["dual_spectra_highest_rate"], found["dual_spectra_rates"])
    assert rates == (min(spectra.DROPOUT_RATES), max(spectra.DROPOUT_RATES), len(spectra.DROPOUT_RATES))
    today = designs.dual_today_design()
    assert today["dual_today_strengths"] == today_settings.STRENGTHS
    per_cell = 6 * today_settings.STRENGTHS * today["dual_today_seeds"]
    assert (
        len(today_settings.configurations("laptop", today["dual_today_seeds"])) == per_cell * today["dual_today_cells"]
    )
