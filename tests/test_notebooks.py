"""Chapters run by themselves: papermill recomputes them at the quick scale, without data sets and without records."""

import asyncio
import shutil

import jupytext
import nbformat
import papermill
import pytest
from jupyter_client.manager import AsyncKernelManager

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
    "12_random_matrices": 10,
    "13_released_measurements": 12,
    "14_regularizers_in_weight_space": 5,
    "15_like_dropout": 8,
    "16_diversity_outcomes": 8,
}
"""Figures per chapter."""
COMPUTED_ON_THE_PAGE = {"12_random_matrices": 4}
"""Those of them that are not drawn from records, and have only one scale."""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def kernel(results):
    """One kernel for all chapters, started by the first: a run at the quick scale costs less than what it imports."""
    manager = AsyncKernelManager(kernel_name="python3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEIGHTSPACE_RESULTS", str(results))
        yield manager
    if manager.has_kernel:
        asyncio.run(manager.shutdown_kernel(now=True))


@pytest.mark.filterwarnings("default", "ignore::ResourceWarning")  # of the libraries that run the kernel
@pytest.mark.parametrize("chapter", FIGURES)
def test_a_chapter_recomputes_at_the_quick_scale(chapter, root, kernel, results, tmp_path):
    shutil.rmtree(results / "quick", ignore_errors=True)
    notebook = jupytext.read(root / f"notebooks/{chapter}.py")
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))  # no name of another chapter helps this one
    jupytext.write(notebook, tmp_path / "chapter.ipynb")
    executed = papermill.execute_notebook(
        tmp_path / "chapter.ipynb",
        tmp_path / "out.ipynb",
        {"scale": "quick", "recompute": True},
        kernel_name="python3",
        language="python",
        progress_bar=False,
        km=kernel,
    )
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    printed = "".join(output.get("text", "") for output in outputs if output.output_type == "stream")
    written = [path.stem for path in (results / "quick").glob("*.parquet")]
    assert written
    for name in written:
        runs = len(experiments.planned(name, "quick"))
        assert f"{name}: computed {runs} runs at scale quick on cpu" in printed
    pages = "".join(o["data"].get("text/html", "") for o in outputs if o.output_type == "execute_result")
    assert pages.count('<div class="ws-figure">') == FIGURES[chapter]
    assert pages.count("a reduced scale") >= FIGURES[chapter] - COMPUTED_ON_THE_PAGE.get(chapter, 0)
