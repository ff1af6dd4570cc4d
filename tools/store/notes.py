"""Compares what a stage noted that it used, in data/inputs, with what dvc.lock or the run-cache records of its run.

They differ after an edit in the moment between a stage's last look and DVC's, and where a record was altered.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline.params import flatten
from pipeline.stage import NOTES, note_path
from tools.store.objects import md5_of_file

MOST_NAMED = 3


def contradiction(recorded: dict[str, Any], note: bytes) -> str | None:
    """What a stage used differently from what is recorded, in the form of dvc.lock, as its inputs; None if nothing."""
    try:
        noted = _flat(json.loads(note))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return "its note of what it used cannot be read"
    expected = _flat(recorded | {"deps": {dep["path"]: dep["md5"] for dep in recorded["deps"]}})
    different = sorted(name for name in noted.keys() | expected.keys() if noted.get(name) != expected.get(name))
    if not different:
        return None
    more = f" and {len(different) - MOST_NAMED} more" if len(different) > MOST_NAMED else ""
    return f"it used another {', '.join(different[:MOST_NAMED])}{more}"


def contradictions(stages: dict[str, Any], read: Callable[[str, str], bytes | None]) -> Iterator[tuple[str, str]]:
    """The stages of dvc.lock whose notes say something else, each with what it is and what to do.

    `read` returns the content that belongs to a path and md5, or None if it is not there.
    """
    for name, stage in stages.items():
        path = note_path(name).as_posix()
        content = next((read(path, out["md5"]) for out in stage["outs"] if out["path"] == path), None)
        if content is not None and (difference := contradiction(stage, content)):
            yield (
                path,
                f"the run of {name} is not the one that dvc.lock records: {difference}; run "
                f"`dvc repro --force --single-item {name}`",
            )


def is_note(path: str) -> bool:
    """Whether an output is a stage's note."""
    return Path(path).parent == NOTES


def read_workspace(path: str, md5: str) -> bytes | None:
    """A file of the workspace, if it is the recorded one."""
    return Path(path).read_bytes() if md5_of_file(Path(path)) == md5 else None


def _flat(inputs: dict[str, Any]) -> dict[str, Any]:
    params = inputs["params"].items()
    return inputs["deps"] | {f"{file}: {key}": value for file, keys in params for key, value in flatten(keys).items()}
