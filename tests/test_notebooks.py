"""Chapters run by themselves: papermill recomputes them at the quick scale, without data sets and without records."""

import jupytext
import papermill
import pytest

from weightspace import records


@pytest.mark.filterwarnings("default")  # of the libraries that run the kernel
def test_the_regression_chapter_recomputes_at_the_quick_scale(root, tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGHTSPACE_RESULTS", str(tmp_path / "results"))
    jupytext.write(jupytext.read(root / "notebooks/02_regression.py"), tmp_path / "chapter.ipynb")
    parameters = {"scale": "quick", "recompute": True}
    executed = papermill.execute_notebook(
        tmp_path / "chapter.ipynb",
        tmp_path / "out.ipynb",
        parameters,
        kernel_name="python3",
        language="python",
        progress_bar=False,
    )
    printed = "".join(
        output.get("text", "")
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )
    assert "dual_regression: computed 30 runs at scale quick on cpu" in printed
    assert records.load("dual_regression_tuned", "quick")["run_key"].nunique() == 6
    pages = "".join(
        output["data"].get("text/html", "")
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output.output_type == "execute_result"
    )
    assert pages.count("<svg ") == 9 and pages.count("a reduced scale") >= 9
