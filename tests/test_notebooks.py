"""Chapters run by themselves: papermill recomputes them at the quick scale, without data sets and without records."""

import jupytext
import papermill
import pytest

from weightspace import experiments

FIGURES = {
    "02_regression": 9,
    "03_classification": 6,
    "04_instability": 3,
    "05_neurons": 2,
    "06_data_and_noise": 4,
    "07_imbalance": 4,
    "08_contrastive": 1,
    "09_fair_baselines": 2,
    "13_released_measurements": 12,
}
"""Figures drawn from records, per chapter."""


@pytest.mark.filterwarnings("default")  # of the libraries that run the kernel
@pytest.mark.parametrize("chapter", FIGURES)
def test_a_chapter_recomputes_at_the_quick_scale(chapter, root, tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGHTSPACE_RESULTS", str(tmp_path / "results"))
    jupytext.write(jupytext.read(root / f"notebooks/{chapter}.py"), tmp_path / "chapter.ipynb")
    executed = papermill.execute_notebook(
        tmp_path / "chapter.ipynb",
        tmp_path / "out.ipynb",
        {"scale": "quick", "recompute": True},
        kernel_name="python3",
        language="python",
        progress_bar=False,
    )
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    printed = "".join(output.get("text", "") for output in outputs if output.output_type == "stream")
    written = [path.stem for path in (tmp_path / "results/quick").glob("*.parquet")]
    assert written
    for name in written:
        runs = len(experiments.planned(name, "quick"))
        assert f"{name}: computed {runs} runs at scale quick on cpu" in printed
    pages = "".join(o["data"].get("text/html", "") for o in outputs if o.output_type == "execute_result")
    assert pages.count('<div class="ws-figure">') == FIGURES[chapter]
    assert pages.count("a reduced scale") >= FIGURES[chapter]
