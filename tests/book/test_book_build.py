"""The book's own machinery, on books of two notebooks: what runs when, and what a failure looks like."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("jupyter_book")
pytest.importorskip("papermill")

STRICT = ("-W", "-n", "--keep-going")

#: Looks at two records, one of which is missing, and takes a parameter.
READER = """\
# %% [markdown]
# # Reader
#
# The stabilizer divides by $\\\\bar g$.

# %% tags=["parameters"]
scale = "full"

# %%
import os
from importlib.resources import files
from pathlib import Path

import yaml
from small import leaf

with open(os.environ["WEIGHTSPACE_TRACE"], "a") as trace:
    for name in ("here.json", "missing.json", "parts"):
        print(Path("results", name).resolve(), file=trace)
os.environ.get("WEIGHTSPACE_RESULTS")
table = files("small").joinpath("table.csv").read_text()
text = Path("results/here.json").read_text()
print(f"scale {scale}, record {text}, threads {os.environ['OMP_NUM_THREADS']}")

# %%
from myst_nb import glue

glue("record", int(text), display=False)
"""

PLAIN = """\
# %% [markdown]
# # Plain

# %%
from small import other

print(6 * other.SEVEN)
"""

ALONE = """\
# %%
print(6 * 7)
"""

INTRO = """\
# A small book

The record says {glue:text}`../notebooks/reader.py::record:.0f`, see {cite:t}`wang2025`.

```{notebook-runs}
```
"""

TOC = """\
format: jb-book
root: book/intro
chapters:
  - file: notebooks/reader
  - file: notebooks/plain
  - file: book/references
"""


def write_book(book: Path, repository: Path) -> None:
    """A book with the repository's configuration, extension, style and references, and chapters of its own."""
    shutil.copy(repository / "_config.yml", book)
    shutil.copytree(repository / "book" / "_ext", book / "book" / "_ext", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(repository / "book" / "_static", book / "book" / "_static")
    for name in ("references.bib", "references.md"):
        shutil.copy(repository / "book" / name, book / "book")
    files = {
        "_toc.yml": TOC,
        ".pytest_cache/README.md": "# Not a page\n",
        "book/intro.md": INTRO,
        "notebooks/reader.py": READER,
        "notebooks/plain.py": PLAIN,
        "requirements.lock": "some==1\n",
        "results/here.json": "17",
        "results/parts/one.json": "1",
        "src/small/__init__.py": "",
        "src/small/leaf.py": "",
        "src/small/other.py": "from small.deep import SEVEN\n",
        "src/small/deep.py": "SEVEN = 7\n",
        "src/small/unused.py": "",
        "src/small/table.csv": "a,b\n1,2\n",
    }
    for name, text in files.items():
        (book / name).parent.mkdir(parents=True, exist_ok=True)
        (book / name).write_text(text, encoding="utf-8")


def notebooks(book: Path) -> list[Path]:
    return sorted((book / "notebooks").glob("*.py"))


# --- What runs when -------------------------------------------------------------------------------------


def source_path(book: Path) -> str:
    """PYTHONPATH for a book whose package is not installed."""
    return os.pathsep.join([str(book / "src"), os.environ.get("PYTHONPATH", "")])


@pytest.fixture(scope="module")
def completed(tmp_path_factory, root, execution) -> Path:
    """A book whose notebooks ran once."""
    book = tmp_path_factory.mktemp("completed")
    write_book(book, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", source_path(book))
        patch.delenv("WEIGHTSPACE_RESULTS", raising=False)
        ran = execution.run_stale(execution.Book(book), notebooks(book), report=lambda line: None)
    assert [source.stem for source in ran] == ["plain", "reader"]
    return book


@pytest.fixture
def book(completed, tmp_path, monkeypatch) -> Path:
    """A copy of it, to change."""
    shutil.copytree(completed, tmp_path / "book")
    monkeypatch.setenv("PYTHONPATH", source_path(tmp_path / "book"))
    monkeypatch.delenv("WEIGHTSPACE_RESULTS", raising=False)
    return tmp_path / "book"


def stale(execution, book: Path, **parameters) -> set[str]:
    settings = execution.Book(book, parameters)
    return {source.stem for source in notebooks(book) if execution.why_stale(settings, source)}


def test_nothing_runs_twice(execution, book):
    assert stale(execution, book) == set()
    assert execution.run_stale(execution.Book(book), notebooks(book)) == []


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("notebooks/plain.py", PLAIN + "1 + 1\n", {"plain"}),
        ("notebooks/plain.py", PLAIN.replace("# %%\n", '# %% tags=["hide-input"]\n'), {"plain"}),
        ("notebooks/plain.py", PLAIN.replace("# # Plain", "# # Words\n\n# %% [markdown]\n# More."), set()),
        ("notebooks/plain.py", PLAIN.replace("# %%\n", '# %% mystnb={"figure": {"caption": "Six times."}}\n'), set()),
        ("results/here.json", "18", {"reader"}),
        ("results/here.json", None, {"reader"}),
        ("results/missing.json", "new", {"reader"}),
        ("results/other.json", "not looked at", set()),
        ("results/parts/one.json", "2", {"reader"}),
        ("results/parts/one.json", None, {"reader"}),
        ("results/parts/two.json", "1", {"reader"}),
        ("results/parts/.two.json.17.draft", "1", set()),
        ("src/small/__init__.py", "x = 1\n", {"plain", "reader"}),
        ("src/small/leaf.py", "x = 1\n", {"reader"}),
        ("src/small/leaf.py", None, {"reader"}),
        ("src/small/other.py", "SEVEN = 7\n", {"plain"}),
        ("src/small/deep.py", "SEVEN = 8\n", {"plain"}),
        ("src/small/table.csv", "a,b\n1,3\n", {"reader"}),
        ("src/small/unused.py", "x = 1\n", set()),
        ("src/small/new.py", "", set()),
        ("src/small/notes.txt", "", set()),
        ("requirements.lock", "some==2\n", {"plain", "reader"}),
        ("_build/executed/plain.ipynb", "{}", {"plain"}),
        ("_build/executed/plain.ipynb", None, {"plain"}),
        ("_build/executed/plain.json", "{cut", {"plain"}),
        ("_build/executed/plain.json", "[]", {"plain"}),
    ],
)
def test_a_change_makes_stale_what_depends_on_it(execution, book, name, text, expected):
    path = book / name
    if text is None:
        path.unlink()
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert stale(execution, book) == expected


def test_a_parameter_makes_stale_the_notebooks_that_assign_it(execution, book):
    assert stale(execution, book, scale="quick") == {"reader"}
    assert stale(execution, book, unknown=1) == set()


def test_an_executed_notebook_is_shown_with_the_prose_of_its_source(execution, book):
    import nbformat

    executed = nbformat.read(execution.Book(book).output(book / "notebooks/reader.py"), as_version=4)
    before = [cell.get("outputs") for cell in executed.cells if cell.cell_type == "code"]
    text = READER.replace("The stabilizer", "The new stabilizer").replace(
        "# %%\nimport os", '# %% [markdown]\n# New.\n\n# %% mystnb={"figure": {"caption": "Now"}}\nimport os'
    )
    shown = execution.with_prose(executed, text)
    assert ["The new stabilizer" in cell.source for cell in shown.cells] == [True, *[False] * (len(shown.cells) - 1)]
    assert any(cell.source == "New." for cell in shown.cells)
    assert [cell.get("outputs") for cell in shown.cells if cell.cell_type == "code"] == before
    assert [cell.metadata["mystnb"] for cell in shown.cells if "mystnb" in cell.metadata] == [
        {"figure": {"caption": "Now"}}
    ]
    assert len({cell.id for cell in shown.cells}) == len(shown.cells)


def test_an_edited_module_runs_what_imports_it_and_nothing_else(execution, book):
    ran = lambda: [s.stem for s in execution.run_stale(execution.Book(book), notebooks(book), lambda line: None)]  # noqa: E731
    (book / "src/small/deep.py").write_text("SEVEN = 70\n", encoding="utf-8")
    assert ran() == ["plain"]
    assert '"420\\n"' in (book / "_build/executed/plain.ipynb").read_text(encoding="utf-8")
    assert ran() == []


def test_other_versions_make_stale_what_was_loaded_of_them(execution, book, monkeypatch):
    known = execution.dependencies.versions()
    for name, expected in {
        "pyyaml": {"reader"},
        "ipykernel": {"plain", "reader"},
        "papermill": {"plain", "reader"},  # in the build's own process
        "ruff": set(),
    }.items():
        assert name in known
        monkeypatch.setattr(execution.dependencies, "versions", lambda name=name: {**known, name: "0.0"})
        assert stale(execution, book) == expected
    monkeypatch.setattr(sys, "version", "3.0")
    assert stale(execution, book) == {"plain", "reader"}


def test_another_results_folder_makes_stale_what_asked_for_it(execution, book, monkeypatch):
    monkeypatch.setenv("WEIGHTSPACE_RESULTS", "/elsewhere")
    monkeypatch.setenv("WEIGHTSPACE_OTHER", "not asked for")
    assert stale(execution, book) == {"reader"}


def test_an_installed_package_that_is_not_the_checkout_s_is_refused(execution, book, tmp_path, monkeypatch):
    copy = tmp_path / "site" / "small"
    shutil.copytree(book / "src" / "small", copy)
    monkeypatch.syspath_prepend(copy.parent)
    assert stale(execution, book) == {"plain", "reader"}  # another installation, of the same content
    (copy / "leaf.py").write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(execution.NotebookError, match="would import small from .*site/small, which differs from .*pip"):
        execution.run_stale(execution.Book(book), notebooks(book))
    monkeypatch.syspath_prepend(book / "src")  # as an editable installation does
    assert stale(execution, book) == set()


def test_parameters_reach_the_notebook(execution, book):
    settings = execution.Book(book, {"scale": "quick", "unknown": 1})
    ran = execution.run_stale(settings, notebooks(book), report=lambda line: None)
    assert [source.stem for source in ran] == ["reader"]
    executed = settings.output(ran[0]).read_text(encoding="utf-8")
    assert "scale quick, record 17, threads 1" in executed
    assert "unknown" not in executed
    assert execution.load_stamp(settings, ran[0])["inputs"]["parameters"] == {"scale": "quick"}


def test_a_stamp_names_the_records_looked_at(execution, completed):
    stamp = execution.load_stamp(execution.Book(completed), completed / "notebooks" / "reader.py")
    files = stamp["used"]["files"]
    assert {name for name in files if name.startswith("results")} == {
        "results/here.json",
        "results/missing.json",
        "results/parts",
    }
    assert files["results/missing.json"] is None
    assert {name for name in files if not name.startswith("results")} == {
        "src/small/__init__.py",
        "src/small/leaf.py",
        "src/small/table.csv",
    }
    assert stamp["used"]["settings"] == {"WEIGHTSPACE_RESULTS": None}
    assert stamp["run"]["python"] == sys.version.split()[0]


def test_an_executed_notebook_holds_no_times_paths_or_random_names(completed):
    text = (completed / "_build" / "executed" / "reader.ipynb").read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert "papermill" not in notebook["metadata"]
    assert [cell["id"] for cell in notebook["cells"]] == [f"cell-{i}" for i in range(len(notebook["cells"]))]
    assert str(completed) not in text
    assert not re.search(r"\d\d:\d\d:\d\d", text)


def test_notebooks_follow_records_that_are_written_while_they_run(execution, tmp_path):
    look = "import os, time\nfrom pathlib import Path\nrecord = Path('record').resolve()\n"
    look += "open(os.environ['WEIGHTSPACE_TRACE'], 'a').write(f'{record}\\n')\nprint('record', record.exists())\n"
    write = "while not Path('looked').exists():\n    time.sleep(0.1)\nif not record.exists():\n    record.touch()\n"
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "a.py").write_text(f"# %%\n{look}{write}", encoding="utf-8")
    (tmp_path / "notebooks" / "b.py").write_text(f"# %%\n{look}Path('looked').touch()\n", encoding="utf-8")
    settings, lines = execution.Book(tmp_path), []
    execution.run_stale(settings, notebooks(tmp_path), report=lines.append)
    for source in notebooks(tmp_path):
        assert "record True" in settings.output(source).read_text(encoding="utf-8")
    assert [line for line in lines if "to run" in line] == [
        "a: to run, no completed run",
        "b: to run, no completed run",
        "a: to run, record changed",
        "b: to run, record changed",
    ]
    assert stale(execution, tmp_path) == set()


def test_long_notebooks_start_first_and_new_ones_before_them(execution, book):
    settings = execution.Book(book)
    for name, seconds in {"plain": 5, "reader": 50}.items():
        stamp = json.loads((settings.executed / f"{name}.json").read_text(encoding="utf-8"))
        stamp["run"]["seconds"] = seconds
        (settings.executed / f"{name}.json").write_text(json.dumps(stamp), encoding="utf-8")
    sources = [*notebooks(book), book / "new1.py", book / "new2.py"]
    order = [source.stem for source in execution.longest_first(settings, sources)]
    assert order == ["new2", "new1", "reader", "plain"]


def test_a_source_has_one_digest_however_it_is_read(execution):
    assert execution.text_digest("a\r\nb\n") == execution.text_digest("a\nb\n\n") == execution.text_digest("a\nb")
    assert execution.text_digest("a\nb") != execution.text_digest("a\n\nb")


# --- Failures -------------------------------------------------------------------------------------------

FAILURES = {
    "raises": ("x = 1\n1 / 0", "ZeroDivisionError: division by zero"),
    "dies": ("import os\nos._exit(3)", "Kernel died"),
    "sleeps": ("import time\ntime.sleep(600)", "no end after 10 seconds"),
    "garbled": ("x = = 1", "SyntaxError"),
    "leaves": ("import sys\nsys.exit(0)", "the notebook ended itself"),
}


def test_failures_name_notebook_cell_and_error_and_leave_the_others(execution, completed, tmp_path):
    (tmp_path / "notebooks").mkdir()
    for name, (code, _) in FAILURES.items():
        text = f"{ALONE}\n# %%\n{code}\n\n# %%\nprint('not reached')\n"
        (tmp_path / "notebooks" / f"{name}.py").write_text(text, encoding="utf-8")
    (tmp_path / "notebooks" / "works.py").write_text(ALONE, encoding="utf-8")
    settings = execution.Book(tmp_path, timeout=10)
    old = settings.output(tmp_path / "raises.py")  # of an earlier source
    old.parent.mkdir(parents=True)
    old.write_text("{}", encoding="utf-8")

    with pytest.raises(execution.NotebookError) as failure:
        execution.run_stale(settings, notebooks(tmp_path), report=lambda line: None)

    for name, (code, error) in FAILURES.items():
        first = code.splitlines()[0]
        assert f"notebooks/{name}.py:5: code cell 2 (`{first}`)\n    " in str(failure.value)
        assert error in str(failure.value)
    assert sorted(path.name for path in settings.executed.iterdir()) == ["works.ipynb", "works.json"]


def alive(pid: int) -> bool:
    try:  # a zombie has ended, although nobody asked for its exit status yet
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks processes up in /proc")
@pytest.mark.parametrize(("name", "warm"), [("SIGINT", False), ("SIGTERM", True), ("SIGKILL", True)])
def test_an_interrupted_build_leaves_no_process_and_no_file(root, tmp_path, name, warm):
    code = "import os, subprocess\nchild = subprocess.Popen(['sleep', '600'])\n"
    code += "open('pids.part', 'w').write(f'{os.getpid()} {child.pid} {os.getppid()}')\n"
    code += "os.rename('pids.part', 'pids')\nchild.wait()\n"
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "long.py").write_text(f"# %%\n{code}", encoding="utf-8")
    # Whoever starts the tests in the background has SIGINT ignored, and all children inherit it.
    script = "import execution, pathlib, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    script += "book = pathlib.Path.cwd(); "
    script += f"execution.WARM_FROM = {1 if warm else 99}; "
    script += "execution.run_stale(execution.Book(book), [book / 'notebooks' / 'long.py'])"
    sockets = tmp_path / "t"
    sockets.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root / "book" / "_ext"), "TMPDIR": str(sockets)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "pids").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        kernel, child, parent = map(int, (tmp_path / "pids").read_text().split())
        assert alive(kernel) and alive(child)
        assert (parent != process.pid) == warm
        process.send_signal(getattr(signal, name))
        assert process.wait(30) != 0
    finally:
        process.kill()
    killed = name == "SIGKILL"  # then the kernel notices by itself, and what it started is its own affair
    if killed:
        os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(map(alive, (kernel, child, parent))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(kernel) and not alive(child) and not alive(parent)
    assert list((tmp_path / "_build" / "executed").iterdir()) == []
    assert killed or list(sockets.glob("ws-*")) == []


# --- Warm kernels, and what a cell may put out ----------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
def test_several_notebooks_share_their_imports_and_nothing_else(execution, tmp_path):
    code = """\
# %%
import os, sys, threading
print(sorted({"pandas", "torch", "weightspace", "execution"} & set(sys.modules)))
print("environment", os.environ.get("OMP_NUM_THREADS"), os.getcwd() == os.path.dirname(os.environ["HERE"]))

# %%
import matplotlib.pyplot as plt
import torch

x = torch.ones(300, 300, requires_grad=True)
(x @ x).sum().backward()
print("gradient", x.grad.sum().item())
_ = plt.plot([1, 2])

# %%
open("parents", "a").write(f"{os.getppid()} {os.getpid()}\\n")
print(sorted(name for name in globals() if name.startswith("mine")))
mineNAME = 1
"""
    (tmp_path / "notebooks").mkdir()
    for number in range(execution.WARM_FROM):
        text = code.replace("NAME", str(number))
        (tmp_path / "notebooks" / f"n{number}.py").write_text(text, encoding="utf-8")
    settings = execution.Book(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HERE", str(tmp_path / "x"))
        execution.run_stale(settings, notebooks(tmp_path), report=lambda line: None)
    parents, kernels = zip(*(line.split() for line in (tmp_path / "parents").read_text().splitlines()))
    assert len(set(parents)) == 1 and len(set(kernels)) == execution.WARM_FROM
    for source in notebooks(tmp_path):
        text = settings.output(source).read_text(encoding="utf-8")
        assert "['pandas', 'torch']" in text
        assert "environment 1 True" in text
        assert "gradient 54000000.0" in text
        assert "image/png" in text  # as in a kernel that imports matplotlib itself
        assert '"[]\\n"' in text
        assert "parents" not in execution.load_stamp(settings, source)["used"]["files"]  # written, not read


def test_endless_output_is_cut_cell_by_cell(execution, tmp_path):
    code = """\
# %%
for _ in range(300_000):
    print("x" * 99)

# %%
import subprocess

subprocess.run(["seq", "100000"])
print("z" * 10**8)

# %%
from IPython.display import HTML, display

for _ in range(8):
    display(HTML("y" * 10**7))

# %%
"w" * 10**8

# %%
print("short")
"""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "long.py").write_text(code, encoding="utf-8")
    settings = execution.Book(tmp_path)
    execution.run_stale(settings, notebooks(tmp_path), report=lambda line: None)
    cells = json.loads(settings.output(notebooks(tmp_path)[0]).read_text(encoding="utf-8"))["cells"]
    sizes = [len(json.dumps(cell["outputs"])) for cell in cells]
    ends = [json.dumps(cell["outputs"])[-250:] for cell in cells]
    assert all(100_000 < size < 150_000 for size in sizes[:2])
    assert 20_000_000 < sizes[2] < 31_000_000
    assert sizes[3] < 1_000
    assert all("the output of this cell was cut here: more than" in end for end in ends[:4])
    assert cells[4]["outputs"][0]["text"] == ["short\n"]


# --- From end to end ------------------------------------------------------------------------------------


def test_a_book_from_end_to_end(root, tmp_path, build_book):
    write_book(tmp_path, root)
    executed, html = tmp_path / "_build" / "executed", tmp_path / "_build" / "html"

    def page(name: str) -> str:
        return (html / f"{name}.html").read_text(encoding="utf-8")

    def written() -> dict[str, int]:
        return {str(p): p.stat().st_mtime_ns for p in [*executed.iterdir(), *html.rglob("*.html")]}

    # A fresh clone: one command, no warning, everything in the pages.
    build_book = functools.partial(build_book, PYTHONPATH=source_path(tmp_path))
    first = build_book(tmp_path, *STRICT, "--all")
    assert first.returncode == 0, first.stdout
    assert "WARNING" not in first.stdout
    assert "scale full, record 17, threads 1" in page("notebooks/reader")
    assert re.search("The record says .*>17</span>", page("book/intro"))
    assert re.search(r'<table class="ws-runs.*?reader\.html.*?Reader.*?plain\.html.*?Plain', page("book/intro"), re.S)
    assert "Wang and Shimazaki" in page("book/references")
    assert (html / "_static" / "mathjax" / "tex-svg-full.js").stat().st_size > 1_000_000
    assert "_static/mathjax/tex-svg-full.js" in page("notebooks/reader")

    # Nothing changed: nothing runs, nothing is written.
    before = written()
    again = build_book(tmp_path, *STRICT)
    assert again.returncode == 0, again.stdout
    assert ": to run" not in again.stdout
    assert written() == before

    # A page and an executed notebook cut by hand: they are made again, and nothing else.
    for path in (html / "notebooks" / "plain.html", executed / "reader.ipynb"):
        path.write_bytes(path.read_bytes()[:1000])
    mended = build_book(tmp_path, *STRICT)
    assert mended.returncode == 0, mended.stdout
    assert "reader: to run, executed notebook missing or altered" in mended.stdout
    assert "plain: to run" not in mended.stdout
    assert "</html>" in page("notebooks/plain")
    assert written()[str(executed / "plain.ipynb")] == before[str(executed / "plain.ipynb")]
    assert written()[str(html / "book/references.html")] == before[str(html / "book/references.html")]

    # The style changed: all pages name its new version, and a search index cut by hand is whole again; nothing runs.
    (html / "searchindex.js").write_bytes((html / "searchindex.js").read_bytes()[:1000])
    with (tmp_path / "book" / "_static" / "book.css").open("a", encoding="utf-8") as style:
        style.write("\n.ws-new { color: red }\n")
    names = re.findall(r"book\.css\?v=\w+", page("notebooks/plain"))
    styled = build_book(tmp_path, *STRICT)
    assert styled.returncode == 0, styled.stdout
    assert ": to run" not in styled.stdout
    assert names and not {*names} & {*re.findall(r"book\.css\?v=\w+", page("notebooks/plain"))}
    assert (html / "searchindex.js").stat().st_size > 1000
    assert "ws-new" in (html / "_static" / "book.css").read_text(encoding="utf-8")
    before = written()

    # A record changed: the notebook that reads it runs, and the page that quotes its value follows. Pages know the
    # address at which they will be published.
    (tmp_path / "results" / "here.json").write_text("18", encoding="utf-8")
    published = {"WEIGHTSPACE_PARAMETERS": '{"scale": "quick"}', "WEIGHTSPACE_SITE_URL": "https://book.example/site"}
    changed = build_book(tmp_path, *STRICT, **published)
    assert changed.returncode == 0, changed.stdout
    assert '<link rel="canonical" href="https://book.example/site/notebooks/reader.html"' in page("notebooks/reader")
    assert "reader: to run" in changed.stdout and "plain: to run" not in changed.stdout
    assert "scale quick, record 18" in page("notebooks/reader")
    assert re.search("The record says .*>18</span>.*scale=quick", page("book/intro"), re.S)
    assert written()[str(executed / "plain.ipynb")] == before[str(executed / "plain.ipynb")]

    # The extension changed: what makes pages makes them again, what runs notebooks runs them again.
    before = written()
    for name, runs in {"weightspace_book.py": False, "inside_kernel.py": True}.items():
        with (tmp_path / "book" / "_ext" / name).open("a", encoding="utf-8") as module:
            module.write("\n# another version\n")
        other = build_book(tmp_path, *STRICT, **published)
        assert other.returncode == 0, other.stdout
        assert all((f"{source.stem}: to run, runner changed" in other.stdout) == runs for source in notebooks(tmp_path))
        assert ("plain: ran" in other.stdout) == runs
    page_times = {name: time for name, time in written().items() if "notebooks" in name and name.endswith(".html")}
    assert all(time > before[name] for name, time in page_times.items())

    # A failing cell: the build fails, says where, and keeps what worked.
    with (tmp_path / "notebooks" / "plain.py").open("a", encoding="utf-8") as source:
        source.write("\n# %%\nraise ValueError('no such luck')\n")
    failed = build_book(tmp_path, WEIGHTSPACE_PARAMETERS='{"scale": "quick"}')
    assert failed.returncode != 0
    assert "notebooks/plain.py:10: code cell 2 (`raise ValueError('no such luck')`)" in failed.stdout
    assert "ValueError: no such luck" in failed.stdout
    assert "Traceback (most recent call last)\n  File" not in failed.stdout  # jupyter-book's own
    assert sorted(path.name for path in executed.iterdir()) == ["reader.ipynb", "reader.json"]
