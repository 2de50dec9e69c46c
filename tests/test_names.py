"""What readers are shown in place of the names in records."""

from weightspace import names
from weightspace.analysis import diversity_outcomes, diversity_shifts, text_outcomes
from weightspace.display import labels, style
from weightspace.experiments.diversity import spectra, text_sets


def test_settings_are_named_as_in_the_literature():
    settings = ["baseline", "dropout_0.1", "weight_decay_5e-05", "weight_decay_0.001", "noise30", "aug_mix", ""]
    assert [labels.setting_label(name) for name in settings] == [
        "baseline",
        "dropout 0.1",
        "weight decay 5e-5",
        "weight decay 1e-3",
        "noise 30",
        "AugMix",
        "images as they are",
    ]


def test_everything_that_is_measured_has_a_name():
    assert set(spectra.METRICS) <= set(names.METRIC_LABELS)
    shown = {*diversity_outcomes.OUTCOMES, *diversity_outcomes.JUDGED, *text_outcomes.OUTCOMES, *text_outcomes.JUDGED}
    assert shown == set(names.OUTCOME_LABELS)
    assert set(diversity_outcomes.SCORES) <= set(names.SCORE_LABELS)
    assert set(names.TEXT_SET_LABELS) == set(text_sets.SETS)
    assert names.score_label("weighted_vendi", "ngrams") == "weighted Vendi score, n-grams"


def test_categories_have_the_names_of_their_methods():
    labels = {category: style.category_label(category) for category in set(diversity_shifts.CATEGORIES.values())}
    assert labels == {
        "bs": "baseline",
        "dp": "dropout",
        "wd": "weight decay",
        "div": "diversity",
        "combined": "dropout with weight decay",
    }
    assert style.pair_label("div", "0", " = ") == "diversity = baseline"
