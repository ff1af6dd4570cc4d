"""The library versions that can change a result's bits: pinned in pyproject.toml, by group, and here checked."""

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.errors import UserError

PROJECT_FILE = Path("pyproject.toml")


def pinned_versions(group: str) -> dict[str, str]:
    """Return the version of each package of a dependency group.

    dvc.yaml lists a stage's groups among its params, so the stage must not run with anything else. Each call raises
    the audit event `pipeline.pinned_versions`: a test compares what a stage checks with what dvc.yaml lists.

    Raises:
        UserError: another version than the pinned one is installed, or none; or the group leaves one open.
    """
    sys.audit("pipeline.pinned_versions", group)
    pins = tomllib.loads(PROJECT_FILE.read_text(encoding="utf-8"))["dependency-groups"][group]
    if loose := [pin for pin in pins if pin.count("==") != 1]:
        raise UserError(f"{PROJECT_FILE} has {loose[0]!r} in {group}: pin one version, name==version")
    pinned = dict(pin.split("==") for pin in pins)
    for package, expected in pinned.items():
        try:
            installed = version(package)
        except PackageNotFoundError:
            installed = "none"
        if installed != expected:
            raise UserError(f"{PROJECT_FILE} pins {package}=={expected}, installed is {installed}: run `make install`")
    return pinned
