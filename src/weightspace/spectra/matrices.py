"""Weight matrices from a model: how each kind of layer becomes a matrix whose spectrum means something.

Each layer gives the matrix of the linear map that it applies, so that the squared singular values are those of the map:

=================================== ====================================================================================
layer                               matrix
=================================== ====================================================================================
Linear, Embedding, EmbeddingBag     as stored, whatever the size
Conv1d, 2d, 3d                      (out, in k): from the patch under the kernel, of k positions, to the output channels
the same with groups                one (out / groups, in k / groups) per group, eigenvalues pooled
transposed convolutions             (in, out k): from an input position to the patch that it adds to; by group
MultiheadAttention                  q, k and v rows of ``in_proj_weight``, a matrix each
RNN, LSTM, GRU and their cells      the rows of each gate, a matrix each
Bilinear                            (out, in1 in2): linear in the outer product of its inputs
DualLinear, DualConv2d              W1 - W2, as a linear layer or a convolution
parametrized, pruned, weight-normed the weight that the layer computes with
a parameter of any other module     as stored, if it has just two axes longer than 1; else a row that says so
=================================== ====================================================================================

Groups are pooled because the map of such a layer is block diagonal, and the eigenvalues of that are the union of the
blocks'. A row per group would give a depthwise layer hundreds of rows of one eigenvalue. Attention and gates are taken
apart because their parts are maps of their own, each with its scale and its nonlinearity, stored together for speed.

A weight that several layers share is taken once, under its first name. Biases, norms and other vectors are left out.

From a state_dict or a file only names and shapes are known, and the kind of a layer is a guess, marked so in
``layer_type``. Three axes or more in a tensor called weight are taken as a convolution and unfolded to (first axis,
rest), which is right for plain and for transposed ones; groups cannot be seen. Parametrized weights cannot be put
together. Pass the module itself where that matters.

Other conventions give other numbers, for every layer but the plain linear one: see ``weightwatcher``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import is_parametrized

from weightspace.dual.layers import _DualLayer
from weightspace.spectra.checkpoints import named_tensors

_GATES = {"RNN": [""], "LSTM": ["i", "f", "g", "o"], "GRU": ["r", "z", "n"]}
_LAZY = "not initialized: run the model once"


@dataclass(frozen=True)
class LayerMatrix:
    """The matrices of one row of a report. Where they could not be had, there are none and ``reason`` says why.

    ``matrices`` have one shape and their eigenvalues are pooled. N >= M are their sides (0 where unknown), ``eps`` is
    the relative precision of the numbers as they were stored.
    """

    layer_id: int
    name: str
    layer_type: str
    unfolding: str
    matrices: list[np.ndarray] = field(repr=False)
    N: int
    M: int
    eps: float
    reason: str = ""


@dataclass(frozen=True)
class _Part:
    """One row before its numbers are looked at: 2-D tensors, or none and a reason."""

    name: str
    layer_type: str
    unfolding: str
    tensors: list[Tensor]
    reason: str = ""


def layer_matrices(source: nn.Module | Mapping[str, Any] | str) -> list[LayerMatrix]:
    """The weight matrices of ``source`` in the order in which it names them, as the table above says.

    ``source``: a module, or what ``checkpoints.named_tensors`` takes. Never fails for the sake of one layer: a weight
    that cannot be used has a row with a reason. Raises what ``named_tensors`` raises, and ``ValueError`` for a source
    without a single weight matrix.
    """
    parts = _of_module(source) if isinstance(source, nn.Module) else _of_tensors(named_tensors(source))
    layers = [_layer(layer_id, part) for layer_id, part in enumerate(parts)]
    if not layers:
        raise ValueError("no weight matrix found: every array of the source has fewer than two axes longer than 1")
    return layers


# Modules


def _of_module(model: nn.Module) -> Iterator[_Part]:
    seen: set[int] = set()
    for path, module in model.named_modules():
        if ".parametrizations." in f".{path}.":
            continue  # what a parametrized weight is made from
        name = ""
        try:
            for name, (weight, identity) in _own_weights(module).items():
                if identity not in seen:
                    seen.add(identity)
                    yield from _unfolded(module, name, _row_name(path, name), weight)
        except Exception as error:  # one layer must not end the report, whatever is wrong with it
            yield _Part(_row_name(path, name or "weight"), _kind(module), "", [], f"{type(error).__name__}: {error}")


def _row_name(path: str, name: str) -> str:
    return ".".join(filter(None, [path, "" if name == "weight" else name])) or name


def _own_weights(module: nn.Module) -> dict[str, tuple[Tensor, int]]:
    """The weights that the module itself computes with, and for each the identity by which shared ones are known."""
    if isinstance(module, _DualLayer):
        return {"weight": (module.weight.detach(), id(module.w1))}
    weights: dict[str, tuple[Tensor, int]] = {
        name: (tensor, id(tensor)) for name, tensor in module.named_parameters(recurse=False)
    }
    if is_parametrized(module):
        parametrizations: Any = module.parametrizations
        weights |= {name: (getattr(module, name), id(parts)) for name, parts in parametrizations.items()}
    for stored in list(weights):
        # Pruning and the older weight and spectral norm keep the parts as parameters, and the result as an attribute.
        for ending in ("_orig", "_g", "_v"):
            name = stored.removesuffix(ending)
            if name != stored and isinstance(getattr(module, name, None), Tensor):
                identity = weights.pop(stored)[1]
                weights.setdefault(name, (getattr(module, name), identity))
    return weights


def _kind(module: nn.Module) -> str:
    if isinstance(module, nn.modules.conv._ConvNd):
        name = "conv_transpose" if module.transposed else "conv"
        return f"{name}{len(module.kernel_size)}d"
    names = {
        nn.Linear: "linear",
        nn.Bilinear: "bilinear",
        nn.Embedding: "embedding",
        nn.EmbeddingBag: "embedding",
        nn.MultiheadAttention: "attention",
        nn.RNNBase: "recurrent",
        nn.RNNCellBase: "recurrent",
        _DualLayer: "dual",
    }
    return next((name for kind, name in names.items() if isinstance(module, kind)), "parameter")


def _unfolded(module: nn.Module, name: str, where: str, weight: Tensor) -> Iterable[_Part]:
    kind = _kind(module)
    if isinstance(module, nn.LayerNorm | nn.RMSNorm) or "bias" in name:
        return []  # these may have several axes, and yet each number scales or shifts one value
    if is_lazy(weight):
        return [_Part(where, kind, "", [], _LAZY)]
    if kind == "bilinear":
        return [_Part(where, kind, "(out, in1 in2)", [weight.flatten(1)])]
    if isinstance(module, nn.modules.conv._ConvNd) or (kind == "dual" and weight.dim() == 4):
        return _convolution(where, kind, weight, getattr(module, "groups", 1))
    if kind == "attention" and name == "in_proj_weight":
        return _blocks_of_rows(where, kind, weight, ["q", "k", "v"])
    if kind == "recurrent" and "weight_hr" not in name:
        return _blocks_of_rows(where, kind, weight, _GATES[_recurrent(module)])
    return _as_stored(where, kind, weight)


def _recurrent(module: nn.Module) -> str:
    name = next(base.__name__ for base in type(module).__mro__ if base.__name__.removesuffix("Cell") in _GATES)
    return name.removesuffix("Cell")


def _convolution(name: str, kind: str, weight: Tensor, groups: int) -> list[_Part]:
    first, rest = ("in", "out") if "transpose" in kind else ("out", "in")
    if groups == 1:
        return [_Part(name, kind, f"({first}, {rest} k)", [weight.flatten(1)])]
    blocks = list(weight.flatten(1).chunk(groups))
    return [_Part(name, kind, f"({first}, {rest} k), {groups} groups pooled", blocks)]


def _blocks_of_rows(name: str, kind: str, weight: Tensor, labels: list[str]) -> list[_Part]:
    if len(labels) == 1:
        return _as_stored(name, kind, weight)
    blocks = weight.chunk(len(labels))
    return [_Part(f"{name}[{label}]", kind, f"rows of {label}", [block]) for label, block in zip(labels, blocks)]


def _as_stored(name: str, kind: str, weight: Tensor) -> list[_Part]:
    if weight.dim() == 2 and (kind != "parameter" or min(weight.shape) > 1):
        return [_Part(name, kind, "as stored", [weight])]
    squeezed = weight.squeeze()
    if squeezed.dim() < 2:
        return []
    if squeezed.dim() == 2:
        return [_Part(name, kind, "without axes of length 1", [squeezed])]
    return [_Part(name, kind, "", [], f"no unfolding is known for its shape {tuple(weight.shape)}")]


# Names and shapes only


def _of_tensors(tensors: Mapping[str, Tensor]) -> Iterator[_Part]:
    seen: set[tuple[Any, ...]] = set()
    for name, tensor in tensors.items():
        try:
            if identity := _memory(tensor):
                if identity in seen:
                    continue
                seen.add(identity)
            yield from _guessed(name, tensor, tensors)
        except Exception as error:  # one layer must not end the report, whatever is wrong with it
            yield _Part(name, "unknown", "", [], f"{type(error).__name__}: {error}")


def _memory(tensor: Tensor) -> tuple[Any, ...]:
    """Where the numbers lie, by which entries that share them are known; empty if there are none."""
    if is_lazy(tensor) or tensor.layout != torch.strided or not tensor.numel() or tensor.device.type == "meta":
        return ()
    return (tensor.data_ptr(), tensor.shape, tensor.stride())


def _guessed(name: str, tensor: Tensor, tensors: Mapping[str, Tensor]) -> Iterable[_Part]:
    path, _, last = name.rpartition(".")
    where = path if last == "weight" and path else name
    if is_lazy(tensor):
        return [] if "bias" in last else [_Part(where, "unknown", "", [], _LAZY)]
    if tensor.dim() < 2 or "bias" in last:
        return []
    if ".parametrizations." in f".{name}." or last in ("weight_g", "weight_v", "weight_orig"):
        return [_Part(name, "parameter", "", [], "parametrized: pass the module, which knows the effective weight")]
    if last in ("weight_mask", "weight_u"):
        return []
    if last in ("w1", "w2") and f"{path}.weight".lstrip(".") not in tensors:
        first, second = (tensors.get(f"{path}.{end}".lstrip(".")) for end in ("w1", "w2"))
        if first is not None and second is not None and first.shape == second.shape:
            if last == "w2":
                return []
            where, tensor, last = path or name, first - second, "dual"
    if last == "in_proj_weight" and tensor.dim() == 2 and len(tensor) == 3 * tensor.shape[1]:
        return _blocks_of_rows(where, "attention (guess)", tensor, ["q", "k", "v"])
    if last.startswith(("weight_ih", "weight_hh")) and tensor.dim() == 2:
        return _blocks_of_rows(where, "recurrent (guess)", tensor, _gates_of(path, last, tensors))
    if last in {"weight", "dual"}:
        if tensor.dim() == 2:
            table = "embed" in path.lower()
            kind = last if last == "dual" else "embedding" if table else "linear"
            return _as_stored(where, f"{kind} (guess)", tensor)
        kind = last if last == "dual" else f"conv{tensor.dim() - 2}d"
        return [_Part(where, f"{kind} (guess)", "(first, rest)", [tensor.flatten(1)])]
    return _as_stored(where, "parameter", tensor)


def _gates_of(path: str, last: str, tensors: Mapping[str, Tensor]) -> list[str]:
    """Gates per hidden unit: weight_hh has gates x hidden rows and hidden columns (with a projection, that of it)."""
    prefix = f"{path}." if path else ""
    layer = last.removeprefix("weight_ih").removeprefix("weight_hh")
    projection = tensors.get(f"{prefix}weight_hr{layer}")
    recurrent = tensors[f"{prefix}weight_hh{layer}"]
    hidden = recurrent.shape[1] if projection is None else projection.shape[1]
    by_number = {len(labels): labels for labels in _GATES.values()}
    return by_number.get(len(recurrent) // hidden, [""])


# Numbers


def _layer(layer_id: int, part: _Part) -> LayerMatrix:
    row = layer_id, part.name, part.layer_type, part.unfolding
    N, M = sorted(part.tensors[0].shape, reverse=True) if part.tensors else (0, 0)
    try:
        if reason := part.reason or next(filter(None, map(_unusable, part.tensors)), ""):
            return LayerMatrix(*row, [], N, M, float("nan"), reason)
        return LayerMatrix(*row, [_array(tensor) for tensor in part.tensors], N, M, _eps(part.tensors[0]))
    except Exception as error:  # as above
        return LayerMatrix(*row, [], N, M, float("nan"), f"{type(error).__name__}: {error}")


def _eps(tensor: Tensor) -> float:
    return torch.finfo(tensor.dtype).eps


def _unusable(tensor: Tensor) -> str:
    if tensor.device.type == "meta":
        return "on the device meta: it has a shape but no numbers"
    if not tensor.numel():
        return f"empty: its shape is {tuple(tensor.shape)}"
    if tensor.is_complex():
        return "complex entries: take the spectrum of the real and imaginary parts yourself"
    if not tensor.is_floating_point():
        return f"entries of type {tensor.dtype}: indices, masks or quantized codes, not weights"
    return ""


def _array(tensor: Tensor) -> np.ndarray:
    """In the stored precision, or in float32 where NumPy has no such type or computes slowly with it."""
    tensor = tensor.detach().cpu()
    return (tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()).numpy()
