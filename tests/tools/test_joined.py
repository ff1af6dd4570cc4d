"""What is killed or cut off between machines, a scheduler, a git remote, a DVC remote: the next sweep completes."""

import signal
import subprocess
from collections.abc import Iterator, Sequence

import pytest

from tests.project import Project
from tests.remotes import free_port
from tests.sweeps import (
    NUM_EPOCHS,
    ONE,
    RUN,
    SECONDS_TO_WAIT,
    TWO,
    descendants,
    gate_of,
    trees,
    wait_at_gate,
    wait_for_epochs,
)
from tests.test_crash import wait_for_end

pytestmark = pytest.mark.faults

SWEEP = ("python", "-m", "tools.sweep")


class Machines:
    """A project with a git remote and a DVC remote, and the processes of a sweep that are started for it."""

    def __init__(self, project: Project) -> None:
        self.project = project.fresh()
        self.git_remote, self.dvc_remote = project.folder.parent / "mnist.git", project.folder.parent / "dvc"
        self.scheduler = f"tcp://127.0.0.1:{free_port()}"
        self.started: list[subprocess.Popen[str]] = []
        project.run("git", "init", "--quiet", "--bare", str(self.git_remote))
        project.run("git", "remote", "add", "origin", str(self.git_remote))
        project.run("git", "push", "--quiet", "origin", "main")
        project.run("dvc", "remote", "add", "--local", "--default", "share", str(self.dvc_remote))

    def start(self, *command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            cwd=self.project.folder,
            env=self.project.environment(**wait_at_gate(self.project)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def start_scheduler_and_worker(self) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
        """Start both, and wait until the worker has joined."""
        scheduler = self.start(*SWEEP, "scheduler", self.scheduler)
        worker = self.start(*SWEEP, "worker", self.scheduler, "--workers", "1")
        for process, said in ((scheduler, "sweep: a scheduler listens"), (worker, "sweep: 1 workers")):
            assert process.stdout is not None
            assert process.stdout.readline().startswith(said)
        return scheduler, worker

    def run(self, trials: Sequence[str]) -> str:
        return self.project.run(*RUN, *trials, "--scheduler", self.scheduler).stdout

    def stop(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def machines(six: Project) -> Iterator[Machines]:
    machines = Machines(six)
    yield machines
    machines.stop()


def test_killed_scheduler_ends_driver_and_workers_and_the_next_sweep_completes(machines: Machines) -> None:
    scheduler, worker = machines.start_scheduler_and_worker()
    driver = machines.start(*RUN, *ONE, "--scheduler", machines.scheduler)
    wait_for_epochs(machines.project, [1], driver)
    started = descendants(worker.pid)
    scheduler.send_signal(signal.SIGKILL)
    output, _ = driver.communicate(timeout=SECONDS_TO_WAIT)
    assert driver.returncode == 1
    assert output.splitlines()[-1].startswith(f"sweep: the scheduler {machines.scheduler} has ended")
    assert "Traceback" not in output
    gate_of(machines.project).touch()  # Dask gives a task 30 s to end.
    worker_output, _ = worker.communicate(timeout=SECONDS_TO_WAIT)
    assert worker_output == f"sweep: the scheduler {machines.scheduler} has ended\n"
    for process_id in started:
        wait_for_end(process_id, SECONDS_TO_WAIT)
    machines.start_scheduler_and_worker()
    machines.run(ONE)
    [tree] = trees(machines.project, "sweep")
    assert tree in trees(machines.project, "hand")


def test_remote_that_dies_is_the_reason_and_what_was_trained_is_sent_when_it_is_back(machines: Machines) -> None:
    gate = gate_of(machines.project)
    machines.start_scheduler_and_worker()
    driver = machines.start(*RUN, *ONE, "--scheduler", machines.scheduler)
    wait_for_epochs(machines.project, [1], driver)
    gone = machines.git_remote.rename(machines.git_remote.with_name("gone"))
    gate.touch()
    output, _ = driver.communicate(timeout=SECONDS_TO_WAIT)
    assert driver.returncode == 1
    assert ": demo seed 0: failed: " in output
    assert "Traceback" not in output
    gone.rename(machines.git_remote)

    gate.unlink()
    driver = machines.start(*RUN, *TWO, "--scheduler", machines.scheduler)
    wait_for_epochs(machines.project, [1, NUM_EPOCHS], driver)
    gone = machines.dvc_remote.rename(machines.dvc_remote.with_name("gone"))
    machines.dvc_remote.write_text("")
    gate.touch()
    output, _ = driver.communicate(timeout=SECONDS_TO_WAIT)
    assert driver.returncode == 1
    assert ": demo seed 1: failed: " in output
    assert "Traceback" not in output
    machines.dvc_remote.unlink()
    gone.rename(machines.dvc_remote)

    assert ": demo seed 1: done: nothing was left to train" in machines.run(TWO)
    assert len(trees(machines.project, "sweep")) == 2
    assert set(trees(machines.project, "sweep")) < set(trees(machines.project, "hand"))
