"""Named arrays from a state_dict, from any mapping, or from a file."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

_NESTED = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights in a checkpoint
_WRAPPERS = ("module.", "_orig_mod.")  # what nn.DataParallel and torch.compile put before every name


def named_tensors(source: Mapping[str, Any] | str | os.PathLike) -> dict[str, Tensor]:
    """Every array of ``source`` by its name; other entries (epochs, options) are left out.

    ``source``: a state_dict, a mapping of names to arrays, or the path of a checkpoint: ``.safetensors`` (needs the
    library of that name), or anything that ``torch.load`` reads with ``weights_only=True``. A state_dict inside a
    checkpoint is found under "state_dict", "model_state_dict" or "model", and a common prefix "module." or
    "_orig_mod." is taken off.

    Raises ``FileNotFoundError`` for a missing file, and ``ValueError`` for a file that is damaged or holds pickled
    objects, or if there are no arrays.
    """
    if isinstance(source, str | os.PathLike):
        content, origin = _load(Path(source)), str(source)
    else:
        content, origin = source, "the mapping"
    for key in _NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise ValueError(f"{origin} holds a {type(content).__name__}, not a state_dict: save model.state_dict()")
    tensors = {str(name): _tensor(value) for name, value in content.items() if _is_array(value)}
    if not tensors:
        raise ValueError(
            f"{origin} holds no arrays: give a state_dict, or a checkpoint with one under {' or '.join(_NESTED)}"
        )
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _is_array(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "biufc")


def _tensor(value: Tensor | np.ndarray) -> Tensor:
    if isinstance(value, Tensor):
        return value if is_lazy(value) else value.detach()
    # PyTorch shares the memory of an array that is writable, in native byte order and without negative strides.
    kind = np.float64 if value.dtype == np.longdouble else value.dtype.newbyteorder("=")
    return torch.from_numpy(np.require(value, kind, ["C", "W"]))


def _load(path: Path) -> Any:
    path.open("rb").close()  # a missing file, or one that may not be read, in the words of the operating system
    if path.suffix == ".safetensors":
        return _load_safetensors(path)
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


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ValueError(
            f"{path} needs the library safetensors: pip install safetensors (or weightspace[safetensors])"
        ) from error
    try:
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        raise ValueError(_damaged(path)) from error


def _damaged(path: Path) -> str:
    return f"{path} is no checkpoint that PyTorch can read, or it is cut short: download or save it again"
