"""What is killed or cut off between machines, a scheduler, a git remote, a DVC remote: the next sweep completes."""

import asyncio
import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.errors import UserError
from tests.project import Project
from tests.remotes import free_port
from tests.sweeps import (
    ONE,
    RUN,
    SECONDS_TO_WAIT,
    SWEEP,
    Program,
    descendants,
    gate_of,
    num_epochs_done,
    started,
    trees,
    wait_at_gate,
)
from tests.test_crash import wait_for_end
from tools.trials import cluster
from tools.trials.place import Place

SECONDS_TO_LEAVE = 25  # Of less than one: Dask would give a trial 30 to end.


class Machines:
    """A project with a git remote and a DVC remote, and the programs of a sweep that are started for it."""

    def __init__(self, project: Project, programs: ExitStack) -> None:
        self.project, self._programs = project, programs
        self.git_remote, self.dvc_remote = project.folder.parent / "mnist.git", project.folder.parent / "dvc"
        self.scheduler = f"tcp://127.0.0.1:{free_port()}"
        project.run("git", "init", "--quiet", "--bare", "--initial-branch", "main", str(self.git_remote))
        project.run("git", "remote", "add", "origin", str(self.git_remote))
        project.run("git", "push", "--quiet", "origin", "main")
        project.run("dvc", "remote", "add", "--local", "--default", "share", str(self.dvc_remote))

    def start_scheduler(self) -> Program:
        return self._start(self.project, "scheduler", self.scheduler, ready="sweep: a scheduler listens")

    def start_worker(self, project: Project) -> Program:
        return self._start(project, "worker", self.scheduler, "--workers", "1", ready="sweep: 1 workers")

    def start_driver(self, trials: Sequence[str]) -> Program:
        return self._start(self.project, "run", *trials, "--scheduler", self.scheduler)

    def wait_for_epoch(self, epoch: int, driver: Program) -> None:
        """Return when the one training has noted so many epochs, and waits at the gate."""
        driver.wait_until(lambda: num_epochs_done(self.project) == [epoch])

    def run(self, trials: Sequence[str], expected: int = 0) -> str:
        done = self.project.run(*RUN, *trials, "--scheduler", self.scheduler, check=False)
        assert done.returncode == expected, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def _start(self, project: Project, *command: str, ready: str = "") -> Program:
        program = started(project, *SWEEP, *command, ready=ready, **wait_at_gate(project))
        return self._programs.enter_context(program)


@pytest.fixture
def machines(four: Project) -> Iterator[Machines]:
    with ExitStack() as programs:
        yield Machines(four, programs)


def test_killed_scheduler_or_ctrl_c_ends_what_a_worker_is_at_and_the_next_goes_on(machines: Machines) -> None:
    scheduler = machines.start_scheduler()
    worker = machines.start_worker(machines.project.fresh())
    driver = machines.start_driver(ONE)
    machines.wait_for_epoch(1, driver)
    trial = descendants(worker.process.pid)
    worker.interrupt()
    assert worker.end(SECONDS_TO_LEAVE) == 130
    assert worker.output.splitlines()[1:] == ["sweep: interrupted"]
    for process_id in trial:
        wait_for_end(process_id, SECONDS_TO_WAIT)

    worker = machines.start_worker(machines.project.fresh())
    machines.wait_for_epoch(2, driver)
    trial = descendants(worker.process.pid)
    scheduler.process.kill()
    assert worker.end(SECONDS_TO_LEAVE) == 0
    assert worker.output.splitlines()[1:] == [f"sweep: the scheduler {machines.scheduler} has ended"]
    for process_id in trial:
        wait_for_end(process_id, SECONDS_TO_WAIT)
    assert driver.end() == 1
    assert driver.output.splitlines()[-1].startswith(f"sweep: the scheduler {machines.scheduler} has ended")
    assert "Traceback" not in driver.output
    assert trees(machines.project, "sweep") == []

    gate_of(machines.project).touch()
    machines.start_scheduler()
    machines.start_worker(machines.project)
    assert re.search(r": demo seed 0: done: trained on \S+, [\d:]+ left$", machines.run(ONE), flags=re.M), "it went on"
    [tree] = trees(machines.project, "sweep")
    assert tree in trees(machines.project, "hand")


def test_remote_that_dies_is_the_reason_and_what_was_trained_is_sent_when_it_is_back(machines: Machines) -> None:
    machines.start_scheduler()
    machines.start_worker(machines.project)
    driver = machines.start_driver(ONE)
    machines.wait_for_epoch(1, driver)
    machines.dvc_remote.write_text("")  # In the place of the folder that would be made.
    gate_of(machines.project).touch()
    assert driver.end() == 1
    assert ": demo seed 0: failed: remote share: " in driver.output
    assert "Traceback" not in driver.output
    machines.dvc_remote.unlink()

    hook = machines.git_remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nmv ../mnist.git ../gone\nexit 1\n")
    hook.chmod(0o755)
    assert ": demo seed 0: failed: git ls-remote: fatal: " in machines.run(ONE, expected=1)
    machines.git_remote.with_name("gone").rename(machines.git_remote)
    hook.unlink()

    assert ": demo seed 0: done: nothing was left to train" in machines.run(ONE)
    [tree] = trees(machines.project, "sweep")
    assert tree in trees(machines.project, "hand")

    machines.project.run("git", "clone", "--quiet", str(machines.git_remote), "../other")
    other = Project(machines.project.folder.with_name("other"))
    shutil.copy(machines.project.folder / ".dvc/config.local", other.folder / ".dvc")
    assert other.run(*RUN, *ONE, "--scheduler", machines.scheduler).stdout.startswith("sweep: 1 trials, 1 of them are ")
    assert trees(other, "sweep") == [tree]
    machines.project.run("git", "commit", "--quiet", "--allow-empty", "--message", "not pushed")
    output = machines.run(ONE, expected=1)
    assert re.fullmatch(r"sweep: the git remote origin does not have the commit \w{12}: `git push` it\n", output)


def test_worker_says_in_a_line_that_no_scheduler_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cluster, "SECONDS_TO_JOIN", 0.1)
    monkeypatch.setattr("logging.disable", lambda: None)
    address = f"tcp://127.0.0.1:{free_port()}"
    joining = cluster.join(address, Place(tmp_path, tmp_path, 1))
    # In a thread of its own: in this one, the loop of a browser may be running for other tests.
    with ThreadPoolExecutor() as threads, pytest.raises(UserError, match=f"^the scheduler {address} does not answer: "):
        threads.submit(asyncio.run, joining).result()
