"""What runs is what pyproject.toml pins."""

from importlib.metadata import version
from pathlib import Path

import pytest

from pipeline.environment import pinned_versions
from pipeline.errors import UserError
from tests import ROOT


def write_pins(folder: Path, *pins: str) -> None:
    (folder / "pyproject.toml").write_text(f"[dependency-groups]\nnumerics = {list(pins)}\n", encoding="utf-8")


def test_installed_versions_are_those_that_the_repository_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    versions = pinned_versions("numerics")
    assert versions == {package: version(package) for package in ("numpy", "safetensors", "torch")}


def test_other_installed_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_pins(tmp_path, f"torch=={version('torch')}", "numpy==1.0.0")
    with pytest.raises(UserError) as raised:
        pinned_versions("numerics")
    assert "pyproject.toml pins numpy==1.0.0" in str(raised.value)
    assert f"installed is {version('numpy')}" in str(raised.value)
    assert "make install" in str(raised.value)


@pytest.mark.parametrize("pin", ["torch>=2.0", "torch", "torch==2.0,==2.1"])
def test_version_that_is_left_open_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pin: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_pins(tmp_path, pin)
    with pytest.raises(UserError, match=f"pyproject.toml has '{pin}' in numerics: pin one version"):
        pinned_versions("numerics")


def test_package_that_is_not_installed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_pins(tmp_path, "no-such-package==1.0.0")
    with pytest.raises(UserError, match=r"pyproject\.toml pins no-such-package==1\.0\.0, installed is none"):
        pinned_versions("numerics")
