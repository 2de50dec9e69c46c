"""A weight that is not read yet: what every kind of source gives, and all that a report needs."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

ALL = slice(None)
NOT_INITIALIZED = "not initialized: run the model once"


@dataclass(frozen=True, eq=False)
class Weight:
    """Shape and type of a tensor, and the way to its numbers, which are read when they are asked for and not kept.

    ``read(rows)`` gives the numbers of these rows, a slice of the first axis, as a dense tensor. ``identity`` is equal
    for weights that share their numbers (None: with no other). ``origin``: what was done to the stored numbers, such as
    "dequantized from Q4_0". ``reason``: why there are no numbers that have a spectrum; empty if there are.

    ``numpy.asarray(weight)`` reads all of it, in float32 or float64.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[slice], Tensor] = field(repr=False)
    identity: Hashable = None
    origin: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.reason:
            object.__setattr__(self, "reason", _unusable(self.shape, self.dtype))

    def block(self, start: int, stop: int, *shape: int) -> Weight:
        """Rows ``start`` to ``stop``, brought into ``shape``."""

        def read(rows: slice) -> Tensor:
            return self.read(slice(start, stop)).reshape(shape)[rows]

        return replace(self, shape=shape, read=read, identity=None)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        tensor = self.read(ALL).detach().cpu()
        # In the stored precision, or in float32 where NumPy has no such type or computes slowly with it.
        array = (tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()).numpy()
        return array if dtype is None else array.astype(dtype, copy=False)


def of_tensor(tensor: Tensor) -> Weight:
    """A tensor in memory. Sparse ones are made dense when they are read, quantized ones dequantized.

    A distributed tensor (DTensor) is gathered into memory at once, so that every rank does so in the same order.
    """
    if is_lazy(tensor):
        return Weight((), tensor.dtype, _nothing, reason=NOT_INITIALIZED)
    foreign = [getattr(tensor, name, None) for name in ("quant_state", "SCB")]  # of bitsandbytes, once it has codes
    tensor = tensor.detach()
    if hasattr(tensor, "full_tensor"):
        tensor = tensor.full_tensor().cpu()
    shape, dtype = tuple(tensor.shape), tensor.dtype
    if tensor.is_meta:
        return Weight(shape, dtype, _nothing, reason="on the device meta: it has a shape but no numbers")
    if any(each is not None for each in foreign):
        return _of_bitsandbytes(tensor, *foreign)
    if tensor.is_quantized:
        origin = f"dequantized from {str(dtype).removeprefix('torch.')}"
        return Weight(shape, torch.float32, lambda rows: tensor.dequantize()[rows], id(tensor), origin)
    if is_traceable_wrapper_subclass(tensor):  # of torchao, for one
        origin = f"dequantized from {type(tensor).__name__}"
        return Weight(shape, dtype, lambda rows: tensor.dequantize()[rows], id(tensor), origin)
    if tensor.layout != torch.strided:
        return Weight(shape, dtype, lambda rows: tensor.to_dense()[rows], id(tensor))
    identity = (tensor.data_ptr(), shape, tensor.stride()) if tensor.numel() else None
    return Weight(shape, dtype, lambda rows: tensor[rows], identity)


def _of_bitsandbytes(codes: Tensor, state: Any, scales: Any) -> Weight:
    if scales is not None:
        origin = "dequantized from 8 bits of bitsandbytes"
        return Weight(
            tuple(codes.shape), torch.float32, lambda rows: codes[rows] * (scales[rows, None] / 127), origin=origin
        )

    def read(rows: slice) -> Tensor:
        from bitsandbytes.functional import dequantize_4bit

        found: Tensor = dequantize_4bit(codes, state)[rows]
        return found

    return Weight(tuple(state.shape), state.dtype, read, origin=f"dequantized from {state.quant_type} of bitsandbytes")


def of_array(array: np.ndarray) -> Weight:
    """An array of NumPy of any kind of number, in memory or mapped from a file. Masked entries are NaN."""
    kind: Any = np.float64 if array.dtype == np.longdouble else array.dtype.newbyteorder("=")

    def read(rows: slice) -> Tensor:
        part = array[rows]
        if np.ma.is_masked(part) and part.dtype.kind in "fc":
            part = np.ma.filled(part, np.nan)
        # PyTorch shares the memory of an array that is writable, in native byte order and without negative strides.
        return torch.from_numpy(np.require(part, kind, ["C", "W"]))

    identity = (array.__array_interface__["data"][0], array.shape, array.strides) if array.size else None
    return Weight(array.shape, torch.from_numpy(np.empty(0, kind)).dtype, read, identity)


def difference(first: Weight, second: Weight) -> Weight:
    """first - second, of one shape: the weight of a dual layer."""
    return replace(first, read=lambda rows: first.read(rows) - second.read(rows), identity=None)


def _unusable(shape: tuple[int, ...], dtype: torch.dtype) -> str:
    if 0 in shape:
        return f"empty: its shape is {shape}"
    if dtype.is_complex:
        return "complex entries: take the spectrum of the real and imaginary parts yourself"
    if not dtype.is_floating_point:
        return f"entries of type {dtype}: indices, masks or quantized codes, not weights"
    return ""


def _nothing(rows: slice) -> Tensor:
    raise ValueError("the weight has no numbers")
