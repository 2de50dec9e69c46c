"""What data sets, settings, metrics and scores are called in figures, tables and sentences: every name once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

DATASETS = {
    "california_housing": "California Housing",
    "wine_quality_white": "Wine Quality, white",
    "wine_quality_red": "Wine Quality, red",
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "sst2": "SST-2",
    "complaints": "Twitter complaints",
    "diabetes": "Diabetes (quick scale)",
    "digits": "Digits (quick scale)",
    "made_up": "Made-up texts (quick scale)",
    "data_diversity_released": "Released measurements of paper A",
}


def in_order(datasets: Iterable[str]) -> list[str]:
    """Names of data sets in the order in which the book treats them."""
    return sorted(datasets, key=list(DATASETS).index)


def dataset_label(name: str) -> str:
    """The name of a data set in figures and tables."""
    return DATASETS.get(name, name)


METRIC_LABELS = {
    "alpha": "alpha",
    "entropy": "entropy",
    "log_norm": "log norm",
    "log_spectral_norm": "log spectral norm",
    "stable_rank": "stable rank",
    "effective_rank": "effective rank",
    "sigma_mp": "sigma of the bulk",
    "mp_softrank": "MP soft rank",
    "num_spikes": "spikes",
    "loss": "training loss (nats)",
    "accuracy_percent": "test accuracy (%)",
}
OUTCOME_LABELS = {
    "clean_accuracy": "clean accuracy",
    "ece": "ECE, clean",
    "corruption_accuracy": "corruption accuracy",
    "corruption_ece": "ECE, corrupted",
    "effective_robustness": "effective robustness",
    "calibration": "calibration (\N{MINUS SIGN}ECE)",
    "accuracy": "test accuracy",
    "macro_f1": "macro F1",
}
DESIGN_LABELS = {
    "single": "diversity, each level by itself",
    "cumulative": "diversity, levels on top of each other",
    "complaints": "complaints",
    "sst2": "SST-2",
    "made_up": "made-up texts",
}
TEXT_SET_LABELS = {
    "augmentation": "edited",
    "synthetic": "generated",
    "verified": "generated, verified",
    "added": "added",
}
CONTROL_LABELS = {
    "label_noise": "wrong labels",
    "noise50": "noise of level 50",
    "equal_loss": "stopped at equal training loss",
    "twice_the_epochs": "twice the epochs",
    "half_lr": "half of the learning rate",
    "fixed_norm": "kernels at their initial norm",
}
"""Controls of ``diversity_controls``, and the setting that is one, in words."""
SCORE_LABELS = {"vendi": "Vendi score", "weighted_vendi": "weighted Vendi score", "resemblance": "resemblance"}
_FEATURE_LABELS = {"ngrams": "n-grams", "imagenet": "ImageNet embeddings"}
_PER_CLASS = "_per_class"


def score_label(score: str, of: str) -> str:
    """A score and its features in words: "weighted Vendi score, embeddings", "Vendi score, pixels, per class"."""
    per_class = ", per class" if score.endswith(_PER_CLASS) else ""
    return f"{SCORE_LABELS[score.removesuffix(_PER_CLASS)]}, {_FEATURE_LABELS.get(of, of)}{per_class}"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: "raw, folded and scale-free"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
