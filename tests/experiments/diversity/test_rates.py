"""Optimizers and learning rates of the campaigns are the best of their tuning."""

from weightspace import experiments
from weightspace.experiments.diversity import cifar10_settings, text_settings, transfer


def losses(name, *columns):
    """Mean loss on what was held out, after the last epoch, over the seeds of a tuning."""
    frame = experiments.load(name, "laptop")
    assert not experiments.missing_runs(name, "laptop")
    last = frame["epoch"] == frame["epoch"].max()
    final = frame[(frame["inputs"] == "validation") & (frame["metric"] == "loss") & last]
    return final.groupby(list(columns))["value"].mean()


def test_the_rates_are_the_best_of_the_tuning():
    recipe = tuple(cifar10_settings.RECIPE["laptop"].values())
    assert losses("diversity_tuning", "optimizer", "lr", "batch_size").idxmin() == recipe
    assert losses("diversity_transfer_tuning", "lr").idxmin() == transfer.RATES["laptop"]
    of_texts = losses("diversity_text_tuning", "dataset", "lr")
    for dataset, lr in text_settings.RATES["laptop"].items():
        assert of_texts[dataset].idxmin() == lr
