"""Compares what is installed with the locked requirements of a commit."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from pipeline.errors import UserError

LOCKED = Path("requirements/pipeline.txt")


def refuse_other_versions(folder: Path = Path()) -> None:
    """Raise UserError if another version of a package is installed than the folder's requirements lock, or none."""
    lines = (folder / LOCKED).read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.removesuffix(" \\")) for line in lines if line[:1].isalnum()]
    other = [
        pin
        for pin in pins
        if (pin.marker is None or pin.marker.evaluate()) and _installed(pin.name) not in pin.specifier
    ]
    if other:
        raise UserError(
            f"{LOCKED} has {other[0]}, installed is {_installed(other[0].name) or 'none'}: run `make install`"
        )


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
