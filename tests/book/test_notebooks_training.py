"""Chapters run by themselves: those on our own training experiments of paper A, which share their records."""

import pytest

FIGURES = {
    "11_regularizers_in_weight_space": 7,
    "12_like_dropout": 6,
    "13_why": 2,
    "14_diversity_outcomes": 9,
    "15_fine_tuning": 5,
    "16_words": 7,
    "17_synthetic_data": 8,
}
"""Figures per chapter."""


@pytest.mark.filterwarnings("default", "ignore::ResourceWarning")  # of the libraries that run the kernel
@pytest.mark.parametrize("chapter", FIGURES)
def test_a_chapter_computes_what_is_missing_at_the_quick_scale(chapter, run_chapter):
    pages = run_chapter(chapter, afresh=False)
    assert pages.count('<div class="ws-figure">') == FIGURES[chapter]
    assert pages.count("a reduced scale") >= FIGURES[chapter]
