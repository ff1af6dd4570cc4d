"""The locked requirements are whole, fit together, and are what pyproject.toml asks for."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(requirements: str) -> dict[str, str]:
    """The version of each package that is pinned in lines such as `name[extra]==1.2 ; marker`, dots as dashes."""
    found = re.findall(r"^([a-z0-9.-]+)(?:\[.*?\])?==([^\s;]+)", requirements, flags=re.MULTILINE)
    return {name.replace(".", "-"): version for name, version in found}


def test_installed_packages_fit_together() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "No broken requirements found.\n")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_locked_package_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    packages = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(packages) >= 10
    assert all("--hash=sha256:" in package for package in packages)
    assert not re.search(r"://|--index|--find-links", text)


def test_what_pyproject_pins_is_what_is_locked() -> None:
    asked = PROJECT["project"]["dependencies"] + [
        pin for group in PROJECT["dependency-groups"].values() for pin in group
    ]
    locked: dict[str, set[str]] = {}
    for lock in LOCKS:
        for package, version in pins(lock.read_text(encoding="utf-8")).items():
            locked.setdefault(package, set()).add(version)
    for package, version in pins("\n".join(asked)).items():
        assert locked[package] == {version}, package
    assert len(pins("\n".join(asked))) == len(asked)
    assert all(len(versions) == 1 for versions in locked.values()), "the files can be installed together"
