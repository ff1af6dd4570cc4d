"""Compares what a stage noted that it used, in data/inputs, with what dvc.lock or the run-cache records of its run.

They differ after an edit in the moment between a stage's last look and DVC's, and where a record was altered.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import name_some
from pipeline.params import flatten
from pipeline.stage import NOTES
from tools.store.objects import Finding, Problem, md5_of_file
from tools.store.run_cache import Entry, entry_of

# Returns the content of a note, by path and md5; None if it is not there.
Read = Callable[[str, str], bytes | None]


def contradictions(stages: Mapping[str, Any], read: Read) -> Iterator[Finding]:
    """What is wrong with the stages of dvc.lock."""
    for name, stage in stages.items():
        if difference := contradiction(entry_of(stage), read):
            again = f"run `dvc repro --force --single-item {name}`"
            yield Finding(
                Problem.CORRUPTED, "dvc.lock", f"does not record the run of {name} that was made: {difference}; {again}"
            )


def contradiction(entry: Entry, read: Read) -> str | None:
    """What the run of an entry used that is not what the entry says; None if nothing, or if there is no note of it."""
    notes = [(path, md5) for path, md5 in entry.outs.items() if Path(path).parent == NOTES]
    content = read(*notes[0]) if notes else None
    if content is None:
        return None
    try:
        note = json.loads(content)
        noted = _by_name(note["deps"], note["params"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return f"{notes[0][0]} cannot be read"
    recorded = _by_name(entry.deps, entry.params)
    different = sorted(name for name in noted.keys() | recorded.keys() if noted.get(name) != recorded.get(name))
    return f"it used another {name_some(different)}" if different else None


def read_workspace(path: str, md5: str) -> bytes | None:
    """A note in the workspace, if it is the recorded one."""
    return Path(path).read_bytes() if md5_of_file(Path(path)) == md5 else None


def _by_name(deps: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
    values = {f"{file}: {key}": value for file, keys in params.items() for key, value in flatten(keys).items()}
    return {**deps, **values}
