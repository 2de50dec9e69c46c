"""What records say of the software that made them."""

from __future__ import annotations

import importlib.metadata

import pytest

from weightspace import provenance


@pytest.fixture
def versions(monkeypatch):
    """``provenance.versions`` afresh, where some packages are not installed."""

    def ask(*missing: str) -> str:
        def version(name: str) -> str:
            if name in missing:
                raise importlib.metadata.PackageNotFoundError(name)
            return importlib.metadata.version(name)

        monkeypatch.setattr(provenance, "version", version)
        return provenance.versions.__wrapped__()

    return ask


def test_versions_name_what_computes(versions):
    assert [part.split()[0] for part in versions().split(", ")] == ["python", *provenance._PACKAGES]


def test_versions_leave_out_what_is_not_installed(versions):
    assert "torch" not in versions("torch") and "numpy" in versions("torch")
