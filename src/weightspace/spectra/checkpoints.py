"""Named weights from a state_dict, from any mapping, or from a file."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from weightspace.spectra.weights import Weight, of_array, of_tensor

_NESTED = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights in a checkpoint
_FOLDER = 0x10  # among the attributes of an entry of a zip archive
_WRAPPERS = ("module.", "_orig_mod.")  # what nn.DataParallel and torch.compile put before every name


def named_weights(source: Mapping[str, Any] | str | os.PathLike[str]) -> dict[str, Weight]:
    """Every array of ``source`` by its name; other entries (epochs, options) are left out.

    ``source``: a state_dict, a mapping of names to arrays, or the path of a checkpoint: ``.safetensors``, or
    anything that ``torch.load`` reads with ``weights_only=True``. Arrays in mappings and lists inside it are called
    after their place, ``encoder.fc.weight``. States of optimizers are left out. Where all matrices lie under
    "state_dict", "model_state_dict" or "model", these are the source; a common prefix "module." or "_orig_mod." is
    taken off. Masked entries of an array are NaN.

    Files of ``torch.save`` hold a checksum of every array, which is verified. The older form (before PyTorch 1.6) and
    safetensors have none: damage there is found only where it spoils the form.

    Raises ``FileNotFoundError`` for a missing file, and ``ValueError`` for a file that is damaged or holds pickled
    objects, if there are no arrays, if two have one name (under the keys 1 and "1"), and for a module in the mapping.
    """
    if isinstance(source, str | os.PathLike):
        content, origin = _load(Path(source)), str(source)
    else:
        content, origin = source, "the mapping"
    if not isinstance(content, Mapping):
        raise ValueError(f"{origin} holds a {type(content).__name__}, not a state_dict: save model.state_dict()")
    found = list(_arrays(content))
    for key in _NESTED:
        inside = (path[0] == key for path, weight in found if len(weight.shape) > 1)
        if isinstance(content.get(key), Mapping) and all(inside):
            content = content[key]
            found = list(_arrays(content))
    if not found:
        raise ValueError(
            f"{origin} holds no arrays: give a state_dict, or a checkpoint with one under {' or '.join(_NESTED)}"
        )
    weights: dict[str, Weight] = {}
    for path, weight in found:
        name = ".".join(map(str, path))
        if name in weights:
            raise ValueError(f"{origin} holds two arrays called {name!r} (one is at {path}): rename one of them")
        weights[name] = weight
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): weight for name, weight in weights.items()}
    return weights


def _arrays(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Weight]]:
    """Every array in mappings and lists in each other, and the keys that lead to it."""
    if isinstance(content, Mapping):
        if {"state", "param_groups"} <= set(content):
            return  # of an optimizer
        entries: Iterable[tuple[Any, Any]] = content.items()
    elif isinstance(content, list | tuple):
        entries = enumerate(content)
    elif isinstance(content, Weight):
        yield path, content
        return
    elif isinstance(content, Tensor):
        yield path, of_tensor(content)
        return
    elif isinstance(content, np.ndarray) and content.dtype.kind in "biufc":
        yield path, of_array(content)
        return
    elif isinstance(content, nn.Module):
        raise ValueError(
            f"{'.'.join(map(str, path))!r} is a module: pass the model itself, or modules together as nn.ModuleDict"
        )
    else:
        return
    for key, entry in entries:
        yield from _arrays(entry, (*path, key))


def _load(path: Path) -> Any:
    path.open("rb").close()  # a missing file, or one that may not be read, in the words of the operating system
    if path.suffix == ".safetensors":
        return _load_safetensors(path)
    _verify(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # The first bytes tell a checkpoint with objects in it from a file that is none.
        with path.open("rb") as file:
            start = file.read(2)
        if start in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            raise ValueError(
                f"{path} holds pickled objects, which can run any code when they are loaded. If you trust the file, "
                "load it yourself and pass the model, or save model.state_dict() and read that."
            ) from error
        raise ValueError(_damaged(path)) from error
    except Exception as error:  # torch.load raises a dozen kinds for files cut short
        raise ValueError(_damaged(path)) from error


def _verify(path: Path) -> None:
    """``ValueError`` where a file of ``torch.save``, which is a zip archive, differs from its checksums.

    PyTorch does not look at them, and takes flipped bits for weights.
    """
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return
    try:
        with zipfile.ZipFile(path) as archive:
            # PyTorch takes an entry that is marked as a folder for empty, and leaves its array unfilled.
            folders = (entry.filename for entry in archive.infolist() if entry.external_attr & _FOLDER)
            bad = next(folders, None) or archive.testzip()
    except Exception as error:  # the parts that say where the arrays are can be damaged in any way
        raise ValueError(_damaged(path)) from error
    if bad is not None:
        raise ValueError(
            f"{path} is damaged: {bad!r} in it differs from its checksum, so that numbers would be wrong. Download or "
            "save it again (if torch.serialization.set_crc32_options(False) was set there are no checksums: load it "
            "yourself and pass the state_dict)"
        )


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        raise ValueError(_damaged(path)) from error


def _damaged(path: Path) -> str:
    return f"{path} is no checkpoint that PyTorch can read, or it is cut short: download or save it again"
