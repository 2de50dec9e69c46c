"""Made-up records for the tests of records, parts and campaigns."""

from typing import Annotated

import pandas as pd

from weightspace.campaigns import records
from weightspace.campaigns.configuration import LATER, STRICT, Configuration, Positive, dataclass


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Example(Configuration):
    method: str
    lr: Positive = 0.1
    sizes: Annotated[tuple[int, ...], LATER] = ()
    on: Annotated[bool, LATER] = False
    parent: Annotated[str, LATER] = ""


def configuration(method, seed=0, experiment="e", **settings):
    return Example(experiment=experiment, protocol=1, method=method, seed=seed, **settings)


def rows(*configurations, turns=2, value=1.0, changed="{}", **columns):
    """The rows of whole runs, with provenance."""
    return pd.DataFrame(
        [
            {
                "method": c.method,
                "seed": c.seed,
                "turn": turn,
                "value": value + turn,
                "run_key": c.run_key,
                "configuration": c.to_json(),
                "changed": changed,
                "device": "cpu",
                "precision": "float32",
                "threads": 1,
                "versions": "v",
                "revision": "r",
                "data_digest": "d",
                "data_variant": "canonical",
                "seconds": 0.1,
                "time": "2026-01-01T00:00:00+00:00",
            }
            | columns
            for c in configurations
            for turn in range(turns)
        ]
    )


def write(*configurations, group=None, scale="quick", **columns):
    """Put runs on record as one part."""
    name = configurations[0].experiment
    group = group or configurations[0].run_key
    return records.write_part(name, scale, group, rows(*configurations, **columns))
