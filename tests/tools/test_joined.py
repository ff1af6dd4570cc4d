"""What is killed or cut off between machines, a scheduler, a git remote, a DVC remote: the next sweep completes."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import Once, Project
from tests.remotes import free_port
from tests.test_crash import wait_for_end
from tests.tools.test_sweep import RUN, descendants, forget, num_epochs_done, run_slow_by_hand, trees

SECONDS_TO_START = 60
SECONDS_TO_END = 60
SWEEP = ("python", "-m", "tools.sweep")
TWO = ("--recipe", "demo", "--seeds", "2")


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
            env=self.project.environment(),
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
        worker = self.start(*SWEEP, "worker", self.scheduler, "--workers", "2")
        for process, said in ((scheduler, "sweep: a scheduler listens"), (worker, "sweep: 2 workers")):
            assert process.stdout is not None
            assert process.stdout.readline().startswith(said)
        return scheduler, worker

    def run(self, expected: int = 0) -> str:
        done = self.project.run(*RUN, *TWO, "--scheduler", self.scheduler, check=False)
        assert done.returncode == expected, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def stop(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def machines(once: Once, tmp_path: Path) -> Iterator[Machines]:
    machines = Machines(forget(once("slow", run_slow_by_hand).copy(tmp_path / "copy")))
    yield machines
    machines.stop()


def test_killed_scheduler_ends_driver_and_workers_and_the_next_sweep_completes(machines: Machines) -> None:
    scheduler, worker = machines.start_scheduler_and_worker()
    driver = machines.start(*RUN, *TWO, "--scheduler", machines.scheduler)
    start = time.monotonic()
    while not (len(done := num_epochs_done(machines.project)) == 2 and min(done) >= 3):
        assert time.monotonic() - start < SECONDS_TO_START
        time.sleep(0.05)
    started = descendants(worker.pid)
    scheduler.send_signal(signal.SIGKILL)
    output, _ = driver.communicate(timeout=SECONDS_TO_END)
    assert driver.returncode == 1
    assert output.splitlines()[-1].startswith(f"sweep: the scheduler {machines.scheduler} has ended")
    assert "Traceback" not in output
    worker_output, _ = worker.communicate(timeout=SECONDS_TO_END)
    assert worker_output == f"sweep: the scheduler {machines.scheduler} has ended\n"
    for process_id in started:
        wait_for_end(process_id)
    machines.start_scheduler_and_worker()
    machines.run()
    assert trees(machines.project, "sweep") == trees(machines.project, "hand")


@pytest.mark.parametrize("remote", ["git", "dvc"])
def test_remote_that_dies_is_the_reason_and_what_was_trained_is_sent_when_it_is_back(
    machines: Machines, remote: str
) -> None:
    machines.start_scheduler_and_worker()
    driver = machines.start(*RUN, *TWO, "--scheduler", machines.scheduler)
    start = time.monotonic()
    while len(num_epochs_done(machines.project)) < 2:
        assert time.monotonic() - start < SECONDS_TO_START
        time.sleep(0.05)
    folder = machines.git_remote if remote == "git" else machines.dvc_remote
    gone = folder.with_name("gone")
    if remote == "git":
        folder.rename(gone)
    else:
        folder.write_text("")
    output, _ = driver.communicate(timeout=300)
    assert driver.returncode == 1
    assert len(re.findall(r"^trial .*: failed: .*", output, flags=re.MULTILINE)) == 2, output
    assert "Traceback" not in output
    if remote == "git":
        gone.rename(folder)
    else:
        folder.unlink()
    output = machines.run()
    assert len(re.findall(r"done: nothing was left to train", output)) == 2, output
    assert trees(machines.project, "sweep") == trees(machines.project, "hand")
