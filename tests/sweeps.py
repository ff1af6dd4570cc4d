"""Sweeps in tests: four trials that were run by hand, and programs whose trainings wait to be disturbed."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests import ROOT
from tests.project import Project

SECONDS_TO_WAIT = 300  # For what takes ten: others may keep the machine busy.
SWEEP = ("python", "-m", "tools.sweep")
RUN = (*SWEEP, "run")
FOUR = ("--recipe", "demo", "--recipe", "fast", "--seeds", "2")
TWO = ("--recipe", "demo", "--seeds", "2")
ONE = ("--recipe", "demo", "--seeds", "1")
NUM_EPOCHS = 4


@dataclass(frozen=True)
class Program:
    """A process in a session of its own, and the file of all that it prints."""

    process: subprocess.Popen[str]
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text()

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Return when something is so; fail if the program ends before, or it takes too long."""
        start = time.monotonic()
        while not is_so():
            assert self.process.poll() is None, self.output
            assert time.monotonic() - start < SECONDS_TO_WAIT, self.output
            time.sleep(0.05)

    def interrupt(self) -> None:
        """Do what Ctrl-C does in a terminal."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self, seconds: float = SECONDS_TO_WAIT) -> int:
        """Wait for its end; return the exit status."""
        return self.process.wait(seconds)


@contextmanager
def started(project: Project, *command: str, ready: str = "", **variables: str) -> Iterator[Program]:
    """A command that has printed a line that begins so; it is killed at the end."""
    descriptor, name = tempfile.mkstemp(suffix=".log", dir=project.folder.parent)
    with open(descriptor, "w") as log:
        environment = project.environment(**variables)
        process = subprocess.Popen(
            command, cwd=project.folder, env=environment, stdout=log, stderr=log, text=True, start_new_session=True
        )
    program = Program(process, Path(name))
    try:
        program.wait_until(lambda: re.search(f"^{ready}", program.output, flags=re.MULTILINE) is not None)
        yield program
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run_four_by_hand(project: Project) -> None:
    """Run four trials with `dvc exp run`, without the stages that draw; their experiments are `hand-demo0` and so on.

    Beside the project lies the cache as it was before them, when nothing but the data was there.
    """
    document = yaml.safe_load((project.folder / "dvc.yaml").read_text())
    for stage in ("illustrate", "report"):
        del document["stages"][stage]
    (project.folder / "dvc.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    project.set_param("recipes.demo.epochs", NUM_EPOCHS)
    project.commit()
    project.repro("download")
    shutil.copytree(project.folder / ".dvc/cache", downloaded(project))
    for recipe, seed in itertools.product(("demo", "fast"), range(2)):
        settings = ("-S", f"recipe={recipe}", "-S", f"recipes.{recipe}.seed={seed}")
        project.run("dvc", "exp", "run", "-n", f"hand-{recipe}{seed}", *settings)
        project.run("git", "checkout", "--quiet", "--force", "main")
    project.run("git", "clean", "-dffq")


def downloaded(project: Project) -> Path:
    return project.folder.parent / "downloaded"


def gate_of(project: Project) -> Path:
    """The file for which a training waits behind its second epoch, if its environment says so."""
    return project.folder.parent / "gate"


def wait_at_gate(project: Project) -> dict[str, str]:
    """The variables that say so; see tests/hooks."""
    return {"PYTHONPATH": str(ROOT / "tests/hooks"), "GATE": str(gate_of(project))}


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
    return sorted(len(manifest.read_text().splitlines()) for manifest in manifests)
