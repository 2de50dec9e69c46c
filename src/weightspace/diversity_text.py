"""Paper A's text experiments: a small BERT fine-tuned with every regularizer and every training set, on several seeds.

The network is MiniLM-L6, as BERT of paper A with a new linear head and dropout. Tasks: the complaints of paper A with
the released training sets, and SST-2 with augmentation of our own (``text_sets``). All settings of a seed share the
initial weights of the head and, where the sets are of one size, the order of the rows. Two arms stand beside the main
one: ``independent``, baselines of other seeds as in ``diversity_cifar10``, and ``paper_rate``, the baseline with paper
A's learning rate where the main arm has a tuned one.
"""

from __future__ import annotations

import pandas as pd

from weightspace import text_sets
from weightspace.diversity_cifar10 import BASELINE, explicit_settings, independent_seeds
from weightspace.diversity_protocol import base_configuration
from weightspace.experiments import Configuration, Experiment

TASKS = {"paper": ("complaints", "sst2"), "laptop": ("complaints", "sst2"), "quick": ("made_up",)}
EVERY = {
    "paper": {"complaints": 1, "sst2": 24},
    "laptop": {"complaints": 7, "sst2": 170},
    "quick": {"made_up": 2},
}
"""Every so many texts of a training set are taken; of SST-2, which is larger, about as many as of the complaints."""
SIZES: dict[str, Configuration] = {
    "paper": {"encoder": {}, "length": 64, "epochs": 5},
    "laptop": {"encoder": {}, "length": 64, "epochs": 2},
    "quick": {
        "encoder": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32},
        "length": 16,
        "epochs": 1,
    },
}
"""encoder: sizes other than MiniLM's, with random weights. length: tokens of a text, the rest is cut."""

PAPER_RATE = 1e-5
RATES = {
    "paper": {"complaints": PAPER_RATE, "sst2": PAPER_RATE},
    "laptop": {"complaints": 1e-4, "sst2": 1e-4},
    "quick": {"made_up": 1e-2},
}
"""Learning rates: paper A's; at scale laptop, of far fewer updates, the best of ``diversity_text_tuning``."""

QUICK_SETTINGS = ("baseline", "dropout_0.5", "weight_decay_0.005", "sr_0.5", "gen", "added_0.5")


def task_configuration(experiment: str, scale: str, dataset: str) -> Configuration:
    """What every run of an experiment on one task has in common. Optimizer and batch size are those of paper A."""
    return base_configuration(experiment, scale, SIZES) | {
        "model": "minilm_l6",
        "dataset": dataset,
        "every": EVERY[scale][dataset],
        "optimizer": "adam",
        "batch_size": 32,
    }


def settings(scale: str, dataset: str) -> list[Configuration]:
    """The settings of the main arm: category, dropout, weight decay and training set (``augmentation``) of each."""
    everything = explicit_settings() + [
        BASELINE | {"setting": name, "category": category, "augmentation": name}
        for category, names in text_sets.sets_of(dataset).items()
        for name in names
    ]
    return [setting for setting in everything if scale != "quick" or setting["setting"] in QUICK_SETTINGS]


def configurations(scale: str, seeds: int) -> list[Configuration]:
    """The most informative runs first: an interrupted campaign has whole seeds of the main arm of both tasks."""
    shared = {dataset: task_configuration("diversity_text", scale, dataset) for dataset in TASKS[scale]}
    arms = [
        shared[dataset] | setting | {"arm": "main", "lr": RATES[scale][dataset], "seed": seed}
        for seed in range(seeds)
        for dataset in TASKS[scale]
        for setting in settings(scale, dataset)
    ]
    baselines = [run for run in arms if run["setting"] == "baseline"]
    arms += [
        run | {"arm": "independent", "seed": other} for run in baselines for other in independent_seeds(run["seed"])
    ]
    return arms + [run | {"arm": "paper_rate", "lr": PAPER_RATE} for run in baselines if run["lr"] != PAPER_RATE]


def compute(group: list[Configuration], device: str) -> pd.DataFrame:
    from weightspace.diversity_text_runs import train_and_measure  # PyTorch takes seconds to import

    (configuration,) = group
    return train_and_measure(configuration, device)


EXPERIMENTS = [
    Experiment(
        "diversity_text",
        "MiniLM fine-tuned on texts: augmentation, synthetic texts, dropout and weight decay",
        {"quick": 2, "laptop": 3, "paper": 5},
        configurations,
        ("dataset", "arm", "setting", "seed"),
        compute,
        ("cpu", "cuda"),
        needs_gpu=("paper",),
    )
]
