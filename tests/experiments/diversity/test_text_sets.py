"""The training sets of the text experiments: the right files, rows that belong together, labels, and our own edits."""

import numpy as np
import pandas as pd
import pytest

from weightspace import data
from weightspace.data import released
from weightspace.experiments.diversity import text_sets
from weightspace.experiments.diversity.text_sets import SETS, evaluation_set, sets_of, training_set


def content(texts, labels):
    return pd.DataFrame({"text": texts, "label": labels}).to_csv(index=False).encode()


@pytest.fixture
def nothing_known():
    """No texts of another test are left, and none of this one."""
    known = (text_sets._released, text_sets._part, text_sets._release)
    for cached in known:
        cached.cache_clear()
    yield
    for cached in known:
        cached.cache_clear()


@pytest.fixture
def release(monkeypatch, nothing_known):
    """A release of small files, whose texts say which file they are from."""
    real = [f"real {k}" for k in range(12)]
    files = {
        "augment_training/df_train_tc.csv": content(real, [0, 1] * 6),
        "augment_training/df_test_tc.csv": content(["test 0", "test 1"], [1, 0]),
        "EDA_aug/augmented_rs_augp0.3_prop0.3.csv": content([f"{t} swapped" for t in real], [0, 1] * 6),
        "augment_training/df_gen_tc.csv": content([f"gen {k}" for k in range(12)], ["complaint", "not_complaint"] * 6),
        "augment_training/df_comb_tc_0.1_vf.csv": content(["a", "b", None, "c"], [0.0, None, 1.0, 1.0]),
        "augment_training/df_gen_tc_vf.csv": content(["v 0", "v 1"], [1, 0]),
        "augment_training/df_comb_tc_0.3_add.csv": content([*real, *"wxyz"], [0, 1] * 8),
        "augment_training/df_gen_tc_add.csv": content([*real, "all"], [*[0, 1] * 6, 1]),
        "augment_training/df_comb_tc_0.5.csv": content(["a", "b"], ["complaint", "other"]),
        "augment_training/df_train_arxiv.csv": content(["title 0", "title 1"], ["cs", "stat"]),
        "augment_training/df_test_arxiv.csv": content(["title 2"], ["stat"]),
        "augment_training/df_gen_arxiv.csv": content(["gen title 0", None], ["stat", "cs"]),
        "augment_training/df_comb_arxiv_0.3.csv": content(["title 0", "gen title 1"], ["cs", "stat"]),
    }
    monkeypatch.setattr(released, "load", lambda: released.Release(files, "digest", "here"))


def test_released_sets_are_read_from_their_files(release):
    assert training_set("complaints").texts[:2] == ["real 0", "real 1"]
    assert training_set("complaints", "rs_0.3").texts[3] == "real 3 swapped"
    assert training_set("complaints", "gen").labels.tolist() == [1, 0] * 6
    assert training_set("complaints", "verified_gen").texts == ["v 0", "v 1"]
    assert evaluation_set("complaints").labels.tolist() == [1, 0]
    found = training_set("complaints", "verified_0.1")  # rows without a text or a label are left out
    assert found.texts == ["a", "c"] and found.labels.tolist() == [0, 1]
    assert found.origin == {"data_digest": "digest", "data_variant": "canonical"} and found.synonyms == ""
    with pytest.raises(data.DataError, match="df_comb_tc_0.5.csv .* labels that are none of"):
        training_set("complaints", "comb_0.5")


def test_titles_are_read_from_the_release_and_edited_by_us(release, monkeypatch):
    assert training_set("titles").texts == ["title 0", "title 1"] and training_set("titles").labels.tolist() == [0, 1]
    assert evaluation_set("titles").texts == ["title 2"] and evaluation_set("titles").labels.tolist() == [1]
    assert training_set("titles", "gen").texts == ["gen title 0"]
    assert training_set("titles", "comb_0.3").texts[1] == "gen title 1"
    monkeypatch.setattr(text_sets, "synonyms", lambda dataset: ("a test", lambda word: ("name",)))
    found = training_set("titles", "sr_0.5", seed=3)
    assert found.synonyms == "a test" and found.labels.tolist() == [0, 1]
    with pytest.raises(ValueError, match="titles has no set 'added_1'"):
        training_set("titles", "added_1")


def test_thinned_sets_keep_rows_together(release):
    plain, swapped = training_set("complaints", every=5), training_set("complaints", "rs_0.3", every=5)
    assert plain.texts == ["real 0", "real 5", "real 10"] and plain.labels.tolist() == [0, 1, 0]
    assert swapped.texts == [f"{text} swapped" for text in plain.texts] and swapped.first == 0
    added = training_set("complaints", "added_0.3", every=5)
    assert added.texts == [*plain.texts, "z"] and added.texts[added.first :] == ["z"]
    assert training_set("complaints", "added_1").texts[12:] == ["all"]


def test_each_task_has_its_sets():
    assert sets_of("complaints") == SETS and list(sets_of("sst2")) == ["augmentation"]
    assert SETS["augmentation"] == ("sr_0.3", "ri_0.3", "rs_0.3", "rd_0.3", "sr_0.5", "ri_0.5", "rs_0.5", "rd_0.5")
    with pytest.raises(ValueError, match="unknown text task 'imdb': use one of complaints, titles, sst2"):
        sets_of("imdb")
    with pytest.raises(ValueError, match="sst2 has no set 'gen': use one of sr_0.3"):
        training_set("sst2", "gen")


def test_sst2_is_edited_by_us(monkeypatch, nothing_known):
    texts = np.array([f"word{k} film w{k} x{k} y{k} z{k}" for k in range(400)], object)
    found = data.Dataset(
        "sst2", "classification", texts, np.arange(400) % 2, texts[:3], np.ones(3, int), (), "d", "v", "s"
    )
    monkeypatch.setattr(data, "load", lambda name: found)
    monkeypatch.setattr(text_sets, "synonyms", lambda dataset: ("a test", lambda w: ("movie",) if w == "film" else ()))
    plain, edited = training_set("sst2", every=2), training_set("sst2", "sr_0.5", seed=1, every=2)
    assert plain.texts == texts[::2].tolist() and plain.synonyms == "" and edited.synonyms == "a test"
    changed = [new == old.replace("film", "movie") for old, new in zip(plain.texts, edited.texts)]
    assert all(new in (old, old.replace("film", "movie")) for old, new in zip(plain.texts, edited.texts))
    assert 0.35 < np.mean(changed) < 0.65 and (edited.labels == plain.labels).all()
    again, other = (training_set("sst2", "sr_0.5", seed=seed, every=2).texts for seed in (1, 2))
    assert again == edited.texts != other


def test_made_up_sets_have_the_form_of_the_released_ones():
    plain, test = training_set("made_up"), evaluation_set("made_up")
    assert (
        len(plain.texts) == 128 and set(plain.labels) == {0, 1} and plain.texts != training_set("made_up", "gen").texts
    )
    assert not {"good", "great", "quick", "fine"} & set(" ".join(np.array(test.texts)[test.labels == 0]).split())
    sizes = {
        name: len(training_set("made_up", name).texts) for name in ("comb_0.5", "verified_gen", "added_0.1", "added_1")
    }
    assert sizes == {"comb_0.5": 128, "verified_gen": 96, "added_0.1": 141, "added_1": 224}
    assert training_set("made_up", "comb_0.5").texts[:64] == plain.texts[:64]
    assert training_set("made_up", "added_1").first == 128
    assert training_set("made_up", "sr_0.5").synonyms == "by rule"


# --- the real files


@pytest.fixture
def complaints():
    try:
        released.load()
    except data.DataError:
        pytest.skip("data_diversity_released is not on disk")


@pytest.mark.realdata
def test_the_released_sets_are_as_described(complaints):
    """What the names say of the files: whose texts they hold, and how many."""
    plain, pool = training_set("complaints"), set(training_set("complaints", "gen").texts)
    checked, real = set(training_set("complaints", "verified_gen").texts), set(plain.texts)
    assert (len(real), len(plain.labels), plain.labels.sum(), len(checked)) == (2759, 2759, 994, 2292)
    assert checked < pool and not pool & real and len(evaluation_set("complaints").texts) == 345
    for name in SETS["augmentation"]:
        found = training_set("complaints", name)
        same = np.mean([a == b for a, b in zip(found.texts, plain.texts)])
        assert (found.labels == plain.labels).all() and same == pytest.approx(1 - float(name[3:]), abs=0.03)
    for share in text_sets.SHARES:
        for name, texts in ((f"comb_{share}", pool), (f"verified_{share}", checked)):
            found = training_set("complaints", name).texts
            kept = sum(text in real for text in found)
            assert kept == pytest.approx(share * 2759, abs=2) and set(found) - real <= texts
            assert name[0] == "v" or len(found) == 2758
        added = training_set("complaints", f"added_{share}")
        assert list(added.texts[: added.first]) == plain.texts and set(added.texts[added.first :]) <= checked
        assert len(added.texts) - 2759 == min(int(share * 2759) - 1, 2292)
    # Two released sets hold the same texts in another order.
    assert sorted(training_set("complaints", "added_0.9").texts) == sorted(training_set("complaints", "added_1").texts)
