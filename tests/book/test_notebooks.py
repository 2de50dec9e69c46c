"""Chapters run by themselves: those on paper B, random matrices and the released measurements."""

import pytest

FIGURES = {
    "02_regression": 10,
    "03_classification": 5,
    "04_instability": 3,
    "05_neurons": 2,
    "06_data_and_noise": 6,
    "07_imbalance": 4,
    "23_contrastive": 1,
    "08_fair_baselines": 3,
    "09_random_matrices": 10,
    "10_released_measurements": 10,
    "18_where_they_meet": 2,
}
"""Figures per chapter."""
COMPUTED_ON_THE_PAGE = {"06_data_and_noise": 1, "09_random_matrices": 4}
"""Those of them that are not drawn from records."""


@pytest.mark.filterwarnings("default", "ignore::ResourceWarning")  # of the libraries that run the kernel
@pytest.mark.parametrize("chapter", FIGURES)
def test_a_chapter_recomputes_at_the_quick_scale(chapter, run_chapter):
    pages = run_chapter(chapter)
    assert pages.count('<div class="ws-figure">') == FIGURES[chapter]
    assert pages.count("a reduced scale") >= FIGURES[chapter] - COMPUTED_ON_THE_PAGE.get(chapter, 0)
