"""Paper A's released measurements: finding and verifying them, the paper's statistics, and what they can show."""

import io
import tarfile

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from weightspace import claims, data, experiments
from weightspace.__main__ import main
from weightspace.analysis import released_scores, shift_checks
from weightspace.analysis import spectral_shifts as shifts_module
from weightspace.campaigns import records
from weightspace.data import DataError, registry, released
from weightspace.data import files as data_files
from weightspace.experiments.diversity import released_measurements

CONTENT = {
    "cf10/ww-df/bs_cf10.csv": b"layer_id,alpha\n3,2.5\n",
    "cf10/ww-df/bs_cf10_ft.csv": b"layer_id,alpha\n3,2.75\n",
    "EDA_aug/augmented.csv": b"text,label\nhello,1\n",
}


# --- the data set


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder, an empty cache, and a small release in place of the real one."""
    monkeypatch.setattr(data_files, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(released, "DIGEST", released.digest_of(CONTENT))
    path = tmp_path / "raw"
    (path / released.NAME).mkdir(parents=True)
    monkeypatch.setenv(data_files.VARIABLE, str(path))
    return path / released.NAME


def pack(path, mode, prefix, content, *others):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, text in content.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
        for member in others:
            tar.addfile(member)


def write_tree(root, content):
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text)


def cached(tmp_path):
    return tmp_path / "cache" / released.NAME / f"{released.COMMIT}.tar.gz"


def test_archive_tree_and_repository_archive_are_the_same_release(folder, tmp_path, monkeypatch):
    pack(folder / released.ARCHIVE, "w:xz", "./", CONTENT)
    found = [released.load()]
    (folder / released.ARCHIVE).unlink()
    write_tree(folder, CONTENT | {"notes.csv": b"mine", "cf10/readme.txt": b"no table"})
    found.append(released.load())
    monkeypatch.delenv(data_files.VARIABLE)
    # GitHub puts everything below one folder and adds what is not measured.
    pack(cached(tmp_path), "w:gz", "Data-Diversity-5949497/", CONTENT | {"vs.ipynb": b"{}", "other/x.csv": b"1"})
    found.append(released.load())
    assert all(one.files == CONTENT and one.digest == released.DIGEST for one in found)
    assert [one.source.split()[0] for one in found] == ["folder", "folder", "cache"]
    assert found[0].csv("cf10/ww-df/bs_cf10_ft.csv")["alpha"].tolist() == [2.75]
    assert found[0].below("cf10/ww-df") == ["cf10/ww-df/bs_cf10.csv", "cf10/ww-df/bs_cf10_ft.csv"]
    with pytest.raises(DataError, match="no file 'cf10/x.csv'"):
        found[0].csv("cf10/x.csv")


@pytest.mark.parametrize(
    "altered",
    [
        CONTENT | {"EDA_aug/augmented.csv": b"text,label\nhello,0\n"},
        CONTENT | {"EDA_aug/more.csv": b""},
        dict(list(CONTENT.items())[:2]),
        {("car" + name[4:] if name.startswith("cf10") else name): text for name, text in CONTENT.items()},
    ],
    ids=["one byte", "one file more", "one file less", "renamed"],
)
def test_an_altered_release_is_refused_and_named(folder, altered):
    write_tree(folder, altered)
    with pytest.raises(DataError, match="other content than commit 5949497.*Replace or delete") as caught:
        released.load()
    assert caught.value.path == folder


def test_damaged_archives_are_named(folder):
    pack(folder / released.ARCHIVE, "w:xz", "./", CONTENT)
    whole = (folder / released.ARCHIVE).read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"not an archive"):
        (folder / released.ARCHIVE).write_bytes(broken)
        with pytest.raises(DataError, match="cannot be read.*Replace or delete") as caught:
            released.load()
        assert caught.value.path == folder / released.ARCHIVE


def test_nothing_in_an_archive_is_written_or_followed(folder, tmp_path, monkeypatch):
    link = tarfile.TarInfo("./cf10/ww-df/link.csv")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    outside = tarfile.TarInfo("../../cf10/escape.csv")
    pack(folder / released.ARCHIVE, "w:xz", "./", CONTENT, link, outside)
    before = sorted(tmp_path.rglob("*"))
    assert released.load().files == CONTENT
    assert sorted(tmp_path.rglob("*")) == before
    monkeypatch.setattr(released, "_MAX_BYTES", 30)
    with pytest.raises(DataError, match="more than 30 bytes"):
        released.load()


def test_a_missing_release_is_downloaded_only_on_request(folder, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"neither below WEIGHTSPACE_DATA nor in .*data --fetch"):
        released.load()
    served = dict(CONTENT)

    def retrieve(url, known_hash, fname, path, downloader):
        assert url == released.URL and released.COMMIT in url
        pack(path / fname, "w:gz", "x/", served)

    monkeypatch.setattr("pooch.retrieve", retrieve)
    assert data.REGISTRY[released.NAME].read(download=True).variant == "canonical"
    assert cached(tmp_path).is_file() and released.load().files == CONTENT
    cached(tmp_path).unlink()
    served["EDA_aug/augmented.csv"] = b"altered"
    with pytest.raises(DataError, match="other content"):
        released.load(download=True)
    assert not any(path.is_file() for path in (tmp_path / "cache").rglob("*"))

    def fail(*arguments, **named):
        raise OSError("no route")

    monkeypatch.setattr("pooch.retrieve", fail)
    with pytest.raises(DataError, match="downloading .* failed .no route.*WEIGHTSPACE_DATA"):
        released.load(download=True)


def test_the_listing_shows_it_and_it_holds_no_samples(folder, monkeypatch):
    write_tree(folder, CONTENT)
    monkeypatch.setattr(registry, "REGISTRY", {released.NAME: data.REGISTRY[released.NAME]})
    (row,) = data.status()
    assert row["verified"] and row["rows"] == released.FILES and row["where"] == f"folder {folder}"
    with pytest.raises(DataError, match="released.load"):
        data.load(released.NAME)


@pytest.mark.realdata
def test_the_real_release_gives_the_committed_records():
    try:
        release = released.load()
    except DataError as error:
        pytest.skip(str(error))
    assert len(release.files) == released.FILES
    ours = released_measurements.changes(release, "resnet18", "cifar10")
    kept = records.load("released_measurements").query("model == 'resnet18'")
    keys = ["quantity", "category", "level", "layer", "metric"]
    both = ours.merge(kept, on=keys, suffixes=("", "_kept"))
    assert len(both) == len(ours) == len(kept)
    np.testing.assert_array_equal(both["value"], both["value_kept"])
    # One cell followed by hand from the two tables of a setting.
    cells = [
        release.csv(f"train_from_scratch_10_cf10/ww-df/{end}dp0.3.csv").set_index("layer_id") for end in ("", "ft_")
    ]
    change = cells[1].loc[1, "alpha"] - cells[0].loc[1, "alpha"]
    assert (
        ours.query("layer == 1 and metric == 'alpha' and category == 'dp' and level == '0.3'")["value"].item() == change
    )


# --- the paper's statistic


def made_up(layers=30, tasks=("one", "two"), effect=None, seed=0, scales=None, levels=(10, 4, 6)):
    """Changes that are independent noise in every run; ``effect(category, order, layer)`` is added."""
    rng = np.random.default_rng(seed)
    scales = np.ones(layers) if scales is None else scales
    rows = []
    for task in tasks:
        for category, count in zip(("bs", "div", "dp", "wd"), (1, *levels)):
            for order in range(1, count + 1):
                for layer in range(layers):
                    value = scales[layer] * rng.standard_normal() + (effect(category, order, layer) if effect else 0)
                    level = "" if category == "bs" else str(order)
                    rows.append(("net", task, 0, category, level, order, layer, "alpha", value))
    return pd.DataFrame(
        rows, columns=["model", "task", "seed", "category", "level", "order", "layer", "metric", "value"]
    )


def test_shifts_and_profiles_against_a_pivot_table():
    changes = made_up()
    wide = changes.pivot_table(index=["task", "layer"], columns=["category", "level"], values="value")
    shifted = wide.sub(wide["bs", ""], axis=0).drop(columns="bs", level=0)
    by_hand = shifted.T.groupby(level=0).mean().T.groupby("layer").mean()
    profile = shifts_module.profiles(shifts_module.shifts(changes)).loc["net", "alpha"]
    np.testing.assert_allclose(profile[["div", "dp", "wd"]], by_hand[["div", "dp", "wd"]], atol=1e-12)


def test_baselines_must_be_there_and_single():
    changes = made_up(layers=3)
    with pytest.raises(ValueError, match=r"no baseline \(bs\) for .*'two'"):
        shifts_module.shifts(changes[(changes["category"] != "bs") | (changes["task"] == "one")])
    doubled = pd.concat([changes, changes[changes["category"] == "bs"]])
    with pytest.raises(ValueError, match="more than one baseline"):
        shifts_module.shifts(doubled)
    # A layer that the baseline lacks is left out, as in the release.
    gone = changes[(changes["category"] != "bs") | (changes["layer"] != 1)]
    assert set(shifts_module.shifts(gone)["layer"]) == {0, 2}


def test_tests_between_categories_against_their_formulas():
    profile = shifts_module.profiles(shifts_module.shifts(made_up(layers=12)))
    x = profile[["div", "dp", "wd"]].to_numpy()
    between = 12 * ((x.mean(axis=0) - x.mean()) ** 2).sum() / 2
    within = ((x - x.mean(axis=0)) ** 2).sum() / 33
    variance = shifts_module.anova(profile).iloc[0]
    assert variance["F"] == pytest.approx(between / within) and variance["n"] == 12
    assert variance["p"] == pytest.approx(scipy_stats.f.sf(between / within, 2, 33))
    row = shifts_module.comparisons(profile).query("a == 'div' and b == 'wd'").iloc[0]
    a, b = x[:, 0], x[:, 2]
    t = (a.mean() - b.mean()) / np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2) / np.sqrt(2 / 12)
    assert row["t"] == pytest.approx(t) and row["p"] == pytest.approx(2 * scipy_stats.t.sf(abs(t), 22))
    assert row["pearson"] == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert (shifts_module.comparisons(profile)["p_holm"] >= shifts_module.comparisons(profile)["p"]).all()


@pytest.mark.parametrize(
    ("value", "like", "printed"),
    [
        (0.23571, "0.24", "0.24"),
        (-0.00231, "-0.0020", "-0.0023"),
        (1.50561e-05, "1.51e-05", "1.51e-05"),
        (0.0004, "<0.001", "<0.001"),
        (0.002, "<0.001", "0.002"),
        (60.0, "60", "60"),
    ],
)
def test_numbers_are_held_against_the_digits_that_were_printed(value, like, printed):
    assert shifts_module.as_printed(value, like) == printed


@pytest.fixture(scope="module")
def changes():
    frame = records.load("released_measurements")
    return frame[frame["quantity"] == "change"]


def test_every_reported_value_comes_out_of_the_committed_records(changes):
    compared = shifts_module.against_reported(changes)
    assert compared["statistic"].value_counts().to_dict() == {
        **{"pearson": 40, "t": 36, "t_p": 36, "category_mean": 156, "last_layer_mean": 132, "accuracy": 27},
        **{"anova_F": 12, "anova_p": 12, "layers": 4},
    }
    differing = compared[~compared["agrees"]][["model", "metric", "a", "b", "value", "ours"]]
    # -0.1146 and -0.3149: both round to the two reported digits only by way of three.
    assert differing.values.tolist() == [
        ["clip_vit_b32", "log_spectral_norm", "dp", "wd", "-0.12", "-0.11"],
        ["resnet18", "entropy", "div", "dp", "-0.32", "-0.31"],
    ]


def test_values_per_data_set_are_compared_with_that_data_set(changes):
    compared = shifts_module.against_reported(changes).query("task != ''")
    assert compared.groupby("model")["task"].value_counts().to_dict() == {
        **{("clip_rn50", task): 24 for task in ("cifar10", "cifar100", "cars", "domainnet")},
        **{("clip_vit_b32", task): 24 for task in ("cifar10", "cifar100", "cars", "domain")},
    }
    assert compared["agrees"].all() and compared["ours"].str.len().min() >= 13  # eight digits
    other = changes.assign(value=changes["value"].where(changes["task"] != "cars", 1.01 * changes["value"]))
    again = shifts_module.against_reported(other).query("task != ''")
    assert set(again.loc[~again["agrees"], "task"]) == {"cars"}


def test_the_comparison_notices_another_number(changes):
    altered = changes.assign(value=changes["value"].where(changes["model"] != "bert", 1.01 * changes["value"]))
    compared = shifts_module.against_reported(altered)
    assert not compared[(compared["model"] == "bert") & (compared["statistic"] == "category_mean")]["agrees"].any()
    assert compared[compared["model"] == "clip_rn50"]["agrees"].all()
    missing = shifts_module.against_reported(changes[changes["model"] != "resnet18"])
    assert (missing[missing["model"] == "resnet18"]["ours"] == "missing").all()


def test_the_command_compares_digit_by_digit(capsys):
    assert main(["reported", "released_measurements"]) == 0
    printed = capsys.readouterr().out
    assert "453 of 455 reported values agree" in printed and printed.count("DIFFERS") == 2


# --- what they can show


def test_quadrants_by_chance_and_by_hand():
    """Two categories without an effect that share a baseline, simulated; and signs of made-up means."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((200_000, 2))
    a, b = (rng.standard_normal((200_000, 2)) / np.sqrt(n) - noise for n in (10, 4))
    same = (np.sign(a) == np.sign(b)).all(axis=1).mean()
    low, high = shift_checks.same_quadrant_chance(10, 4)
    assert low == pytest.approx(same, abs=0.005)
    together = (np.sign(a[:, 0]) == np.sign(b[:, 0])).mean()
    assert high == pytest.approx(together, abs=0.005)
    rows = [
        ("m", task, metric, category, value)
        for task, values in {"one": (1, 2, 3, 4), "other": (1, -2, 3, 4), "third": (-1, -2, 3, 4)}.items()
        for (metric, category), value in zip([("x", "div"), ("x", "dp"), ("y", "div"), ("y", "dp")], values)
    ]
    means = pd.DataFrame(rows, columns=["model", "task", "metric", "category", "mean"])
    assert shift_checks.same_quadrant(means, "x", "y").tolist() == [True, False, True]


def test_noise_with_a_shared_baseline_correlates_as_the_closed_form_says():
    assert shift_checks.shared_baseline_correlation(1, 1) == pytest.approx(0.5)
    assert shift_checks.shared_baseline_correlation(10**9, 10**9) == pytest.approx(1)
    profile = shifts_module.profiles(shifts_module.shifts(made_up(layers=4000, tasks=("one",))))
    for a, b, counts in (("div", "dp", (10, 4)), ("div", "wd", (10, 6)), ("dp", "wd", (4, 6))):
        expected = shift_checks.shared_baseline_correlation(*counts)
        assert np.corrcoef(profile[a], profile[b])[0, 1] == pytest.approx(expected, abs=0.02)
    drawn = shift_checks.noise_correlations(np.ones(500), 10, 4)
    assert drawn.mean() == pytest.approx(shift_checks.shared_baseline_correlation(10, 4), abs=0.01)
    # One dominating layer leaves a single replicate, and any correlation can come out.
    alone = shift_checks.noise_correlations(np.r_[1000.0, np.ones(20)], 10, 4)
    assert np.quantile(alone, 0.975) - np.quantile(alone, 0.025) > 1 and drawn.std() < 0.05


def test_noise_makes_dropout_look_closer_than_the_baseline(monkeypatch):
    monkeypatch.setattr(shift_checks, "REPLICATES", 200)
    changes = made_up(layers=4000, tasks=("one",))
    profile = shifts_module.profiles(shifts_module.shifts(changes))
    row = shift_checks.distances(profile, shift_checks.level_counts(changes)).iloc[0]
    assert row["expected"] == pytest.approx(np.sqrt((1 / 10 + 1 / 4) / (1 + 1 / 10)))
    assert row["ratio"] == pytest.approx(row["expected"], abs=0.02)
    assert row["ratio_low"] < row["expected"] < row["ratio_high"]
    assert row["to_dp"] == pytest.approx(np.abs(profile["div"] - profile["dp"]).mean())


def test_distances_see_a_true_likeness_and_a_true_difference():
    like = made_up(effect=lambda category, order, layer: (layer - 15) * (category in ("div", "dp")), layers=60)
    unlike = made_up(effect=lambda category, order, layer: (layer - 15) * (category == "div"), layers=60)
    near, far = (
        shift_checks.distances(shifts_module.profiles(shifts_module.shifts(one)), shift_checks.level_counts(one)).iloc[
            0
        ]
        for one in (like, unlike)
    )
    assert near["ratio_high"] < near["expected"] and near["nearer_low"] > 0
    assert far["ratio_low"] > far["expected"] and abs(far["nearer"]) < 0.05 * far["to_dp"]


def test_dose_contrasts_share_nothing_and_ignore_the_baseline():
    changes = made_up(layers=4000, tasks=("one",))
    contrasts = shift_checks.dose_contrasts(changes)
    table = shift_checks.rank_correlations(contrasts)
    assert table["rho"].abs().max() < 0.05
    moved = changes.assign(value=changes["value"] + 100 * (changes["category"] == "bs"))
    pd.testing.assert_frame_equal(shift_checks.dose_contrasts(moved), contrasts)
    graded = made_up(layers=5, effect=lambda category, order, layer: 1e6 * order * (layer + 1), levels=(3, 4, 2))
    found = shift_checks.dose_contrasts(graded).loc["net", "alpha"] / 1e6
    # div 3 - 1 (the middle of three is left out), dp (3 + 4 - 1 - 2) / 2, wd 2 - 1
    np.testing.assert_allclose(found, np.outer(np.arange(1, 6), [2, 2, 1]), atol=1e-4)


def test_a_shared_baseline_correlates_within_a_task_only():
    noise = made_up(layers=1500, tasks=("one", "two", "three"))
    row = shift_checks.across_tasks(noise).query("a == 'div' and b == 'dp'")
    assert row["same"].item() == pytest.approx(0.84, abs=0.03) and abs(row["other"].item()) < 0.05
    by_task = {
        task: shifts_module.profiles(shifts_module.shifts(own)).drop(index=1499, level="layer")
        for task, own in noise.groupby("task")
    }
    other = [
        scipy_stats.spearmanr(by_task[one]["div"], by_task[two]["dp"]).statistic
        for one in by_task
        for two in by_task
        if one != two
    ]
    assert len(other) == 6 and row["other"].item() == pytest.approx(np.mean(other))
    real = made_up(effect=lambda category, order, layer: 3 * np.sin(layer) * (category in ("div", "dp")), layers=300)
    assert shift_checks.across_tasks(real).query("a == 'div' and b == 'dp'")["other"].item() > 0.8
    assert shift_checks.across_tasks(made_up(layers=5, tasks=("one",))).empty


def test_equivalence_is_two_one_sided_tests():
    profile = shifts_module.profiles(shifts_module.shifts(made_up(layers=25)))
    margin = pd.Series([0.4], index=pd.MultiIndex.from_tuples([("net", "alpha")], names=["model", "metric"]))
    table = shift_checks.equivalence(profile, margin)
    row = table.query("a == 'div' and b == 'dp'").iloc[0]
    difference = profile["div"] - profile["dp"]
    above = scipy_stats.ttest_1samp(difference, -0.4, alternative="greater").pvalue
    below = scipy_stats.ttest_1samp(difference, 0.4, alternative="less").pvalue
    assert row["p"] == pytest.approx(max(above, below))
    low, high = scipy_stats.t.interval(0.9, 24, difference.mean(), scipy_stats.sem(difference))
    assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))
    assert shift_checks.equivalence(profile, margin * 1e3)["equivalent"].all()
    nothing = shift_checks.equivalence(profile, margin * 1e-9)
    assert not nothing["equivalent"].any() and (nothing["p"] >= 0.5).all()


def test_the_margin_is_a_fifth_of_what_training_changes():
    changes = made_up(layers=8)
    baseline = changes[(changes["category"] == "bs") & (changes["layer"] < 7)]["value"]
    assert shift_checks.margins(changes)["net", "alpha"] == pytest.approx(0.2 * baseline.abs().mean())


def test_leaving_one_out_finds_the_layer_task_or_level_that_decides():
    def effect(category, order, layer):
        return 1e4 * (layer == 7) * (category in ("div", "dp"))

    table = shift_checks.leave_one_out(made_up(effect=effect), "layer").query("a == 'div' and b == 'dp'")
    whole = table.query("left_out == ''")["pearson"].item()
    rest = table.query("left_out != ''").set_index("left_out")["pearson"]
    assert len(rest) == 30 and whole > 0.999 and rest.idxmin() == "7" and rest["7"] < 0.99
    profile = shifts_module.profiles(shifts_module.shifts(made_up(effect=effect))).drop(index=7, level="layer")
    assert rest["7"] == pytest.approx(np.corrcoef(profile["div"], profile["dp"])[0, 1])
    assert set(shift_checks.leave_one_out(made_up(layers=4), "task")["left_out"]) == {"", "one", "two"}
    assert len(set(shift_checks.leave_one_out(made_up(layers=4), "level")["left_out"])) == 21
    with pytest.raises(ValueError, match="use layer, task or level"):
        shift_checks.leave_one_out(made_up(layers=4), "metric")


def test_an_odd_run_is_at_the_edge_and_others_as_often_as_chance():
    changes = made_up(layers=3000, tasks=("one",))
    shares = shift_checks.extreme_fractions(changes)
    assert len(shares) == 15 and (shares["share"] - 2 / 15).abs().max() < 0.03
    assert shares["expected"].unique() == pytest.approx(2 / 15)
    odd = changes.assign(value=changes["value"] + 100 * (changes["category"] == "bs"))
    assert shift_checks.extreme_fractions(odd).query("category == 'bs'")["share"].item() == 1


def test_vendi_scores_are_ranked_against_accuracy():
    rows = []
    for order in range(6):
        where = {"model": "net", "task": "one", "category": "div" if order else "bs", "level": str(order)}
        for metric, value in (("accuracy_percent", 90 - order), ("vendi_pixels", order), ("vendi_embeddings", -order)):
            rows.append(where | {"metric": metric, "value": float(value)})
    table = released_scores.vendi_correlations(pd.DataFrame(rows)).set_index("metric")
    assert table.loc["vendi_pixels", "rho"] == -1 and table.loc["vendi_embeddings", "rho"] == pytest.approx(1)


def test_text_accuracies_are_whole_numbers_of_answers_and_none_differs():
    table = released_scores.text_accuracies()
    assert len(table) == 27 and table["category"].iloc[0] == "bs" and np.isnan(table["p_holm"].iloc[0])
    best = table.query("category == 'gen_add' and level == '0.5'").iloc[0]
    z, n, k = scipy_stats.norm.ppf(0.975), 345, 316
    middle, half = (k + z**2 / 2) / (n + z**2), z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    assert best["share"] == k / n and best["low"] == pytest.approx(middle - half)
    assert best["high"] == pytest.approx(middle + half)
    # Fisher's test is conservative: near the chi-square test with continuity correction.
    chi_square = scipy_stats.chi2_contingency([[316, 29], [302, 43]]).pvalue
    assert best["p"] == pytest.approx(chi_square, abs=0.01) and table["p"].min() == best["p"]
    assert (table["p_holm"].dropna() == 1).all()


# --- records and verdicts


def test_the_quick_scale_is_noise_and_is_judged_as_such(results):
    assert experiments.run("released_measurements", "quick", progress=False) == 4
    frame = records.load("released_measurements", "quick")
    assert set(frame["data_variant"]) == {"simulated"} and set(frame["quantity"]) == {"change", "score"}
    by_id = {claim.id: claim for claim in claims.CLAIMS}
    counts = {name: [(f.wins, f.losses) for f in by_id[name].assess(frame)] for name in ("A1a", "A2a", "A2b")}
    assert counts["A1a"] == [(0, 0)] * 4
    assert sum(wins for wins, _ in counts["A2a"]) >= 14  # weight decay is the one setting with an effect
    assert sum(wins + losses for wins, losses in counts["A2b"]) <= 1


def test_the_verdicts_rest_on_the_committed_records():
    found = {claim.id: claim.findings() for claim in claims.CLAIMS if claim.experiment == "released_measurements"}
    assert set(found) == {"A1a", "A2a", "A2b", "A3a"}
    assert [sum((f.wins, f.ties, f.losses)) for f in found["A1a"]] == [8] * 4
    assert [sum((f.wins, f.ties, f.losses)) for f in found["A2a"] + found["A2b"]] == [4] * 8
    assert [f.n_seeds for f in found["A2a"]] == [74, 59, 37, 20]
    # Layers of single runs are no replicates.
    assert {f.verdict for name in ("A1a", "A2a", "A2b") for f in found[name]} == {"described"}
    assert (
        sum(f.wins for f in found["A1a"] + found["A2b"])
        <= sum(f.ties + f.losses for f in found["A1a"] + found["A2b"]) / 2
    )
