"""How campaigns are planned, for the sentences that describe them: read from the configurations of their runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from weightspace import experiments, names

_MAIN = "diversity_from_scratch"
_SHARED = ("train_size", "epochs", "lr", "batch_size", "width", "resolution")


def design(experiment: str, scale: str = "laptop") -> dict[str, object]:
    """``EXPERIMENT_settings``, ``_seeds`` and ``_baselines`` (of a seed): how many; ``_train_size``, ``_epochs``,
    ``_lr``, ``_batch_size``, ``_width`` and ``_resolution``, where the runs have such a setting: that of the first."""
    plan = _plan(experiment, scale)
    first = plan[0]
    found = {
        "settings": len({run.setting for run in plan}),
        "seeds": _seeds(plan),
        "baselines": sum(run.setting == "baseline" and run.seed == first.seed for run in plan),
    } | {name: getattr(first, name) for name in _SHARED if hasattr(first, name)}
    return _named(experiment, found)


def designs(*campaigns: str) -> dict[str, object]:
    """``design`` of several experiments."""
    return {name: value for experiment in campaigns for name, value in design(experiment).items()}


def augmentation_levels() -> int:
    """How many ways of changing the training images the main campaign has."""
    return len({run.augmentation for run in _plan(_MAIN)} - {""})


def map_design() -> dict[str, object]:
    """Of the map, which the main campaign is a part of: ``diversity_map_sizes`` and ``_seeds``."""
    plan = _plan("diversity_map")
    sizes = {run.train_size for run in (*plan, *_plan(_MAIN))}
    return _named("diversity_map", {"sizes": listed(sorted(sizes)), "seeds": _seeds(plan)})


def dual_spectra_design() -> dict[str, object]:
    """``dual_spectra_layers``, ``_datasets``, ``_sizes`` and ``_seeds``; ``_noise``, percent of wrong labels, and
    ``_noisy_size``, where there are any; of a seed, how many ``_baselines``, ``_decays`` (weight decay) and ``_rates``
    (of dropout), from ``_lowest_rate`` to ``_highest_rate``."""
    plan = _plan("dual_spectra", "paper")
    noisy = next(run for run in plan if run.label_noise)
    place = ("dataset", "layers", "train_size", "label_noise", "seed")
    of_one_cell = [run for run in plan if all(getattr(run, name) == getattr(noisy, name) for name in place)]
    rates = sorted(float(run.method.removeprefix("dropout_")) for run in of_one_cell if "dropout" in run.method)
    found = {
        "layers": listed(sorted({run.layers for run in plan})),
        "datasets": len({run.dataset for run in plan}),
        "sizes": listed(sorted({run.train_size for run in plan})),
        "noisy_size": noisy.train_size,
        "noise": 100 * noisy.label_noise,
        "seeds": _seeds(plan),
        "baselines": sum(run.method == "gradient_descent" for run in of_one_cell),
        "decays": sum(run.method.startswith("l2_squared") for run in of_one_cell),
        "rates": len(rates),
        "lowest_rate": rates[0],
        "highest_rate": rates[-1],
    }
    return _named("dual_spectra", found)


def dual_today_design() -> dict[str, object]:
    """``dual_today_cells``, ``_seeds``, ``_strengths`` (of a method) and ``_width`` (of the residual network).

    For images and for texts: ``_images``, the most training samples, ``_few_images``, and ``_images_noise``, percent of
    wrong labels.
    """
    plan = _plan("dual_today")
    cells = set(map(_cell_of, plan))
    strengths = {(run.method, run.strength) for run in plan if _cell_of(run) == _cell_of(plan[0])}
    found: dict[str, object] = {
        "cells": len(cells),
        "seeds": _seeds(plan),
        "strengths": sum(method == "weight_decay" for method, _ in strengths),
        "width": next(run.shape["width"] for run in plan if run.network == "resnet18"),
    }
    for kind, datasets in (("images", ("cifar10",)), ("texts", ("complaints",))):
        own = [run for run in plan if run.dataset in datasets]
        found |= {
            kind: max(run.train_size for run in own),
            f"few_{kind}": min(run.train_size for run in own),
            f"{kind}_noise": 100 * max(run.label_noise for run in own),
        }
    return _named("dual_today", found)


def listed(numbers: Iterable[float]) -> str:
    """Numbers as a sentence lists them: ``500, 1,000 and 5,000``."""
    return names.listed([f"{number:,}" for number in numbers])


def _cell_of(run: Any) -> tuple[object, ...]:
    return run.network, run.optimizer, run.train_size, run.label_noise


def _plan(experiment: str, scale: str = "laptop") -> Sequence[Any]:
    return list(experiments.planned(experiment, scale).values())


def _seeds(plan: Iterable[Any]) -> int:
    return len({run.seed for run in plan})


def _named(experiment: str, found: dict[str, object]) -> dict[str, object]:
    return {f"{experiment}_{name}": value for name, value in found.items()}
