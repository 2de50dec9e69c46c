"""What the core of the package does without any extra, and what a missing library is answered with."""

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import weightspace
from weightspace import extras
from weightspace.__main__ import main

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMPORTED = {"scikit-learn": "sklearn", "pillow": "PIL", "huggingface-hub": "huggingface_hub"}
EXTRAS = {
    extra: [IMPORTED.get(name := Requirement(text).name, name) for text in PROJECT["optional-dependencies"][extra]]
    for extra in ("plots", "experiments", "hub", "cluster")
}

CORE = """
import sys
for name in {blocked}:
    sys.modules[name] = None

import torch
import weightspace
from weightspace.__main__ import main

model = torch.nn.Sequential(weightspace.DualLinear(8, 6, stabilizer=True), torch.nn.ReLU(), torch.nn.Linear(6, 1))
weightspace.dualize(model)(torch.ones(4, 8)).sum().backward()
plain = weightspace.fold(model)
print(len(weightspace.spectral_report(plain)), round(weightspace.vendi_score(torch.eye(3)), 9))
torch.save(plain.state_dict(), "{file}")
sys.exit(main(["spectra", "{file}", "--json"]))
"""


def test_the_core_needs_no_extra(tmp_path):
    blocked = [library for libraries in EXTRAS.values() for library in libraries]
    code = CORE.format(blocked=blocked, file=tmp_path / "model.pt")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    first, rest = done.stdout.split("\n", 1)
    assert (done.returncode, first) == (0, "2 3.0"), done.stderr
    assert [row["name"] for row in json.loads(rest)] == ["0", "2"]


MISSING = [
    ("plots", "matplotlib", "import weightspace.display.figures.spectra"),
    ("plots", "seaborn", "from weightspace.display import style"),
    ("plots", "seaborn", "import weightspace.display.tables.outcomes"),
    ("experiments", "pyarrow", "from weightspace import records"),
    ("experiments", "pydantic", "from weightspace import experiments"),
    ("experiments", "statsmodels", "import weightspace.measures.statistics"),
    ("experiments", "sklearn", "from weightspace.measures import vendi; vendi.ngram_features(['a'])"),
    ("experiments", "pooch", "from weightspace import data"),
    ("experiments", "torchvision", "from weightspace.data import augmentations; augmentations.transform('auto1')"),
]

BLOCKED = """
import sys

for extra, library, use in {missing}:
    for name in [name for name in sys.modules if name.split(".")[0] == "weightspace"]:
        del sys.modules[name]
    sys.modules[library] = None
    try:
        exec(use)
    except ModuleNotFoundError as error:
        print(error.name, error, sep=": ")
    del sys.modules[library]
"""


def test_a_missing_library_is_answered_with_its_extra():
    done = subprocess.run([sys.executable, "-c", BLOCKED.format(missing=MISSING)], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        f'{library}: {library} is not installed: `pip install "weightspace[{extra}]"` brings it'
        for extra, library, _ in MISSING
    ], done.stderr
    assert all(library in EXTRAS[extra] for extra, library, _ in MISSING)


def test_the_command_line_says_so_in_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["spectra", str(tmp_path / "model.pt"), "--plot"]) == 1
    told = capsys.readouterr().err
    assert told == f"error: {extras.not_installed('plots', 'matplotlib')}\n"


def test_records_say_where_those_of_the_book_are(monkeypatch, tmp_path):
    monkeypatch.setenv("WEIGHTSPACE_RESULTS", str(tmp_path / "nowhere"))
    with pytest.raises(
        weightspace.records.RecordError, match=r"come with its repository, in the folder results/.*RESULTS"
    ):
        weightspace.records.load("dual_regression")
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(weightspace.records.RecordError, match=r"--scale paper`$"):
        weightspace.records.load("dual_regression")


TRAINING = {"01_dual_weight_update", "19_use_it"}
"""The chapters that train on the page."""


WITHOUT_PYTORCH = """
import sys

class Nowhere:
    @staticmethod
    def find_spec(name, path, target=None):
        if name.split(".")[0] in ("torch", "torchvision"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Nowhere)  # None among the loaded modules would confuse SciPy, which asks whether there is one
"""


def test_the_other_chapters_need_no_pytorch():
    code, needing = [WITHOUT_PYTORCH], set()
    for source in sorted((ROOT / "notebooks").glob("*.py")):
        statements = ast.parse(source.read_text()).body
        imports = [ast.unparse(node) for node in statements if isinstance(node, ast.Import | ast.ImportFrom)]
        if any(text.split()[1].split(".")[0] == "torch" for text in imports):
            needing.add(source.stem)
        else:
            code += [text for text in imports if "__future__" not in text]
    assert needing == TRAINING
    done = subprocess.run([sys.executable, "-c", "\n".join(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
