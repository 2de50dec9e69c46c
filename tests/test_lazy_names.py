"""Names that are imported when first used: they complete, type checkers see them, and each is what its home defines."""

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("weightspace", "weightspace.dual")


def for_type_checkers(package) -> dict[str, str]:
    """Name -> the module that it is imported from, in the block that only a type checker reads."""
    tree = ast.parse(Path(package.__file__).read_text())
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {alias.name: line.module for block in blocks for line in block.body for alias in line.names}


@pytest.mark.parametrize("name", PACKAGES)
def test_lazy_names_are_those_that_type_checkers_see(name):
    package = importlib.import_module(name)
    seen = for_type_checkers(package)
    assert set(seen) == set(package.__all__) - {"__version__"}
    for lazy, home in seen.items():
        assert getattr(package, lazy) is getattr(importlib.import_module(home), lazy)


@pytest.mark.parametrize("name", PACKAGES)
def test_lazy_names_complete_before_they_are_used(name):
    code = f"import sys, {name} as package; print(*dir(package)); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, torch = done.stdout.splitlines()
    assert set(importlib.import_module(name).__all__) <= set(names.split())
    assert torch == "False"


@pytest.mark.parametrize("name", [*PACKAGES, "weightspace.display.figures", "weightspace.display.tables"])
def test_an_unknown_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=f"'{name}' has no attribute 'dualise'"):
        importlib.import_module(name).dualise  # noqa: B018 looking it up is the test


def test_the_package_says_that_it_is_typed():
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["weightspace"]
    assert "py.typed" in data and (ROOT / "src" / "weightspace" / "py.typed").is_file()
