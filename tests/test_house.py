"""The files that describe the environment agree with each other, and the notebooks keep to their form."""

import ast
import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import jupytext
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from weightspace.campaigns import registry

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
LOCKED_EXTRAS = ("plots", "experiments", "hub", "cluster", "book", "pretrained", "test")  # what `make` installs
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [
    Requirement(text) for text in [*PROJECT["dependencies"], *(t for name in LOCKED_EXTRAS for t in EXTRAS[name])]
]
LOCK_TEXT = (ROOT / "requirements.lock").read_text()
LOCK = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", LOCK_TEXT, re.MULTILINE))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


def test_the_lock_file_satisfies_the_project():
    for requirement in DIRECT:
        assert requirement.name in LOCK, requirement
        assert requirement.specifier.contains(Version(LOCK[requirement.name]), prereleases=True), requirement


def test_the_lock_file_pins_hashes_and_names_no_index():
    pins = re.split(r"^(?=[a-z0-9])", LOCK_TEXT, flags=re.MULTILINE)[1:]
    assert len(pins) == len(LOCK) > 100
    assert all("--hash=sha256:" in pin for pin in pins)
    assert "://" not in LOCK_TEXT and "--index" not in LOCK_TEXT and "--find-links" not in LOCK_TEXT


def test_make_lock_resolves_the_extras_that_are_installed():
    recipe = (ROOT / "Makefile").read_text().split("\nlock:")[1]
    assert tuple(re.findall(r"--extra (\w+)", recipe)) == LOCKED_EXTRAS and "--all-extras" not in recipe
    assert set(EXTRAS) == {*LOCKED_EXTRAS, "peers", "wordnet"}
    assert not {"weightwatcher", "powerlaw"} & set(LOCK)


def test_the_conda_environment_is_the_same():
    text = (ROOT / "environment.yml").read_text()
    pins = dict(re.findall(r"- ([a-z0-9-]+)==(\S+)", text))
    assert pins == {requirement.name: LOCK[requirement.name] for requirement in DIRECT}
    assert f"python{PROJECT['requires-python']}" in text


def test_the_environment_of_binder_is_a_part_of_the_lock_without_pytorch():
    lines = (ROOT / ".binder" / "requirements.txt").read_text().splitlines()[1:]
    pins = dict(line.split("==") for line in lines)
    assert pins == {name: LOCK[name] for name in pins}
    assert "pyarrow" in pins and not {"torch", "torchvision"} & set(pins)


def test_constraints_are_in_the_lock():
    for name, pinned in re.findall(r"^([a-z]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE):
        assert LOCK[name] == pinned


def test_what_the_package_imports_is_declared():
    # An extra, imported where it is needed; what PyTorch brings where there can be a GPU, and jupyter-book for pages;
    # Lightning and bitsandbytes, whose users have them, for a callback and for weights in their codes.
    declared = {requirement.name for requirement in DIRECT} | {"nltk", "triton", "myst-nb"}
    declared |= {"bitsandbytes", "lightning", "pytorch-lightning"}
    names = {"PIL": "pillow", "sklearn": "scikit-learn", "open_clip": "open-clip-torch"}
    for source in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module]
            else:
                continue
            tops = {module.split(".")[0] for module in modules} - sys.stdlib_module_names - {"weightspace"}
            assert {names.get(top, top.replace("_", "-")) for top in tops} <= declared, source


LINT_IMPORTS = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]


def test_layers_import_in_one_direction_and_without_a_circle():
    done = subprocess.run(LINT_IMPORTS, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept, 0 broken" in done.stdout


def test_an_import_against_the_direction_is_found(tmp_path):
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for source in (ROOT / "src" / "weightspace").rglob("*.py"):
        copy = tmp_path / "weightspace" / source.relative_to(ROOT / "src" / "weightspace")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(source.read_text())
    with (tmp_path / "weightspace" / "data" / "files.py").open("a") as file:
        file.write("\n\ndef late():\n    from weightspace.display import style\n")
    done = subprocess.run(LINT_IMPORTS, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1 and "weightspace.data is not allowed to import weightspace.display" in done.stdout


def test_the_package_is_a_few_layers():
    package = ROOT / "src" / "weightspace"
    assert len([path for path in package.iterdir() if path.is_file()]) <= 8
    layers = PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    assert len(layers) <= 9
    named = {name.strip() for layer in layers for name in re.split(r"[|:]", layer)}
    there = {path.stem for path in package.iterdir() if (path / "__init__.py").is_file() or path.suffix == ".py"}
    assert named == there - {"__init__"}


def test_every_module_with_experiments_is_found():
    folder = ROOT / "src" / "weightspace" / "experiments"
    defining = {path for path in folder.rglob("*.py") if re.search(r"^EXPERIMENTS = ", path.read_text(), re.MULTILINE)}
    found = {Path(str(module.__file__)).resolve() for module in registry._modules()}
    assert defining and defining <= found


def test_every_dependency_says_why_it_is_there():
    text = (ROOT / "pyproject.toml").read_text()
    for line in re.findall(r'^    "[a-z0-9-]+[<>=].*$', text, re.MULTILINE):
        assert "# " in line, line


def test_citation_has_the_version_of_the_package():
    assert f"version: {PROJECT['version']}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_newest_entry_of_the_changelog_is_the_version_of_the_package():
    text = (ROOT / "CHANGELOG.md").read_text()
    entries = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert entries[0][0] == PROJECT["version"]
    assert [Version(number) for number, _ in entries] == sorted((Version(n) for n, _ in entries), reverse=True)
    assert [day for _, day in entries] == sorted((day for _, day in entries), reverse=True)
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == len(entries) + ("## [Unreleased]" in text)


def test_the_experiment_of_contributing_computes(monkeypatch):
    text = (ROOT / "CONTRIBUTING.md").read_text()
    code = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[0]
    module = types.ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)
    exec(code, module.__dict__)
    [experiment] = module.EXPERIMENTS
    for scale, seeds in experiment.seeds.items():
        plan = experiment.configurations(scale, seeds)
        rows = experiment.compute(plan, "cpu")
        assert set(rows["run_key"]) == {run.run_key for run in plan} and len(rows) == len(plan)


def test_readme_commands_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make (\w+)", (ROOT / "README.md").read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def lines_of_work(source: str) -> int:
    """Lines of a cell besides its imports and the numbers that it hands to sentences, one by one and by name."""
    statements = ast.parse(source).body
    aside = [
        node
        for node in statements
        if isinstance(node, ast.Import | ast.ImportFrom) or ast.unparse(node).startswith("quotes.glue(")
    ]
    return len(source.splitlines()) - sum(node.end_lineno - node.lineno + 1 for node in aside)


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_have_one_parameters_cell_and_thin_cells(source):
    notebook = jupytext.read(source)
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    names = re.findall(r"^(\w+) =", tagged[0].source, re.MULTILINE)
    assert names == ["scale", "seeds", "device", "recompute"]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # Loops and definitions belong into the package; showing one layer beside another is as far as cells go.
            assert not re.search(r"^\s*(def|class|while|with|try)\b", cell.source, re.MULTILINE), cell.source
            assert lines_of_work(cell.source) <= 20, cell.source
    assert notebook.metadata.get("kernelspec") is None


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_figure_cells_have_captions(source):
    for cell in jupytext.read(source).cells:
        if "style.show(" in cell.source:
            assert cell.metadata.get("mystnb", {}).get("figure", {}).get("caption"), cell.source


PARTS = r"\n\n".join(rf"\*\*{part}\.\*\* .+" for part in ("Question", "Answer", "How sure"))
BOX = rf"# .+\n\n:::\{{admonition\}} In short\n:class: answer\n{PARTS}\n:::"
MOST_WORDS = 1650
"""Of the prose of a chapter that shows at once: ten minutes of reading."""


def prose_of(source: Path) -> list[str]:
    return [cell.source for cell in jupytext.read(source).cells if cell.cell_type == "markdown"]


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapters_answer_first_and_end_with_what_would_change_our_mind(source):
    prose = prose_of(source)
    assert re.match(BOX, prose[0], re.DOTALL)
    sections = re.findall(r"^## (.+)$", "\n".join(prose), re.MULTILINE)
    last = "What would change our mind"
    assert (sections[-1] == last) == (last in sections)


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapters_are_short_and_fold_what_is_long(source):
    folded = re.compile(r"^(:{3,}|`{3,})\{dropdown\}.*?^\1$", re.MULTILINE | re.DOTALL)
    assert len(" ".join(folded.sub("", text) for text in prose_of(source)).split()) <= MOST_WORDS


def test_the_tests_lie_where_the_code_lies():
    """A folder of tests for every folder of the package that is tested by itself, and none for what is not there."""
    package, tests = ROOT / "src" / "weightspace", ROOT / "tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")} - {Path(), Path("book")}
    assert not {str(folder) for folder in folders if not (package / folder).is_dir()}
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    assert rooms == {folder.parts[0] for folder in folders}


def test_the_hooks_before_a_commit_are_lints_and_name_no_host():
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    (local,) = yaml.safe_load(text)["repos"]
    assert local["repo"] == "local" and "://" not in text
    recipe = (ROOT / "Makefile").read_text().split("\nlint:")[1]
    for hook in local["hooks"]:
        assert hook["language"] == "system"
        assert f".venv/bin/{hook['entry'].replace(' --force-exclude', '')}" in recipe, hook["id"]
