"""Compares what a commit records of its outputs with what git holds of them, and with what another run gave."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist.paths import ENVIRONMENT_JSON, EVALUATE_JSON
from pipeline.errors import UserError
from tools.store.cache import read_declared
from tools.store.lock import locked_outputs, read_lock
from tools.store.objects import md5_of_file

# Three standard errors of an accuracy of 99.2 % on 10,000 images; what is compared where bits cannot be the same.
ACCURACY_TOLERANCE = 0.003


@dataclass(frozen=True)
class Record:
    """What a folder records of its results: md5s of the outputs by path, and two of the files that git holds."""

    locked: dict[str, str]
    metrics: dict[str, Any]
    environment: dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """An output: what the commit records for it, and what it is now."""

    output: str
    recorded: str
    now: str
    same: bool


def read_record(folder: Path) -> Record:
    """Return what a clone records; raise UserError if a part is missing."""
    try:
        metrics, environment = (json.loads((folder / path).read_text()) for path in (EVALUATE_JSON, ENVIRONMENT_JSON))
        return Record(locked_outputs(read_lock(folder)), metrics, environment)
    except FileNotFoundError as error:
        name = Path(error.filename).relative_to(folder)
        raise UserError(f"the commit has no {name}: run `dvc repro` and commit what it writes") from None


def compare_git(clone: Path) -> list[Comparison]:
    """Return a comparison per output that git holds, or should: its md5 in dvc.lock, and that of the file."""
    locked = locked_outputs(read_lock(clone))
    try:
        are_kept = read_declared(clone)
    except ValueError as error:
        raise UserError(f"the commit's dvc.yaml cannot be read: {error}") from None
    found = {output: md5_of_file(clone / output) if (clone / output).is_file() else None for output in locked}
    return [
        Comparison(f"{output} in git", locked[output], md5 or "none", locked[output] == md5)
        for output, md5 in found.items()
        if md5 or not are_kept.get(output, True)
    ]


def compare_bytes(locked: dict[str, str], now: dict[str, str]) -> list[Comparison]:
    """Return a comparison per output; md5s by path: of the commit's dvc.lock, and now."""
    outputs = sorted(locked | now)
    md5s = [(output, locked.get(output, "none"), now.get(output, "none")) for output in outputs]
    return [Comparison(output, recorded, md5, recorded == md5) for output, recorded, md5 in md5s]


def compare_accuracies(recorded: dict[str, Any], now: dict[str, Any]) -> list[Comparison]:
    """Return a comparison per accuracy of metrics/evaluate.json."""
    rows = []
    for name in recorded | now:
        if name.endswith("_accuracy"):
            before, after = recorded.get(name, math.nan), now.get(name, math.nan)
            # Rounded, as the metrics are: 0.993 - 0.990 is above 0.003 in binary fractions.
            rows.append(Comparison(name, f"{before}", f"{after}", round(abs(before - after), 6) <= ACCURACY_TOLERANCE))
    return rows
