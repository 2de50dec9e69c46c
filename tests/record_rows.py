"""Made-up records for the tests of records, parts and campaigns."""

import pandas as pd

from weightspace import records
from weightspace.configuration import canonical_json


def configuration(method, seed=0, experiment="e", **settings):
    return {"experiment": experiment, "protocol": 1, "method": method, "seed": seed, "lr": 0.1} | settings


def rows(*configurations, turns=2, value=1.0, changed="{}", **columns):
    """The rows of whole runs, with provenance."""
    return pd.DataFrame(
        [
            {
                "method": c["method"],
                "seed": c["seed"],
                "turn": turn,
                "value": value + turn,
                "run_key": records.run_key(c),
                "configuration": canonical_json(c),
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
    name = configurations[0]["experiment"]
    group = group or records.run_key(configurations[0])
    return records.write_part(name, scale, group, rows(*configurations, **columns))
