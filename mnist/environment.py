"""The library versions that can change a result's bits: pinned in pyproject.toml, and there checked to be installed."""

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mnist.errors import UserError

PROJECT_FILE = Path("pyproject.toml")
GROUP = "numerics"


def numerics_versions() -> dict[str, str]:
    """Return the version of each package of the dependency group `numerics`.

    dvc.yaml lists the group among the params of the stages that compute, so a stage must not run with anything else.

    Raises:
        UserError: another version than the pinned one is installed, or none.
    """
    pins = tomllib.loads(PROJECT_FILE.read_text(encoding="utf-8"))["dependency-groups"][GROUP]
    pinned = dict(pin.split("==") for pin in pins)
    for package, expected in pinned.items():
        try:
            installed = version(package)
        except PackageNotFoundError:
            installed = "none"
        if installed != expected:
            raise UserError(f"{PROJECT_FILE} pins {package}=={expected}, installed is {installed}: run `make install`")
    return pinned
