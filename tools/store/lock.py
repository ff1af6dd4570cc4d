"""What dvc.lock records, read without DVC, which takes a second to load."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import UserError
from tools.store.listing import MD5
from tools.store.objects import reason

LOCK = Path("dvc.lock")


class UnreadableLock(UserError):
    """A dvc.lock is there, and is none, or no longer whole."""


def read_lock(folder: Path = Path()) -> dict[str, Any]:
    """Return the stages of a folder's dvc.lock, by name.

    Raises:
        UserError: it is missing.
        UnreadableLock: it is none.
    """
    try:
        return parse_lock((folder / LOCK).read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        raise UserError(f"{LOCK} is missing: run `dvc repro` and commit what it writes") from None


def parse_lock(text: str) -> dict[str, Any]:
    """Return the stages of a dvc.lock's text, by name; raise UnreadableLock if it is none."""
    try:
        return _parse(text)
    except ValueError as error:
        raise UnreadableLock(
            f"{LOCK} cannot be read ({error}): `make doctor` says what to do, and can restore it"
        ) from None


def locked_outputs(stages: dict[str, Any]) -> dict[str, str]:
    """Return the md5 of every output, by path."""
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}


def _parse(text: str) -> dict[str, Any]:
    """The stages; ValueError says what is wrong. DVC, killed while it writes, leaves any first part of the text."""
    if not text.endswith("\n"):
        raise ValueError("it is empty, or was cut short")
    if any(line.startswith("<<<<<<< ") for line in text.splitlines()):
        raise ValueError("it has a merge conflict")
    try:
        stages: dict[str, Any] = YAML(typ="safe").load(text)["stages"]  # As DVC reads it; to PyYAML, 5e-05 is a text.
        outs = [out for stage in stages.values() for out in stage["outs"]]  # What is written last of a stage.
        are_whole = all(MD5.fullmatch(out["md5"].removesuffix(".dir")) and isinstance(out["path"], str) for out in outs)
    except (YAMLError, RecursionError) as error:
        raise ValueError(reason(error)) from None
    except (TypeError, KeyError, AttributeError):
        are_whole = False
    if not are_whole:
        raise ValueError("a stage in it is not whole")
    return stages
