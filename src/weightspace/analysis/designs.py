"""How campaigns are planned, for the sentences that describe them: read from the configurations of their runs."""

from __future__ import annotations

from weightspace import experiments

_SHARED = ("train_size", "epochs", "lr", "batch_size", "width")


def design(experiment: str, scale: str = "laptop") -> dict[str, object]:
    """``EXPERIMENT_settings``, ``_seeds`` and ``_baselines`` (of a seed): how many; ``_train_size``, ``_epochs``,
    ``_lr``, ``_batch_size`` and ``_width``, where the runs have such a setting: that of the first."""
    plan = list(experiments.planned(experiment, scale).values())
    first = plan[0]
    found = {
        "settings": len({run.setting for run in plan}),
        "seeds": len({run.seed for run in plan}),
        "baselines": sum(run.setting == "baseline" and run.seed == first.seed for run in plan),
    } | {name: getattr(first, name) for name in _SHARED if hasattr(first, name)}
    return {f"{experiment}_{name}": value for name, value in found.items()}


def designs(*names: str) -> dict[str, object]:
    """``design`` of several experiments."""
    return {name: value for experiment in names for name, value in design(experiment).items()}
