"""What pages say of a campaign is what is planned."""

from weightspace.analysis import designs
from weightspace.experiments.diversity import scratch_settings


def test_a_design_is_that_of_the_runs():
    found = designs.designs("diversity_from_scratch", "diversity_cifar10")
    assert found["diversity_from_scratch_baselines"] == scratch_settings.BASELINES
    per_seed = found["diversity_from_scratch_settings"] - 1 + scratch_settings.BASELINES
    plan = scratch_settings.configurations("laptop", found["diversity_from_scratch_seeds"])
    assert len(plan) == per_seed * found["diversity_from_scratch_seeds"]
    assert {run.train_size for run in plan} == {found["diversity_from_scratch_train_size"]}
    assert "diversity_cifar10_epochs" in found and "diversity_cifar10_width" in found
