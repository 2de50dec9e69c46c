"""The data sets of the book: found, verified and loaded; and what is done to them before training.

``load`` and the registry are those of ``registry``, files and their errors those of ``files``.
"""

from weightspace import extras
from weightspace.data.files import VARIABLE, DataError, cache_folder, data_folder
from weightspace.data.registry import CIFAR10_INEXACT, REGISTRY, Dataset, fetch, format_status, load, status

extras.need("experiments", "PIL", "pooch", "sklearn")

__all__ = [
    "CIFAR10_INEXACT",
    "REGISTRY",
    "VARIABLE",
    "DataError",
    "Dataset",
    "cache_folder",
    "data_folder",
    "fetch",
    "format_status",
    "load",
    "status",
]
