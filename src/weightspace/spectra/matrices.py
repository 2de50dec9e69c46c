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
fused experts (3 axes, so called)   a matrix for each
quantized                           the weight that its codes stand for
with adapters of PEFT (LoRA)        W + B A of those that are active, under the name that the layer has without PEFT
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

import math
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from weightspace.dual.convert import recomputed
from weightspace.dual.layers import _DualLayer
from weightspace.spectra import adapters
from weightspace.spectra.checkpoints import Source, named_weights, plain_name
from weightspace.spectra.weights import NOT_INITIALIZED, Weight, difference, of_tensor

# Not the weights of one expert, whose number stands in the name.
_EXPERTS = re.compile(r"(?:experts?\w*|_exps)(?:\.[A-Za-z_]\w*)*$")
_GATES = {"RNN": [""], "LSTM": ["i", "f", "g", "o"], "GRU": ["r", "z", "n"]}


@dataclass(frozen=True)
class LayerMatrix:
    """The matrices of one row of a report. Where they cannot be had, there are none and ``reason`` says why.

    ``matrices`` have one shape and their eigenvalues are pooled; their numbers are read when they are asked for
    (``numpy.asarray``). N >= M are their sides (0 where unknown), ``eps`` is the relative precision of the numbers as
    they were stored.
    """

    layer_id: int
    name: str
    layer_type: str
    unfolding: str
    matrices: list[Weight] = field(repr=False)
    N: int
    M: int
    eps: float
    reason: str = ""


@dataclass(frozen=True)
class _Part:
    """One row: matrices, or none and a reason."""

    name: str
    layer_type: str
    unfolding: str
    matrices: list[Weight]
    reason: str = ""


def layer_matrices(source: Source, *, base: Source | None = None, download: bool = False) -> list[LayerMatrix]:
    """The weight matrices of ``source`` in the order in which it names them, as the table above says.

    Arguments and errors as for ``checkpoints.named_weights``; of a module the kinds of layers are known. Never fails
    for the sake of one layer: a weight that cannot be used has a row with a reason. ``ValueError`` also for a source
    without a single weight matrix.
    """
    if isinstance(source, nn.Module) and base is None:
        parts = _of_module(source)
    else:
        parts = _of_weights(named_weights(source, base=base, download=download))
    layers = [_layer(layer_id, part) for layer_id, part in enumerate(parts)]
    if not layers:
        raise ValueError("no weight matrix found: every array of the source has fewer than two axes longer than 1")
    return layers


# Modules


def _of_module(model: nn.Module) -> Iterator[_Part]:
    seen: set[int] = set()
    while type(model).__name__ in ("OptimizedModule", "DataParallel", "DistributedDataParallel"):
        model = next(model.children())  # compiled or replicated
    model = adapters.unwrapped(model)
    names = adapters.Names()
    for path, module in model.named_modules():
        if names.unused(path):
            continue
        if ".parametrizations." in f".{path}." or "_orig_mod" in module._modules:
            continue  # what a parametrized weight is made from; the hull of a compiled module
        if type(module).__name__ == "FullyShardedDataParallel" and "SUMMON" not in str(
            getattr(module, "training_state", "")
        ):
            raise ValueError(
                "FSDP 1 keeps the weights in flat shards: make the report inside "
                "`with FullyShardedDataParallel.summon_full_params(model)`, or use FSDP 2 (fully_shard)"
            )
        names.see(path, module)
        path = plain_name(names.plain(path))
        name = ""
        try:
            if adapted := adapters.in_use(module):
                base: Any = module.base_layer
                where = _row_name(path, "weight")
                if adapted.reason:
                    yield _Part(where, _kind(base), "", [], adapted.reason)
                else:
                    yield from _unfolded(base, "weight", where, adapted)
            for name, (weight, identity) in _own_weights(module).items():
                if identity not in seen:
                    seen.add(identity)
                    yield from _unfolded(module, name, _row_name(path, name), of_tensor(weight))
        except Exception as error:  # one layer must not end the report, whatever is wrong with it
            yield _Part(_row_name(path, name or "weight"), _kind(module), "", [], f"{type(error).__name__}: {error}")


def _row_name(path: str, name: str) -> str:
    return ".".join(filter(None, [path, "" if name == "weight" else name])) or name


def _own_weights(module: nn.Module) -> dict[str, tuple[Tensor, int]]:
    """The weights that the module itself computes with, and for each the identity by which shared ones are known."""
    computed = recomputed(module)
    if isinstance(module, _DualLayer):
        weight = computed.get("w1", module.w1) - computed.get("w2", module.w2)
        return {"weight": (weight.detach(), id(module))}
    weights: dict[str, tuple[Tensor, int]] = {
        name: (tensor, id(tensor)) for name, tensor in module.named_parameters(recurse=False)
    }
    quantized: Any = getattr(module, "weight", None) if hasattr(module, "_FLOAT_MODULE") else None
    if callable(quantized):  # by PyTorch
        return {"weight": (quantized(), id(module))}
    if is_parametrized(module):
        parametrizations: Any = module.parametrizations
        weights |= {name: (getattr(module, name), id(parts)) for name, parts in parametrizations.items()}
    for stored in list(weights):
        # Pruning and the older weight and spectral norm keep the parts as parameters, and the result as an attribute.
        for ending in ("_orig", "_g", "_v"):
            name = stored.removesuffix(ending)
            if name != stored and isinstance(getattr(module, name, None), Tensor):
                identity = weights.pop(stored)[1]
                weights.setdefault(name, (computed.get(name, getattr(module, name)), identity))
    return weights


def _kind(module: nn.Module) -> str:
    plain: Any = getattr(module, "_FLOAT_MODULE", type(module))  # of a quantized module: a class, or several
    plain = plain[0] if isinstance(plain, tuple) else plain
    if issubclass(plain, nn.modules.conv._ConvNd):
        convolution: Any = module
        name = "conv_transpose" if convolution.transposed else "conv"
        return f"{name}{len(convolution.kernel_size)}d"
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
    return next((name for kind, name in names.items() if issubclass(plain, kind)), "parameter")


def _unfolded(module: nn.Module, name: str, where: str, weight: Weight) -> Iterable[_Part]:
    kind = _kind(module)
    if isinstance(module, nn.LayerNorm | nn.RMSNorm) or "bias" in name:
        return []  # these may have several axes, and yet each number scales or shifts one value
    if weight.reason == NOT_INITIALIZED:
        return [_Part(where, kind, "", [], NOT_INITIALIZED)]
    if scale := _scale_of(name, weight, vars(module)["_parameters"] | vars(module)["_buffers"]):
        return [_Part(where, kind, "", [], scale)]
    if kind == "bilinear":
        return [_Part(where, kind, "(out, in1 in2)", _blocks(weight))]
    if kind.startswith("conv") or (kind == "dual" and len(weight.shape) == 4):
        return _convolution(where, kind, weight, getattr(module, "groups", 1))
    if kind == "attention" and name == "in_proj_weight":
        return _blocks_of_rows(where, kind, weight, ["q", "k", "v"])
    if kind == "recurrent" and "weight_hr" not in name:
        return _blocks_of_rows(where, kind, weight, _GATES[_recurrent(module)])
    return _as_stored(where, kind, weight)


def _recurrent(module: nn.Module) -> str:
    name = next(base.__name__ for base in type(module).__mro__ if base.__name__.removesuffix("Cell") in _GATES)
    return name.removesuffix("Cell")


def _convolution(name: str, kind: str, weight: Weight, groups: int) -> list[_Part]:
    first, rest = ("in", "out") if "transpose" in kind else ("out", "in")
    unfolding = f"({first}, {rest} k)" + (f", {groups} groups pooled" if groups > 1 else "")
    return [_Part(name, kind, unfolding, _blocks(weight, groups))]


def _blocks(weight: Weight, number: int = 1) -> list[Weight]:
    """As many blocks of rows of equal height, as matrices."""
    rows, width = weight.shape[0] // number, math.prod(weight.shape[1:])
    return [weight.block(each * rows, (each + 1) * rows, rows, width) for each in range(number)]


def _blocks_of_rows(name: str, kind: str, weight: Weight, labels: list[str]) -> list[_Part]:
    if len(labels) == 1:
        return _as_stored(name, kind, weight)
    blocks = zip(labels, _blocks(weight, len(labels)))
    return [_Part(f"{name}[{label}]", kind, f"rows of {label}", [block]) for label, block in blocks]


def _as_stored(name: str, kind: str, weight: Weight) -> list[_Part]:
    if len(weight.shape) == 3 and _EXPERTS.search(name):
        experts = (weight.block(each, each + 1, *weight.shape[1:]) for each in range(weight.shape[0]))
        return [_Part(f"{name}[{each}]", kind, f"of expert {each}", [block]) for each, block in enumerate(experts)]
    if len(weight.shape) == 2 and (kind != "parameter" or min(weight.shape) > 1):
        return [_Part(name, kind, "as stored", [weight])]
    squeezed = [side for side in weight.shape if side != 1]
    if len(squeezed) < 2:
        return []
    if len(squeezed) == 2:
        block = weight.block(0, weight.shape[0], *squeezed)
        return [_Part(name, kind, "without axes of length 1", [block])]
    return [_Part(name, kind, "", [], f"no unfolding is known for its shape {weight.shape}")]


# Names and shapes only


def _of_weights(weights: Mapping[str, Weight]) -> Iterator[_Part]:
    seen: set[Hashable] = set()
    for name, weight in weights.items():
        try:
            if weight.identity is not None:
                if weight.identity in seen:
                    continue
                seen.add(weight.identity)
            yield from _guessed(name, weight, weights)
        except Exception as error:  # one layer must not end the report, whatever is wrong with it
            yield _Part(name, "unknown", "", [], f"{type(error).__name__}: {error}")


def _guessed(name: str, weight: Weight, weights: Mapping[str, Weight]) -> Iterable[_Part]:
    path, _, last = name.rpartition(".")
    where = path if last == "weight" and path else name
    axes = len(weight.shape)
    if weight.reason == NOT_INITIALIZED:
        return [] if "bias" in last else [_Part(where, "unknown", "", [], NOT_INITIALIZED)]
    if axes < 2 or "bias" in last:
        return []
    if ".parametrizations." in f".{name}." or last in ("weight_g", "weight_v", "weight_orig"):
        return [_Part(name, "parameter", "", [], "parametrized: pass the module, which knows the effective weight")]
    if last in ("weight_mask", "weight_u"):
        return []
    if scale := _scale_of(name, weight, weights):
        return [_Part(where, "unknown", "", [], scale)]
    if last in ("w1", "w2") and f"{path}.weight".lstrip(".") not in weights:
        first, second = (weights.get(f"{path}.{end}".lstrip(".")) for end in ("w1", "w2"))
        if first is not None and second is not None and first.shape == second.shape:
            if last == "w2":
                return []
            where, weight, last = path or name, difference(first, second), "dual"
    if last == "in_proj_weight" and axes == 2 and weight.shape[0] == 3 * weight.shape[1]:
        return _blocks_of_rows(where, "attention (guess)", weight, ["q", "k", "v"])
    if last.startswith(("weight_ih", "weight_hh")) and axes == 2:
        return _blocks_of_rows(where, "recurrent (guess)", weight, _gates_of(path, last, weights))
    if last in {"weight", "dual"} and not (axes == 3 and _EXPERTS.search(where)):
        if axes == 2:
            table = "embed" in path.lower() or "token_embd" in path
            kind = last if last == "dual" else "embedding" if table else "linear"
            return _as_stored(where, f"{kind} (guess)", weight)
        kind = last if last == "dual" else f"conv{axes - 2}d"
        return [_Part(where, f"{kind} (guess)", "(first, rest)", _blocks(weight))]
    return _as_stored(where, "parameter", weight)


def _scale_of(name: str, weight: Weight, others: Mapping[str, Any]) -> str:
    """What is wrong with a weight in 8 bits whose scales, by which it is to be multiplied, are stored beside it."""
    scale = next((each for each in (f"{name}_scale_inv", f"{name}_scale") if each in others), "")
    if not scale or weight.dtype.itemsize > 1 or not weight.dtype.is_floating_point:
        return ""
    return f"numbers of 8 bits without their scales, which are in {scale!r}: dequantize the model first"


def _gates_of(path: str, last: str, weights: Mapping[str, Weight]) -> list[str]:
    """Gates per hidden unit: weight_hh has gates x hidden rows and hidden columns (with a projection, that of it)."""
    prefix = f"{path}." if path else ""
    layer = last.removeprefix("weight_ih").removeprefix("weight_hh")
    projection = weights.get(f"{prefix}weight_hr{layer}")
    recurrent = weights[f"{prefix}weight_hh{layer}"]
    hidden = recurrent.shape[1] if projection is None else projection.shape[1]
    by_number = {len(labels): labels for labels in _GATES.values()}
    return by_number.get(recurrent.shape[0] // hidden, [""])


def _layer(layer_id: int, part: _Part) -> LayerMatrix:
    N, M = sorted(part.matrices[0].shape, reverse=True) if part.matrices else (0, 0)
    reason = part.reason or next((weight.reason for weight in part.matrices if weight.reason), "")
    matrices = [] if reason else part.matrices
    eps = torch.finfo(matrices[0].dtype).eps if matrices else float("nan")
    origins = [weight.origin for weight in matrices[:1] if weight.origin]
    unfolding = ", ".join([part.unfolding, *origins])
    return LayerMatrix(layer_id, part.name, part.layer_type, unfolding, matrices, N, M, eps, reason)
