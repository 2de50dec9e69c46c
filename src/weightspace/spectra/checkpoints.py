"""Named weights from a state_dict, from any mapping, or from a file, a folder or the hub of Hugging Face."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from weightspace.spectra import adapters, formats
from weightspace.spectra.weights import Weight, of_array, of_tensor

Source = nn.Module | Mapping[str, Any] | str | os.PathLike[str]

_NESTED = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights in a checkpoint
# What nn.DataParallel, torch.compile, FSDP and activation checkpointing put into names.
_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_HUB = "hf://"


def named_weights(source: Source, *, base: Source | None = None, download: bool = False) -> dict[str, Weight]:
    """Every array of ``source`` by its name, not read yet; other entries (epochs, options) are left out.

    ``source`` is one of

    - a module (its ``state_dict``), a state_dict, or any mapping of names to tensors or arrays. Arrays in mappings and
      lists inside it are called after their place, ``encoder.fc.weight``
    - a file: ``.safetensors``, ``.npz``, ``.npy``, ``.gguf`` (needs gguf; quantized
      weights are dequantized and say so), an index of shards (``model.safetensors.index.json``,
      ``pytorch_model.bin.index.json``), or anything that ``torch.load`` reads with ``weights_only=True``, such as the
      checkpoints of Lightning
    - a folder: of a model of Hugging Face, of shards, or of ``torch.distributed.checkpoint``
    - ``hf://organization/model`` or ``hf://organization/model@revision``, from the cache of Hugging Face (needs
      huggingface_hub); fetched only with ``download=True``
    - an adapter of LoRA in any of these places, as PEFT saves it: see ``adapters``. ``base``: a source of the weights
      that it changes

    States of optimizers are left out. Where all matrices lie under "state_dict", "model_state_dict" or "model", these
    are the source; what DataParallel, ``torch.compile`` and FSDP put into names is taken out. Masked entries of an
    array are NaN.

    Files of ``torch.save`` and ``numpy.savez`` hold a checksum of every array, which is verified. The older form of
    torch (before PyTorch 1.6), safetensors and GGUF have none: damage there is found only where it spoils the form.

    Raises ``FileNotFoundError`` for a missing file, shard, or model of the hub, and ``ValueError`` for a file that is
    damaged, holds pickled objects or is of another kind, if there are no arrays, if two have one name (under the keys
    1 and "1"), for a module in the mapping, and for a ``base`` without an adapter.
    """
    if isinstance(source, nn.Module):
        return named_weights(source.state_dict(), base=base)
    adapter = None
    content: Any = source
    origin = "the mapping"
    if isinstance(source, str | os.PathLike):
        origin = os.fspath(source)
        path = _fetched(origin, download) if origin.startswith(_HUB) else Path(source)
        adapter = adapters.found(path)
        content = formats.read(adapter.file if adapter else path)
    weights = _named(content, origin)
    if adapter:
        weights = adapters.applied(weights, adapter.config, None if base is None else named_weights(base))
    elif base is not None:
        raise ValueError(f"base is for adapters of LoRA, and {origin} is none: leave it out")
    return weights


def _named(content: Any, origin: str) -> dict[str, Weight]:
    if not isinstance(content, Mapping):
        kind = "Tensor" if isinstance(content, Weight) else type(content).__name__
        raise ValueError(f"{origin} holds a {kind}, not a state_dict: save model.state_dict()")
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
        name = plain_name(".".join(map(str, path)))
        if name in weights:
            raise ValueError(f"{origin} holds two arrays called {name!r} (one is at {path}): rename one of them")
        weights[name] = weight
    if all(name.startswith("module.") for name in weights):
        weights = {name.removeprefix("module."): weight for name, weight in weights.items()}
    return weights


def plain_name(name: str) -> str:
    """The name that a weight has without ``torch.compile``, FSDP, activation checkpointing and quantization."""
    name = name.replace("_packed_params._packed_params.0", "weight")
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _fetched(address: str, download: bool) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError as error:
        raise ValueError(
            f"{address} needs the library huggingface_hub: pip install huggingface_hub (or weightspace[hub])"
        ) from error
    name, _, revision = address.removeprefix(_HUB).partition("@")
    folder = Path()
    for ending in ("*.safetensors", "*.bin"):
        try:
            options: dict[str, Any] = {"local_files_only": not download, "allow_patterns": ["*.json", ending]}
            folder = Path(snapshot_download(name, revision=revision or None, **options))
        except LocalEntryNotFoundError as error:
            how = "it cannot be reached" if download else "pass download=True (--download) to fetch it"
            raise FileNotFoundError(f"{address} is not in the cache of Hugging Face: {how}") from error
        if any(folder.glob(ending)):
            break
    return folder


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
