"""Sweeps in tests: six trials that were run by hand, and trainings that wait to be disturbed."""

import itertools
import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from tests import ROOT
from tests.project import Project

SECONDS_TO_WAIT = 120  # For what takes a few: others may keep the machine busy.
RUN = ("python", "-m", "tools.sweep", "run")
SIX = ("--recipe", "demo", "--recipe", "fast", "--seeds", "3")
FOUR = (*SIX[:-1], "2")  # Of the six, as the next ones.
TWO = ("--recipe", "demo", "--seeds", "2")
ONE = ("--recipe", "demo", "--seeds", "1")
NUM_EPOCHS = 4


def run_six_by_hand(project: Project) -> None:
    """Run six trials with `dvc exp run`, without the stages that draw; their experiments are `hand-demo0` and so on."""
    document = yaml.safe_load((project.folder / "dvc.yaml").read_text())
    for stage in ("illustrate", "report"):
        del document["stages"][stage]
    (project.folder / "dvc.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    project.set_param("recipes.demo.epochs", NUM_EPOCHS)
    project.commit()
    for recipe, seed in itertools.product(("demo", "fast"), range(3)):
        settings = ("-S", f"recipe={recipe}", "-S", f"recipes.{recipe}.seed={seed}")
        project.run("dvc", "exp", "run", "-n", f"hand-{recipe}{seed}", *settings)
        project.run("git", "checkout", "--quiet", "--force", "main")
    project.run("git", "clean", "-dffq")


def gate_of(project: Project) -> Path:
    """The file for which a training waits behind its second epoch, if its environment says so."""
    return project.folder.parent / "gate"


def wait_at_gate(project: Project) -> dict[str, str]:
    """The variables that say so; see tests/hooks."""
    return {"PYTHONPATH": str(ROOT / "tests/hooks"), "GATE": str(gate_of(project))}


def wait_for_epochs(project: Project, expected: Sequence[int], process: subprocess.Popen[str]) -> None:
    """Return when the trainings in the workers' clones have noted so many epochs each, and wait at the gate."""
    start = time.monotonic()
    while sorted(num_epochs_done(project)) != list(expected):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() - start < SECONDS_TO_WAIT, num_epochs_done(project)
        time.sleep(0.05)


def trees(project: Project, prefix: str) -> list[str]:
    """The trees of all experiments with such a name, sorted."""
    refs = project.run("git", "for-each-ref", "--format=%(refname) %(tree)", "refs/exps").stdout
    return sorted(re.findall(rf"/{prefix}-\w+ (\w+)$", refs, flags=re.MULTILINE))


def children(process_id: int) -> list[int]:
    """The processes that a process started, with all of its threads."""
    found: list[int] = []
    for path in Path(f"/proc/{process_id}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # Of a thread that has just ended.
            found += map(int, path.read_text().split())
    return found


def descendants(process_id: int) -> list[int]:
    return [found for child in children(process_id) for found in (child, *descendants(child))]


def workers(driver: int) -> list[int]:
    """The processes that run trials, those that are in one."""
    return [child for child in children(driver) if children(child)]


def num_epochs_done(project: Project) -> list[int]:
    """How many epochs each training has finished in the workers' clones."""
    manifests = project.folder.glob(".dvc/tmp/sweep/clones/*/data/.resume/*/manifest.json")
    return [len(manifest.read_text().splitlines()) for manifest in manifests]
