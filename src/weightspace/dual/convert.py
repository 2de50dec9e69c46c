"""Any model with dual layers in place of plain ones, and back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.weight_norm import WeightNorm

from weightspace.dual.layers import DualConv2d, DualLinear, _DualLayer

Include = Callable[[str, nn.Module], bool] | str | Sequence[str] | None

_PLAIN: dict[type[nn.Module], Callable[..., nn.Module]] = {
    nn.Linear: DualLinear.from_linear,
    nn.Conv2d: DualConv2d.from_conv2d,
}


def dualize(model: nn.Module, include: Include = None, *, stabilizer: bool = False) -> nn.Module:
    """A copy of ``model`` in which plain layers are replaced by dual layers: w1 = weight, w2 = 0, the same outputs.

    ``model`` itself is left as it is. Every ``nn.Linear`` and ``nn.Conv2d`` is replaced, or those that ``include``
    chooses: a function of (name, layer), or names and patterns such as ``["fc", "layer4.*"]`` (``fnmatch`` on the
    names of ``model.named_modules()``). Subclasses of the two are left alone, because they may compute otherwise or
    be read from outside (the output projection inside ``nn.MultiheadAttention`` is one). A layer that stands in
    several places is chosen by any of its names and becomes one shared dual layer; frozen weights stay frozen. Hooks
    on a replaced layer are not carried over. ``fold`` turns the result back.

    A layer that stands only in a Python list or dictionary is left as it is: PyTorch does not know it as part of the
    model, and neither ``model.parameters()`` nor ``state_dict`` have it (this is also how others hide a model on
    purpose, a frozen teacher for one). Use ``nn.ModuleList`` or ``nn.ModuleDict``.

    Raises ``ValueError`` if nothing would be replaced or a pattern matches no such layer, and for a chosen layer
    whose weight the model keeps in another place as well or shares memory with another, is computed (parametrized,
    weight norm, pruning) or not there yet (lazy).
    """
    layers = {name: m for name, m in model.named_modules(remove_duplicate=False) if _is_plain(m)}
    wanted = {id(layers[name]) for name in _choose(layers, include)}
    chosen = {name: layer for name, layer in layers.items() if id(layer) in wanted}  # also where it has other names
    _refuse_what_cannot_be_dual(model, chosen)
    return _exchange(model, chosen, lambda layer: _PLAIN[type(layer)](layer, stabilizer=stabilizer))


def fold(model: nn.Module) -> nn.Module:
    """A copy of ``model`` in which every dual layer is replaced by the plain layer of equal output.

    ``model`` itself is left as it is. A dual layer that stands in several places becomes one shared plain layer. Of
    pruned weights the masked values are taken, those of the next forward pass; the mask itself is not carried over.
    A dual layer that stands only in a Python list or dictionary stays dual, with the same outputs: see ``dualize``.

    Raises ``ValueError`` for a dual layer with parametrized weights, and where another module of the model computes its
    weight (pruning, weight norm), for such a module cannot be copied.
    """
    duals = [name for name, m in model.named_modules(remove_duplicate=False) if isinstance(m, _DualLayer)]
    if computed := [name for name in duals if is_parametrized(model.get_submodule(name))]:
        raise ValueError(
            f"the weights of {_listed(computed)} are parametrized: make them ordinary parameters first "
            "(torch.nn.utils.parametrize.remove_parametrizations)"
        )
    return _exchange(model, duals, _folded)


def _folded(layer: nn.Module) -> nn.Module:
    current = copy.copy(layer)  # another module with the same parameters
    vars(current).update(recomputed(layer))
    return current.fold()  # type: ignore[operator, no-any-return] # only dual layers are named


def recomputed(module: nn.Module) -> dict[str, Tensor]:
    """The weights that pruning and the older weight norm will compute in the next forward pass.

    What the module has under their names until then was computed in the last one, and after a step of the optimizer it
    is out of date.
    """
    weights: dict[str, Tensor] = {}
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, BasePruningMethod):
            weights[hook._tensor_name] = hook.apply_mask(module)
        elif isinstance(hook, WeightNorm):
            weights[hook.name] = hook.compute_weight(module)
    return weights


def _is_plain(module: nn.Module) -> bool:
    """nn.Linear or nn.Conv2d itself, also where it is lazy or parametrized, which changes the class."""
    kind = type(module)
    if is_parametrized(module):
        kind = kind.__mro__[1]
    return kind in _PLAIN or kind in (nn.LazyLinear, nn.LazyConv2d)


def _choose(layers: dict[str, nn.Module], include: Include) -> list[str]:
    known = f"its layers are {_listed(layers)}" if layers else "it has no nn.Linear or nn.Conv2d"
    if include is None:
        chosen = list(layers)
    elif callable(include):
        chosen = [name for name, layer in layers.items() if include(name, layer)]
    else:
        patterns = [include] if isinstance(include, str) else list(include)
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in layers):
                raise ValueError(f"{pattern!r} matches no nn.Linear or nn.Conv2d of the model: {known}")
        chosen = [name for name in layers if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not chosen:
        raise ValueError(f"no layer of the model would be replaced: {known}")
    return chosen


def _listed(names: Iterable[str], most: int = 8) -> str:
    names = [repr(name) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _refuse_what_cannot_be_dual(model: nn.Module, chosen: dict[str, nn.Module]) -> None:
    users: dict[int, dict[int, str]] = {}  # parameter -> modules that hold it
    for name, module in model.named_modules():
        for own, parameter in module.named_parameters(name, recurse=False, remove_duplicate=False):
            users.setdefault(id(parameter), {})[id(module)] = own
    overlaps = _overlaps(model)
    for name, layer in chosen.items():
        if any(is_lazy(parameter) for parameter in layer.parameters(recurse=False)):
            raise ValueError(f"{name!r} is lazy and has no weight yet: run the model once before dualize")
        if is_parametrized(layer) or "weight" not in layer._parameters:
            raise ValueError(
                f"the weight of {name!r} is computed (parametrization, weight norm, pruning): make it an ordinary "
                "parameter first, or leave the layer out with include"
            )
        for parameter in layer.parameters(recurse=False):
            others = [own for module, own in users[id(parameter)].items() if module != id(layer)]
            if others:
                raise ValueError(
                    f"{name!r} shares a parameter with {_listed(others)}: two weights cannot be tied to one, leave the "
                    "layer out with include"
                )
            if other := overlaps.get(id(parameter)):
                raise ValueError(
                    f"{name!r} shares memory with {other!r}: what is tied so cannot become two weights, leave "
                    "the layer out with include"
                )


def _overlaps(model: nn.Module) -> dict[int, str]:
    """Of each parameter that shares memory with another, the name of the other."""
    spans = []
    for name, parameter in model.named_parameters():
        if not (is_lazy(parameter) or parameter.is_meta) and parameter.layout == torch.strided and parameter.numel():
            last = sum((side - 1) * stride for side, stride in zip(parameter.shape, parameter.stride()))
            start = parameter.data_ptr()
            spans.append((str(parameter.device), start, start + (last + 1) * parameter.element_size(), name, parameter))
    spans.sort(key=lambda span: span[:2])
    found: dict[int, str] = {}
    longest = spans[:1]  # of those before, the one that reaches furthest
    for second in spans[1:]:
        first = longest[0]
        if first[0] == second[0] and first[2] > second[1]:
            found |= {id(first[4]): second[3], id(second[4]): first[3]}
        if first[0] != second[0] or second[2] > first[2]:
            longest = [second]
    return found


def _exchange(model: nn.Module, names: Iterable[str], convert: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """A copy of ``model`` with the named modules converted, each once, wherever it stands, in lists as well."""
    old = {id(module): (name, module) for name in names for module in [model.get_submodule(name)]}
    # What the memo holds is taken by deepcopy for the copy that is already made.
    memo: dict[int, object] = {place: convert(module) for place, (_, module) in old.items()}
    try:
        copied = copy.deepcopy(model, memo)
    except RuntimeError as error:
        computed = [name for name, module in model.named_modules() if id(module) not in old and recomputed(module)]
        if not computed:
            raise
        raise ValueError(
            f"{_listed(computed)} computes its weight (pruning, weight norm) and cannot be copied: make it an ordinary "
            "parameter first (torch.nn.utils.prune.remove, torch.nn.utils.remove_weight_norm)"
        ) from error
    for name, module in old.values():
        if any(id(parameter) in memo for parameter in module.parameters(recurse=False)):
            raise ValueError(
                f"the model keeps a parameter of {name!r} in another place as well (in a list, say), where it would "
                "stay what it is: keep the layer there instead, or leave the layer out with include"
            )
    return copied
