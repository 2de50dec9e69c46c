"""Adapters of LoRA (Hu et al. 2022, arXiv 2106.09685) as PEFT saves them: the change B A alpha / r of each weight.

B: [out, r], A: [r, in]; the scale is alpha / r, or alpha / sqrt(r) with ``use_rslora``. In a convolution A holds the
kernels and B mixes their outputs; of an embedding the change is the transpose of B A. With a base the result is
W + B A alpha / r, not rounded to the type of W. A model that PEFT has changed in memory has that weight as well
(``in_use``), with the adapters that are active.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from weightspace.spectra.weights import ALL, Weight, of_tensor

_FACTOR = re.compile(r"(?P<module>.*)\.lora_(?P<embedding>embedding_)?(?P<factor>[AB])(?:\.(?:default|weight))*")


@dataclass(frozen=True)
class Adapter:
    """File of the factors, and what their adapter_config.json says."""

    file: Path
    config: Mapping[str, Any]


def found(path: Path) -> Adapter | None:
    """The adapter in a folder, or that of which ``path`` is the file; None for anything else."""
    folder = path if path.is_dir() else path.parent
    names = ["adapter_model.safetensors", "adapter_model.bin"] if path.is_dir() else [path.name]
    file = next((folder / name for name in names if (folder / name).exists()), None)
    if file is None or not file.name.startswith("adapter_model."):
        return None
    config = folder / "adapter_config.json"
    if not config.exists():
        raise FileNotFoundError(f"{folder} has no adapter_config.json, which says alpha: put it beside {file.name}")
    return Adapter(file, json.loads(config.read_text()))


def applied(
    weights: Mapping[str, Weight], config: Mapping[str, Any], base: Mapping[str, Weight] | None
) -> dict[str, Weight]:
    """The changes under the names of the weights they change, and weights that were trained whole; with all the base.

    ``ValueError`` for an adapter of another kind, and where the base has no weight of the name and shape.
    """
    kind = "DoRA" if config.get("use_dora") else config.get("peft_type", "LORA")
    if kind != "LORA":
        raise ValueError(
            f"an adapter of the kind {kind}, not LoRA: merge it (peft: merge_and_unload) and pass the model"
        )
    factors: dict[str, dict[str, Weight]] = {}
    embeddings: set[str] = set()
    result: dict[str, Weight] = dict(base or {})
    for name, weight in weights.items():
        name = name.removeprefix("base_model.model.").replace(".base_layer.", ".")
        if match := _FACTOR.fullmatch(name):
            factors.setdefault(match["module"], {})[match["factor"]] = weight
            if match["embedding"]:
                embeddings.add(match["module"])
        elif ".lora_" not in name:
            result[_name_in(base or {}, name) or name] = weight  # a new head is not in the base
    for module, pair in factors.items():
        if len(pair) < 2:
            raise ValueError(f"the adapter has one of lora_A and lora_B of {module!r}, not both: save it again")
        transposed = module in embeddings or bool(config.get("fan_in_fan_out"))
        change = _change(pair["A"], pair["B"], _scale(config, module, pair["A"].shape[0]), transposed)
        name = f"{module}.weight"
        if base is None:
            result[name] = change
        elif there := _name_in(base, name):
            result[there] = _sum(base[there], change, there)
        else:
            raise ValueError(
                f"the base has no weight {name!r}, which the adapter changes: is it the base of the adapter?"
            )
    return result


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside a PeftModel whose adapters lie in its layers; any other model as it is."""
    inside = model._modules.get("base_model")
    tuner = hasattr(model, "peft_config") and inside is not None and "peft_config" in vars(inside)
    return inside.model if tuner else model  # type: ignore[union-attr, return-value] # a tuner has a model


def in_use(layer: nn.Module) -> Weight | None:
    """The weight that a layer of PEFT computes with, its active adapters included; None for any other module."""
    if "base_layer" not in layer._modules or not hasattr(layer, "active_adapters"):
        return None
    tuner: Any = layer
    if not isinstance(getattr(tuner.base_layer, "weight", None), Tensor):
        return Weight((), torch.float32, _nothing, reason=f"adapted by PEFT as {type(layer).__name__}: {_MERGE}")
    weight = of_tensor(tuner.base_layer.weight)
    if tuner.merged and tuner.disable_adapters:
        return replace(weight, reason="its adapters are merged and switched off: unmerge them (unmerge_adapter)")
    if tuner.merged or tuner.disable_adapters:
        return weight
    variants = getattr(tuner, "lora_variant", {})
    for name in tuner.active_adapters:
        if not hasattr(tuner, "lora_A") or name in variants or getattr(tuner, "use_dora", {}).get(name):
            return replace(weight, reason=f"its adapter {name!r} of PEFT is not a plain LoRA: {_MERGE}")
        if name in tuner.lora_A:
            pair = tuner.lora_A[name].weight, tuner.lora_B[name].weight
        elif name in tuner.lora_embedding_A:
            pair = tuner.lora_embedding_A[name], tuner.lora_embedding_B[name]
        else:
            continue  # an adapter of other layers
        transposed = name not in tuner.lora_A or bool(getattr(tuner, "fan_in_fan_out", False))
        A, B = map(of_tensor, pair)
        weight = _sum(weight, _change(A, B, tuner.scaling[name], transposed), name)
    return weight


class Names:
    """Which modules of a model that PEFT has changed are in use, and what they are called without it."""

    def __init__(self) -> None:
        self._unused: list[str] = []
        self._whole: dict[str, str] = {}

    def see(self, path: str, module: nn.Module) -> None:
        """To be called with every module in use, the outer before the inner."""
        inside = f"{path}." if path else ""
        if "base_layer" in module._modules and hasattr(module, "active_adapters"):
            self._unused.append(inside)  # ``in_use`` has put it together
        elif {"original_module", "modules_to_save"} <= set(module._modules):  # trained whole, beside adapters
            wrapper: Any = module
            active = [name for name in wrapper.active_adapters if name in wrapper.modules_to_save]
            on = active and not wrapper.disable_adapters
            used = f"{inside}modules_to_save.{active[0]}" if on else f"{inside}original_module"
            others = [
                f"{inside}original_module",
                *(f"{inside}modules_to_save.{name}" for name in wrapper.modules_to_save),
            ]
            self._unused += [f"{each}." for each in others if each != used]
            self._whole[f"{used}."] = inside

    def unused(self, path: str) -> bool:
        return f"{path}.".startswith(tuple(self._unused))

    def plain(self, path: str) -> str:
        for used, instead in self._whole.items():
            if f"{path}.".startswith(used):
                path = (instead + f"{path}.".removeprefix(used)).removesuffix(".")
        return path


_MERGE = "pass merge_and_unload() of a copy"


def _nothing(rows: slice) -> Tensor:
    raise ValueError("the weight is not known")


def _name_in(base: Mapping[str, Weight], name: str) -> str:
    """What the base calls it (a model without its head leaves out the first part), or nothing."""
    return next((each for each in (name, name.partition(".")[2]) if each in base), "")


def _scale(config: Mapping[str, Any], module: str, r: int) -> float:
    patterns: Mapping[str, float] = config.get("alpha_pattern") or {}
    alpha = next((a for key, a in patterns.items() if re.match(rf"(.*\.)?({key})$", module)), config["lora_alpha"])
    return float(alpha) / (r**0.5 if config.get("use_rslora") else r)


def _change(A: Weight, B: Weight, scale: float, transposed: bool) -> Weight:
    shape = (B.shape[0], *A.shape[1:])

    def read(rows: slice) -> Tensor:
        a, b = (factor.read(ALL).double().flatten(1) for factor in (A, B))
        product = (b @ a).T[rows] if transposed else b[rows] @ a
        return scale * product.reshape(-1, *(shape[::-1] if transposed else shape)[1:])

    # Of double precision, for the rounding of the factors does not add rank.
    return Weight(shape[::-1] if transposed else shape, torch.float64, read, origin=f"B A times {scale:g}")


def _sum(weight: Weight, change: Weight, name: str) -> Weight:
    if weight.shape != change.shape:
        raise ValueError(f"{name!r} is {weight.shape} in the base and {change.shape} in the adapter: is it its base?")
    return replace(
        weight,
        read=lambda rows: weight.read(rows).double() + change.read(rows),
        identity=None,
        origin=", ".join(filter(None, [weight.origin, f"plus {change.origin}"])),
    )
