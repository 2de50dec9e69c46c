"""What settings are called in figures and tables; ``names`` has what does not depend on an experiment."""

from __future__ import annotations

from weightspace.data.augmentations import REGISTRY

_NAMED = {level.name: level.label for level in REGISTRY} | {
    "": "images as they are",
    "gen": "all generated",
    "verified_gen": "all generated, verified",
}
_OPERATIONS = {
    "sr": "synonyms",
    "ri": "insertion",
    "rs": "swap",
    "rd": "deletion",
    "comb": "real share",
    "verified": "real share, verified",
    "added": "added",
    "synthetic": "synthetic",
}


def setting_label(setting: str) -> str:
    """A setting of an experiment, or a training set, in words: "weight decay 1e-5", "noise 50", "synonyms 0.3"."""
    if setting in _NAMED:
        return _NAMED[setting]
    if "+" in setting:
        return " and ".join(map(setting_label, setting.split("+")))
    name, _, value = setting.rpartition("_")
    if name == "weight_decay":
        return f"weight decay {float(value):.0e}".replace("e-0", "e-")
    return f"{_OPERATIONS.get(name, name)} {value}" if name else setting
