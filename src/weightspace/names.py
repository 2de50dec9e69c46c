"""What data sets are called in figures, tables and sentences."""

from __future__ import annotations

from collections.abc import Iterable

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
