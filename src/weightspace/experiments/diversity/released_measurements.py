"""Paper A's released measurements as records: how the spectrum of every layer changed in training, in every setting.

``released_measurements``: per model, task and setting, for every layer that training changed, after - before of four
WeightWatcher metrics, and the accuracies, calibration errors and Vendi scores of the release. One unseeded run per
setting; nothing is trained here. The quick scale needs no data: it draws changes that are noise in every setting but
weight decay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from weightspace.campaigns.configuration import IDENTITY, LATER, STRICT, Configuration, Count, dataclass
from weightspace.campaigns.registry import Experiment
from weightspace.data import released
from weightspace.data.released import Release

BASELINE = "bs"
METRICS = ("alpha", "entropy", "log_norm", "log_spectral_norm")
"""WeightWatcher's exponent, normalised entropy, log10 of the squared Frobenius and of the squared spectral norm."""
MODELS = {
    "clip_rn50": "CLIP RN50",
    "clip_vit_b32": "CLIP ViT-B/32",
    "resnet18": "ResNet-18 from scratch",
    "bert": "BERT",
}
TASKS = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "cars": "Stanford Cars",
    "domainnet": "DomainNet, 34 classes",
    "domain": "142-class domain set",
    "complaints": "Twitter complaints",
}

FOLDERS = {
    "clip_rn50": {"cifar10": "cf10-rn", "cifar100": "cf100-rn", "cars": "car_train", "domainnet": "domainnet"},
    "clip_vit_b32": {"cifar10": "cf10", "cifar100": "cf100", "cars": "car", "domain": "domain"},
    "resnet18": {"cifar10": "train_from_scratch_10_cf10"},
    "bert": {"complaints": "bert"},
}
"""Folder of the release per model and task, as the authors' notebooks read them."""

AUGMENTATIONS = ("Auto", "Rand", "AugM", "TrAu", "Noize10", "Noize30", "Noize50", "Auto1", "Auto2", "Auto3")
DROPOUT = ("0.1", "0.3", "0.5", "0.7")
WEIGHT_DECAY = ("1e-05", "5e-05", "0.0001", "0.0005", "0.001", "0.005")
_VISION = {"div": AUGMENTATIONS, "dp": DROPOUT, "wd": WEIGHT_DECAY}
_SHARES = ("0.1", "0.3", "0.5", "0.7", "0.9", "1")
_EDA = tuple(f"{operation}_{strength}" for strength in ("03", "05") for operation in ("sr", "rd", "ri", "rs"))
_TEXT = {"div": _EDA, "dp": DROPOUT, "wd": WEIGHT_DECAY, "gen": _SHARES, "gen_vf": _SHARES, "gen_add": _SHARES}
_TEXT_FOLDERS = {"div": "DIV", "gen_vf": "vf", "gen_add": "add"}
_SUFFIXES = ("cf100", "cf10", "int", "dom", "fl")

_SCORES = {"acc": "accuracy_percent", "ece": "ece", "pixel": "vendi_pixels", "embedding": "vendi_embeddings"}


def levels(model: str) -> dict[str, tuple[str, ...]]:
    """Levels per category, in the order of the release: div (augmentation), dp (dropout), wd (weight decay).

    BERT has further categories: gen (synthetic text in place of real, by the share of real text that is kept; 1: all
    synthetic), gen_vf (the same from verified text), gen_add (synthetic text beside all real text).
    """
    return _TEXT if model == "bert" else _VISION


SIMULATED = "simulated"
SIMULATED_LAYERS = 12


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ReleasedConfiguration(Configuration):
    """The measurements of one model.

    dataset: the release, or ``simulated``. digest: of the files of the release, ``none`` of simulated ones. model,
    tasks: keys of ``FOLDERS`` and of its values. simulated_layers, seed: of simulated measurements only, else 12 and 0.
    """

    protocol: Annotated[Count, IDENTITY] = 1  # raised when a change of the code changes what a run measures
    dataset: Literal[released.NAME, SIMULATED]  # type: ignore[valid-type]
    digest: str
    model: Literal[tuple(FOLDERS)]  # type: ignore[valid-type]
    tasks: Annotated[tuple[Literal[tuple(TASKS)], ...], Field(min_length=1)]  # type: ignore[valid-type]
    simulated_layers: Annotated[Count, LATER] = SIMULATED_LAYERS

    @model_validator(mode="after")
    def _is_in_the_release(self) -> ReleasedConfiguration:
        digest = "none" if self.dataset == SIMULATED else released.DIGEST
        if self.digest != digest:
            raise ValueError(f"digest: that of the dataset {self.dataset} is {digest}, got {self.digest}")
        if unknown := [task for task in self.tasks if task not in FOLDERS[self.model]]:
            known = ", ".join(FOLDERS[self.model])
            raise ValueError(f"tasks: the model {self.model} has {known}, got {', '.join(unknown)}")
        for name, default in (("seed", 0), ("simulated_layers", SIMULATED_LAYERS)):
            if self.dataset != SIMULATED and getattr(self, name) != default:
                raise ValueError(f"{name}: {default} for what was measured once, got {getattr(self, name)}")
        return self


def configurations(scale: str, seeds: int) -> list[ReleasedConfiguration]:
    del seeds  # one run per setting was released
    return [
        ReleasedConfiguration(
            experiment="released_measurements",
            dataset=released.NAME if scale == "paper" else SIMULATED,
            digest=released.DIGEST if scale == "paper" else "none",
            model=model,
            tasks=tuple(FOLDERS[model]),
            seed=0,
        )
        for model in MODELS
    ]


def stem(model: str, category: str, level: str) -> str:
    """Name of a setting in the release, e.g. ``divAuto1``, ``dp0.3``, ``divgen03``."""
    if category.startswith("gen"):
        return "divgen" if level == "1" else f"divgen{level.replace('.', '')}"
    if model == "bert" and category == "div":
        return f"div_{level}"
    return f"{category}{level}"


def measured(release: Release, model: str, task: str, category: str, level: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The metrics of every layer before and after training in one setting, indexed by layer (its WeightWatcher id)."""
    folder = FOLDERS[model][task]
    if model == "bert":
        folder = f"{folder}/{_TEXT_FOLDERS.get(category, 'reg')}"
    name = stem(model, category, level)
    before = [f"{folder}/ww-df/{name}{end}.csv" for end in ("", *(f"_{suffix}" for suffix in _SUFFIXES))]
    path = next(path for path in before if path in release.files)
    after = next(
        other
        for other in (path.removesuffix(".csv") + "_ft.csv", f"{folder}/ww-df/ft_{name}.csv")
        if other in release.files
    )
    tables = [release.csv(one).set_index("layer_id") for one in (path, after)]
    if not tables[0].index.equals(tables[1].index):
        raise ValueError(f"{path} and {after} list different layers")
    return tables[0], tables[1]


def changes(release: Release, model: str, task: str) -> pd.DataFrame:
    """after - before of every metric, layer and setting; layers where no metric changed (frozen ones) are left out.

    Also, as quantity ``initial_sd``, the standard deviation over the settings of the value before training.
    """
    rows, initial = [], []
    settings = [(BASELINE, "", 0)]
    for category, names in levels(model).items():
        settings += [(category, level, order) for order, level in enumerate(names, 1)]
    for category, level, order in settings:
        before, after = measured(release, model, task, category, level)
        change = (after[list(METRICS)] - before[list(METRICS)]).assign(layer_name=after["longname"])
        change = change[(change[list(METRICS)] != 0).any(axis=1)]
        rows.append(change.reset_index(names="layer").assign(category=category, level=level, order=order))
        initial.append(before.loc[change.index, list(METRICS)])
    identity = ["layer", "layer_name", "category", "level", "order"]
    table = pd.concat(rows).melt(identity, list(METRICS), "metric", "value").assign(quantity="change")
    spread = pd.concat(initial).groupby(level=0).std().reset_index(names="layer")
    names = table.drop_duplicates("layer").set_index("layer")["layer_name"]
    spread = spread.melt("layer", list(METRICS), "metric", "value").assign(
        quantity="initial_sd", layer_name=lambda frame: frame["layer"].map(names), category="", level="", order=0
    )
    return pd.concat([table, spread], ignore_index=True).assign(task=task)


def scores(release: Release, model: str, task: str) -> pd.DataFrame:
    """Accuracy, calibration error and Vendi scores of a model and task, as far as the release has them."""
    known = {level: (category, order) for category, names in _VISION.items() for order, level in enumerate(names, 1)}
    rows = []
    for path in release.below(FOLDERS[model][task]):
        metric = _SCORES.get(path.rpartition("/")[2].removesuffix(".csv").partition("_")[0])
        if metric is None:  # the losses: that of the baseline is a copy of its calibration error
            continue
        for level, value in release.csv(path).iloc[0].items():
            category, order = known.get(level, (BASELINE, 0))
            name = "" if category == BASELINE else level
            rows.append({"metric": metric, "category": category, "level": name, "order": order, "value": value})
    return pd.DataFrame(rows).assign(quantity="score", task=task, layer=-1, layer_name="")


def simulated(model: str, tasks: Sequence[str], layers: int = SIMULATED_LAYERS, seed: int = 0) -> pd.DataFrame:
    """Changes that are noise of the same size in every setting, the baseline too, but for weight decay (quick scale).

    Change of layer l in a setting: s_l z with z standard normal and s_l one scale per layer; weight decay of the
    k-th level adds -k to z.
    """
    rng = np.random.default_rng([seed, list(MODELS).index(model)])
    scale = rng.lognormal(-6, 1, layers)
    rows = []
    for task in tasks:
        for category, names in ({BASELINE: ("",)} | levels(model)).items():
            for order, level in enumerate(names, int(category != BASELINE)):
                for metric in METRICS:
                    values = scale * (rng.standard_normal(layers) - order * (category == "wd"))
                    rows += [
                        (task, category, level, order, layer, f"layer {layer}", metric, "change", value)
                        for layer, value in enumerate(values)
                    ]
                if model == "clip_rn50":
                    for metric in _SCORES.values():
                        rows.append((task, category, level, order, -1, "", metric, "score", 50 + rng.normal()))
    columns = ["task", "category", "level", "order", "layer", "layer_name", "metric", "quantity", "value"]
    return pd.DataFrame(rows, columns=columns)


def compute(group: list[ReleasedConfiguration], device: str) -> pd.DataFrame:
    """The rows of all tasks of each model: quantity is change, initial_sd or score (layer -1)."""
    frames = []
    for configuration in group:
        model, tasks = configuration.model, configuration.tasks
        if configuration.dataset == SIMULATED:
            frame = simulated(model, tasks, configuration.simulated_layers, configuration.seed)
            frame = frame.assign(data_digest="none", data_variant="simulated")
        else:
            release = released.load()
            parts = [changes(release, model, task) for task in tasks]
            parts += [scores(release, model, task) for task in tasks if model.startswith("clip")]
            frame = pd.concat([part for part in parts if len(part)], ignore_index=True)
            frame = frame.assign(data_digest=release.digest, data_variant="canonical")
        frames.append(
            frame.assign(
                dataset=configuration.dataset, model=model, seed=configuration.seed, run_key=configuration.run_key
            )
        )
    return pd.concat(frames, ignore_index=True)


EXPERIMENTS = [
    Experiment(
        "released_measurements",
        "What the authors of paper A measured, layer by layer",
        {"quick": 1, "paper": 1},
        configurations,
        ("dataset",),
        compute,
    )
]
