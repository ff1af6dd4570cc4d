"""The epochs that a commit records: what each is made from, and whether what was made again is what is recorded."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist.paths import (
    CHECKPOINTS,
    ENVIRONMENT_JSON,
    OPTIMIZER,
    RAW_DATA,
    TRAIN_CSV,
    checkpoint_path,
    optimizer_path,
)
from mnist.trained import read_trained, recorded_sha256
from tools.proofs.files import Files, recorded_folders
from tools.proofs.tensors import describe_difference
from tools.store.lock import read_lock
from tools.store.objects import Finding, Problem
from tools.store.project import Project

REPLAYED = Path("data/replayed")  # Where stages/train/replay.py writes.


@dataclass(frozen=True)
class Verdict:
    """What was found of an epoch; `problem` is None if it is genuine."""

    epoch: int
    problem: Problem | None
    detail: str


class Epochs:
    """The epochs of a commit, in a clone of it; their files come from a project's cache, or its DVC remote.

    `num_processes` is how many of them this machine can run at a time.

    Raises:
        UserError: the commit does not record the states of its epochs.
    """

    def __init__(self, clone: Path, project: Project) -> None:
        self._clone = clone
        stages = read_lock(clone)
        folders = recorded_folders(stages, RAW_DATA, CHECKPOINTS, OPTIMIZER)
        self._device = json.loads((clone / ENVIRONMENT_JSON).read_text(encoding="utf-8"))["device"]
        params = stages["train"]["params"]["params.yaml"]
        is_on_gpu, threads = params.get("device") == "cuda", params[f"recipes.{params['recipe']}"]["threads"]
        self.num_processes = 1 if is_on_gpu else max(1, len(os.sched_getaffinity(0)) // threads)
        records = read_trained(clone)
        self.numbers = [record.epoch for record in records]
        self._sha256 = recorded_sha256(records)
        self._files = Files(project, folders, self._sha256)
        self._data: list[Finding] | None = None  # What is wrong with it, when it was brought.

    def bring(self, epoch: int) -> Verdict | None:
        """Write what an epoch is made from into the clone, data and the state before it; if it is lacking, say so."""
        findings = self._bring_data() or self._files.write(_state_paths(epoch - 1), self._clone)
        if not findings:
            return None
        return Verdict(epoch, findings[0].problem, f"cannot be run: {findings[0].name} {findings[0].detail}")

    def bring_checkpoints(self) -> list[Finding]:
        """Write what is evaluated into the clone, data and all checkpoints; return what is wrong with it."""
        checkpoints = [checkpoint_path(epoch).as_posix() for epoch in self.numbers]
        return self._bring_data() or self._files.write(checkpoints, self._clone)

    def judge(self, epoch: int, said: Mapping[str, Any]) -> Verdict:
        """Compare what stages/train/replay.py said when it had run an epoch in the clone with what is recorded."""
        if "error" in said:
            return Verdict(epoch, Problem.UNCHECKED, f"could not be run: {said['error']}")
        seconds = f"{said['seconds']:.1f} s"
        if said["device"] != self._device:
            detail = f"cannot be checked: recorded on {self._device}, run on {said['device']}, whose bytes differ"
            return Verdict(epoch, Problem.UNCHECKED, f"{detail}, {seconds}")
        now = dict(zip(_state_paths(epoch), (said["checkpoint_sha256"], said["optimizer_sha256"]), strict=True))
        for path, sha256 in now.items():
            if sha256 != self._sha256[path]:
                detail = f"NOT what {TRAIN_CSV} records: {path}: {self._difference(path)}"
                return Verdict(epoch, Problem.CORRUPTED, f"{detail}, {seconds}")
        return Verdict(epoch, None, f"the same bytes, {seconds}")

    def _bring_data(self) -> list[Finding]:
        if self._data is None:
            self._data = self._files.write(self._files.below(RAW_DATA), self._clone)
        return self._data

    def _difference(self, path: str) -> str:
        """Where a file that was made again differs from the recorded one."""
        recorded = self._files.read(path)
        if isinstance(recorded, Finding):
            return recorded.detail
        return describe_difference(recorded, (self._clone / REPLAYED / path).read_bytes())


def _state_paths(epoch: int) -> list[str]:
    """The files of the state behind an epoch; of the beginning, 0, there are none."""
    return [checkpoint_path(epoch).as_posix(), optimizer_path(epoch).as_posix()] if epoch else []
