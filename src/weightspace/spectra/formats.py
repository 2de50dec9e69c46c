"""Files and folders of weights: every form gives names and weights that are not read yet.

A weight is read from a file that is opened for it and closed again, so that nothing but its numbers stays in memory.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from weightspace.spectra.weights import Weight, of_array, of_tensor

_FOLDER = 0x10  # among the attributes of an entry of a zip archive
_FOREIGN = {
    ".h5": "a file of Keras: save its arrays with numpy.savez",
    ".keras": "a file of Keras: save its arrays with numpy.savez",
    ".msgpack": "a file of Flax: save its arrays with numpy.savez",
    ".onnx": "a model of ONNX: pass {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}",
    ".pb": "a model of TensorFlow: save its arrays with numpy.savez",
    ".pt2": "a program of torch.export: pass torch.export.load(path).state_dict",
    ".tar": "an archive: unpack it, and give the checkpoint in it",
    ".gz": "an archive: unpack it, and give the checkpoint in it",
    ".zip": "an archive: unpack it, and give the checkpoint in it",
    ".index": "a checkpoint of TensorFlow: save its arrays with numpy.savez",
}
# In this order: safetensors cannot run code and needs no unpickling. model.* first, as transformers calls its own.
_IN_FOLDERS = (
    "model.safetensors.index.json", "model.safetensors", "*.safetensors.index.json", "*.safetensors",
    "pytorch_model.bin.index.json", "pytorch_model.bin", "*.bin.index.json", "*.bin", "*.gguf", "*.pt", "*.pth",
    "*.ckpt", "*.npz",
)  # fmt: skip
_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})(\.\w+)")


def read(path: Path) -> Any:
    """What a file or folder holds: mappings and lists with weights in them. Errors as for ``named_weights``."""
    if path.is_dir():
        return _folder(path)
    path.open("rb").close()  # a missing file, or one that may not be read, in the words of the operating system
    if path.name.endswith(".index.json"):
        return _index(path)
    if path.suffix in _FOREIGN:
        raise ValueError(f"{path} is {_FOREIGN[path.suffix]}")
    known: dict[str, Callable[[Path], Any]] = {
        ".safetensors": _safetensors,
        ".gguf": _gguf,
        ".npz": _npz,
        ".npy": lambda path: {path.stem: of_array(np.load(path, mmap_mode="r"))},
    }
    return known.get(path.suffix, _torch)(path)


def damaged(path: Path) -> str:
    return f"{path} is no checkpoint that PyTorch can read, or it is cut short: download or save it again"


# Folders


def _folder(path: Path) -> Any:
    if (path / ".metadata").exists():
        return _distributed(path)
    for pattern in _IN_FOLDERS:
        found = sorted(path.glob(pattern))
        shards = [_SHARD.fullmatch(file.name) for file in found]
        if found and all(shards) and len({(shard[1], shard[3]) for shard in shards if shard}) == 1:
            if len(found) < int(shards[0][3]):  # type: ignore[index] # all are matches
                raise FileNotFoundError(f"{path} holds {len(found)} of {shards[0][3]} shards: download the others")  # type: ignore[index]
            return _merged(found)
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise ValueError(f"{path} holds several checkpoints, {names}: give one of them")
        if found:
            return read(found[0])
    names = ", ".join(sorted(file.name for file in path.iterdir())[:8]) or "nothing"
    raise ValueError(f"{path} holds no checkpoint that is known here (it holds {names}): give the file of the weights")


def _index(path: Path) -> dict[str, Weight]:
    """Shards of safetensors or of torch.save, as ``save_pretrained`` of transformers writes them."""
    try:
        files: Mapping[str, str] = json.loads(path.read_text())["weight_map"]
        found = {name: read(path.parent / name) for name in dict.fromkeys(files.values())}
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f'{path} is no index of shards: it has no "weight_map"') from error
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} names a shard that is not there: download {error.filename}") from error
    missing = [name for name, file in files.items() if name not in found[file]]
    if missing:
        raise ValueError(f"{path} names {missing[0]!r}, which {files[missing[0]]} does not hold: download them again")
    return {name: found[file][name] for name, file in files.items()}


def _merged(files: Sequence[Path]) -> dict[str, Weight]:
    merged: dict[str, Weight] = {}
    for file in files:
        merged |= read(file)
    return merged


def _distributed(path: Path) -> dict[str, Any]:
    """A checkpoint of torch.distributed.checkpoint."""
    from torch.distributed.checkpoint.filesystem import FileSystemReader
    from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata
    from torch.distributed.checkpoint.state_dict_loader import load

    class Reader(FileSystemReader):
        def read_metadata(self, *arguments: Any, **options: Any) -> Metadata:
            with (path / ".metadata").open("rb") as file:
                metadata: Metadata = _OnlyMetadata(file).load()
            return metadata

    try:
        metadata = Reader(path).read_metadata()
    except Exception as error:
        raise ValueError(f"{path}/.metadata is damaged, or holds more than a checkpoint does: {error}") from error

    def weight(name: str, stored: TensorStorageMetadata) -> Weight:
        def read(rows: slice) -> Tensor:
            wanted = {name: torch.empty(stored.size, dtype=stored.properties.dtype)}
            load(wanted, storage_reader=Reader(path), no_dist=True)
            return wanted[name][rows]

        return Weight(tuple(stored.size), stored.properties.dtype, read)

    content: dict[str, Any] = {}
    for name, stored in metadata.state_dict_metadata.items():
        place = (metadata.planner_data or {}).get(name, (name,))
        inside = content
        for key in place[:-1]:
            inside = inside.setdefault(key, {})
        inside[place[-1]] = weight(name, stored) if isinstance(stored, TensorStorageMetadata) else None
    return content


class _OnlyMetadata(pickle.Unpickler):
    """Makes nothing but what describes tensors, so that the file cannot run code as it can in PyTorch's own reader."""

    _MODULES = ("torch.distributed.checkpoint.metadata", "torch.distributed.checkpoint.filesystem", "pathlib")

    def find_class(self, module: str, name: str) -> Any:
        if module in self._MODULES or (module, name) in {
            ("torch", "Size"),
            ("torch", "device"),
            ("torch.serialization", "_get_layout"),
            ("collections", "OrderedDict"),
            ("builtins", "slice"),
        }:
            return super().find_class(module, name)
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not part of it")


# Files


def _safetensors(path: Path) -> dict[str, Weight]:
    def weight(name: str, rows: Any) -> Weight:
        shape = tuple(rows.get_shape())

        def read(wanted: slice) -> Tensor:
            with safe_open(path, "pt") as file:
                # A copy, because what is read lies in the mapped file.
                part: Tensor = file.get_slice(name)[wanted]
                return part.clone()

        # The type of no rows at all, which reads nothing; that of a single number is of no interest.
        return Weight(shape, rows[:0].dtype if shape else torch.float32, read)

    try:
        with safe_open(path, "pt") as file:
            return {name: weight(name, file.get_slice(name)) for name in file.keys()}  # noqa: SIM118 # no mapping
    except (SafetensorError, ValueError) as error:
        raise ValueError(damaged(path)) from error


def _torch(path: Path) -> Any:
    """A file of torch.save. The older form, before PyTorch 1.6, cannot be read in parts and stays in memory."""
    try:
        zipped = zipfile.is_zipfile(path)
    except zipfile.BadZipFile as error:  # damaged where it says in how many parts it is
        raise ValueError(damaged(path)) from error
    if zipped:
        _verify(path)
    content = _load(path, zipped)
    return _later(content, path, ()) if zipped else content


def _later(content: Any, path: Path, keys: tuple[Any, ...]) -> Any:
    """The tensors of a mapped file as weights that map it anew, so that their pages are given back after use."""
    if isinstance(content, Mapping):
        return {key: _later(entry, path, (*keys, key)) for key, entry in content.items()}
    if isinstance(content, list | tuple):
        return [_later(entry, path, (*keys, number)) for number, entry in enumerate(content)]
    if not isinstance(content, Tensor):
        return content
    return replace(of_tensor(content), read=lambda rows: _part_of(path, keys).read(rows).clone())


def _part_of(path: Path, keys: tuple[Any, ...]) -> Weight:
    content = _load(path, mapped=True)
    for key in keys:
        content = content[key]
    return of_tensor(content)


def _load(path: Path, mapped: bool) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        # The first bytes tell a checkpoint with objects in it from a file that is none.
        with path.open("rb") as file:
            start = file.read(2)
        if start in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            raise ValueError(
                f"{path} holds pickled objects{_which(path)}, which can run any code when they are loaded. If you "
                "trust the file, load it yourself and pass the model, or save model.state_dict() and read that."
            ) from error
        raise ValueError(damaged(path)) from error
    except Exception as error:  # torch.load raises a dozen kinds for files cut short
        if "TorchScript" in str(error):
            raise ValueError(f"{path} is a program of TorchScript: pass torch.jit.load(path).state_dict()") from error
        raise ValueError(damaged(path)) from error


def _which(path: Path) -> str:
    try:
        found = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # a file of the older form
        return ""
    return f" ({', '.join(found[:3])})" if found else ""


def _verify(path: Path) -> None:
    """``ValueError`` where a file of ``torch.save`` or ``numpy.savez``, a zip archive, differs from its checksums.

    PyTorch does not look at them, and takes flipped bits for weights.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # PyTorch takes an entry that is marked as a folder for empty, and leaves its array unfilled.
            folders = (entry.filename for entry in archive.infolist() if entry.external_attr & _FOLDER)
            bad = next(folders, None) or archive.testzip()
    except Exception as error:  # the parts that say where the arrays are can be damaged in any way
        raise ValueError(damaged(path)) from error
    if bad is not None:
        raise ValueError(
            f"{path} is damaged: {bad!r} in it differs from its checksum, so that numbers would be wrong. Download or "
            "save it again (if torch.serialization.set_crc32_options(False) was set there are no checksums: load it "
            "yourself and pass the state_dict)"
        )


def _npz(path: Path) -> dict[str, Weight]:
    _verify(path)

    def weight(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Weight:
        def read(rows: slice) -> Tensor:
            with np.load(path) as arrays:
                return of_array(arrays[name]).read(rows)

        # An array of this shape that takes no memory.
        return replace(of_array(np.broadcast_to(np.zeros((), dtype), shape)), read=read, identity=None)

    found = {}
    with zipfile.ZipFile(path) as archive:
        for entry in archive.namelist():
            with archive.open(entry) as file:
                version = np.lib.format.read_magic(file)
                header = (
                    np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = header(file)
            if dtype.kind in "biufc":
                name = entry.removesuffix(".npy")
                found[name] = weight(name, shape, dtype)
    return found


def _gguf(path: Path) -> dict[str, Weight]:
    try:
        from gguf import GGUFReader
        from gguf.quants import dequantize
    except ImportError as error:
        raise ValueError(f"{path} needs the library gguf: pip install gguf (or weightspace[hub])") from error

    def weight(stored: Any) -> Weight:
        data = stored.data  # mapped: its shape is looked at, its numbers are read from the file
        shape = tuple(int(side) for side in reversed(stored.shape))
        height = data.nbytes // len(data)
        plain = data.dtype in (np.float16, np.float32, np.float64)
        kind = stored.tensor_type

        def read(rows: slice) -> Tensor:
            start, stop, _ = rows.indices(shape[0])
            offset, count = int(stored.data_offset) + start * height, max(0, stop - start) * height
            raw = np.fromfile(path, np.uint8, count, offset=offset).view(data.dtype).reshape(-1, *data.shape[1:])
            return torch.from_numpy(raw if plain else dequantize(raw, kind)).reshape(-1, *shape[1:])

        if plain or kind.name in ("I8", "I16", "I32", "I64"):
            return Weight(shape, torch.from_numpy(np.empty(0, data.dtype)).dtype, read)
        if kind.name == "BF16":
            return Weight(shape, torch.bfloat16, read)
        return Weight(shape, torch.float32, read, origin=f"dequantized from {kind.name}")

    try:
        reader = GGUFReader(path)
    except Exception as error:  # a dozen kinds for files cut short
        raise ValueError(f"{path} is no file of the form GGUF, or it is cut short: download it again") from error
    return {stored.name: weight(stored) for stored in reader.tensors}
