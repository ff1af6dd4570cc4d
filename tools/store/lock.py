"""What dvc.lock records, read without DVC, which takes a second to load."""

from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UserError
from tools.store.objects import reason

LOCK = Path("dvc.lock")


def read_lock(folder: Path = Path()) -> dict[str, Any]:
    """Return the stages of a folder's dvc.lock, by name; raise UserError if it is missing, or is none."""
    try:
        return parse_lock((folder / LOCK).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{LOCK} is missing: run `dvc repro` and commit what it writes") from None


def parse_lock(text: str) -> dict[str, Any]:
    """Return the stages of a dvc.lock's text, by name; raise UserError if it is none."""
    try:
        stages: dict[str, Any] = yaml.safe_load(text)["stages"]
    except (yaml.YAMLError, TypeError, KeyError) as error:  # During a merge, for example.
        raise UserError(
            f"{LOCK} cannot be read ({reason(error)}): after a merge take one side's, `git checkout --ours {LOCK}`, "
            f"else `git checkout HEAD {LOCK}`"
        ) from None
    return stages


def locked_outputs(stages: dict[str, Any]) -> dict[str, str]:
    """Return the md5 of every output, by path."""
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}
