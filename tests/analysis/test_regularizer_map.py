"""The frames of the map: which runs of the main campaign stand among those of its own campaign."""

import pandas as pd

from weightspace.analysis import regularizer_map


def test_the_main_campaign_joins_with_the_settings_and_seeds_of_the_map():
    rows = [(size, setting, seed) for size in (5_000, 500) for setting in ("baseline", "noise50") for seed in (0, 1)]
    sizes = pd.DataFrame(rows, columns=["train_size", "setting", "seed"])
    main = pd.DataFrame(
        [(setting, seed) for setting in ("baseline", "noise50", "auto1") for seed in range(4)],
        columns=["setting", "seed"],
    )
    frames = regularizer_map.by_size(sizes, main, 2_000)
    assert list(frames) == [500, 2_000, 5_000]
    for frame in frames.values():
        assert sorted(zip(frame["setting"], frame["seed"])) == [
            ("baseline", 0),
            ("baseline", 1),
            ("noise50", 0),
            ("noise50", 1),
        ]
