"""Spectra written to a file as they are computed, so that a report that was stopped goes on from there.

The file has a line of JSON for the convention, and one for each row that is done: its place and name, the SHA-256 of
its weights and its eigenvalues, in digits that give back the same numbers.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weightspace.spectra.weights import Weight


class Kept:
    """The spectra in a file, which is made if it is not there.

    ``ValueError`` for a file of anything else or of another convention.
    """

    def __init__(self, path: str | os.PathLike[str], convention: str) -> None:
        self.path = Path(path)
        header = {"spectra": 1, "convention": convention}
        content = self.path.read_bytes() if self.path.exists() else b""
        whole = content.rfind(b"\n") + 1
        try:
            lines = [json.loads(line) for line in content[:whole].splitlines()]
            if content and lines[0] != header:
                raise ValueError(f"it begins with {lines[0]}")
            self._rows = {(line["layer_id"], line["name"]): line for line in lines[1:]}
        except (ValueError, LookupError, TypeError) as error:
            raise ValueError(
                f"{self.path} cannot be resumed: it holds no spectra of the convention {convention!r}; give a new file"
            ) from error
        if not content:
            self._append(header)
        elif whole < len(content):
            os.truncate(self.path, whole)  # a line that was cut short by the end of the program

    def spectra(self, layer_id: int, name: str, matrices: Sequence[Weight]) -> list[np.ndarray] | None:
        """The eigenvalues of each matrix, None if they are not there. ``ValueError`` if they are of other weights."""
        row = self._rows.get((layer_id, name))
        if row is None:
            return None
        if row["sha256"] != _digest(matrices):
            raise ValueError(f"{self.path} holds the spectrum of other weights for {name!r}: give a new file")
        return [np.array(values, dtype=np.float64) for values in row["eigenvalues"]]

    def add(self, layer_id: int, name: str, matrices: Sequence[Weight], spectra: Sequence[np.ndarray]) -> None:
        """Writes a row that is done."""
        values = [each.tolist() for each in spectra]
        self._append({"layer_id": layer_id, "name": name, "sha256": _digest(matrices), "eigenvalues": values})

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def _digest(matrices: Sequence[Weight]) -> str:
    digest = hashlib.sha256()
    for matrix in matrices:
        array = np.ascontiguousarray(matrix)
        digest.update(f"{array.dtype} {array.shape} ".encode())
        digest.update(array.data)
    return digest.hexdigest()
