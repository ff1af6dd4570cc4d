"""Reads the results that a commit records: metrics from git, predictions from DVC's cache or remote."""

import io
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import dvc.api
import pandas as pd
from dvc.exceptions import DvcException, PathMissingError
from dvc.repo import Repo
from dvc.scm import SCMError, resolve_rev

from mnist.paths import EVALUATE_JSON, PREDICTIONS_CSV, RAW_DATA
from pipeline.errors import UserError, one_line
from tools.store.git import git
from tools.store.lock import LOCK, locked_outputs, parse_lock
from tools.store.objects import md5_of

WORKSPACE = "workspace"


@dataclass(frozen=True)
class Results:
    """What `name`, a revision or the workspace, says of its network.

    `predictions` has label and prediction, a row per test image; it is None where they are nowhere to be had, and
    `problem` says why. `data_md5` is that of the data set's folder.
    """

    name: str
    recipe: str
    metrics: dict[str, float]
    data_md5: str
    predictions: pd.DataFrame | None
    problem: str = ""


def read_results(revision: str) -> Results:
    """Return the results of a git revision, or of the workspace; raise UserError if there are none."""
    try:
        if revision != WORKSPACE:
            _check_commit(revision)
        metrics = json.loads(_read(EVALUATE_JSON, revision))
        if not isinstance(metrics, dict) or not all(isinstance(value, int | float) for value in metrics.values()):
            raise ValueError(f"{EVALUATE_JSON} is not numbers by name")
        stages = parse_lock(_read(LOCK, revision).decode())
        recipe = stages["train"]["params"]["params.yaml"]["recipe"]
        locked = locked_outputs(stages)
        data_md5 = locked[RAW_DATA.as_posix()]
    except (DvcException, OSError) as error:
        raise UserError(f"{revision} has no results: {one_line(error)}; run `dvc repro` there and commit") from None
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{revision} has no complete results: {one_line(error)}; run `dvc repro` there") from None
    try:
        predictions, problem = _read_predictions(revision, locked.get(PREDICTIONS_CSV.as_posix())), ""
    except UserError as error:  # Metrics can be compared all the same.
        predictions, problem = None, str(error)
    return Results(revision, recipe, metrics, data_md5, predictions, problem)


def _check_commit(revision: str) -> None:
    """Raise UserError unless a revision is a commit's: DVC takes none for the workspace, and trips over a file's."""
    try:
        with Repo() as repo:
            object_id = resolve_rev(repo.scm, revision) if revision else ""
        is_commit = git("cat-file", "-t", object_id) == "commit"
    except (SCMError, UserError, ValueError):
        is_commit = False
    if not is_commit:
        raise UserError(f"{revision!r} names no commit, branch, tag or experiment of this repository, or several")


def _read_predictions(revision: str, md5: str | None) -> pd.DataFrame:
    try:
        content = _read(PREDICTIONS_CSV, revision)
    except Exception as error:  # A remote's library raises what it likes.
        why = "" if isinstance(error, PathMissingError) else f" ({one_line(error)})"  # Its text is about git.
        raise UserError(
            f"{PREDICTIONS_CSV} of {revision} is neither in the cache nor on a remote{why}: `dvc fetch --all-commits` "
            "brings what a remote has; `dvc repro`, in a clone of that commit if it is an older one, makes it anew"
        ) from None
    if md5_of(io.BytesIO(content)) != md5:
        raise UserError(f"{PREDICTIONS_CSV} of {revision} is not the file that {LOCK} records: run `dvc repro`")
    return pd.read_csv(io.BytesIO(content))


def _read(path: Path, revision: str) -> bytes:
    content: bytes
    if revision == WORKSPACE:
        content = path.read_bytes()
    else:
        content = dvc.api.read(path.as_posix(), rev=revision, mode="rb", config=_todays_config())
    if b"<<<<<<< " in content:
        raise UserError(f"{path} of {revision} has a merge conflict: docs/sharing.md says how to solve it (Merge)")
    return content


@cache
def _todays_config() -> dict[str, dict[str, Any]]:
    """The remotes and the cache of now: those of an old revision may not have been there yet."""
    with Repo() as repo:
        return {section: dict(repo.config[section]) for section in ("core", "cache", "remote")}
