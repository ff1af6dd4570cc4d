"""A sweep trains each trial once, to the bytes of `dvc exp run`, whatever is killed on the way."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.project import Project
from tests.sweeps import (
    ONE,
    RUN,
    SECONDS_TO_WAIT,
    SIX,
    TWO,
    descendants,
    gate_of,
    trees,
    wait_at_gate,
    wait_for_epochs,
    workers,
)
from tests.test_crash import wait_for_end
from tests.tools.test_share import small_disk
from tools.trials.experiment import commit_experiment, read_experiments, read_outputs, ref_of, refs_of


def test_sweep_gives_the_bytes_of_runs_by_hand_trains_nothing_twice_and_more_seeds_give_a_verdict(six: Project) -> None:
    head = six.run("git", "rev-parse", "HEAD").stdout
    output = six.run(*RUN, *SIX, "--workers", "2").stdout
    assert output.startswith("sweep: 6 trials, 0 of them are there\n")
    assert len(re.findall(r"^trial \d/6: .*: done: trained on \S+ in \d+ s, [\d:]+ left$", output, flags=re.M)) == 6
    assert output.endswith("sweep: 6 trials are done, 0 failed\n")
    assert len(set(trees(six, "hand"))) == 6
    assert trees(six, "sweep") == trees(six, "hand")
    assert six.run("git", "status", "--porcelain").stdout == ""
    assert six.run("git", "rev-parse", "HEAD", "--symbolic-full-name", "HEAD").stdout == f"{head}refs/heads/main\n"
    assert not (six.folder / "data/raw").exists(), "the workspace was not used"
    names = re.findall(r"sweep-\w{12}", six.run("dvc", "exp", "show", "--csv").stdout)
    assert len(names) == 6

    assert six.run(*RUN, *SIX).stdout == "sweep: 6 trials, 6 of them are there\nsweep: 6 trials are done, 0 failed\n"
    assert len(re.findall(r"^done ", six.run("python", "-m", "tools.sweep", "status").stdout, flags=re.M)) == 6

    assert six.run(*RUN, *SIX[:-1], "4").stdout.startswith("sweep: 8 trials, 6 of them are there\n")
    output = six.run("python", "-m", "tools.sweep", "show").stdout
    verdict = "not decided by 4 + 4 seeds"  # All are right everywhere.
    assert re.search(rf"^demo against fast .* {re.escape(verdict)} ", output, flags=re.M)
    assert output.endswith("sweep: sweep.html shows all runs\n")
    assert verdict in (six.folder / "sweep.html").read_text(encoding="utf-8")
    assert six.run("git", "status", "--porcelain").stdout == ""

    six.run("dvc", "exp", "apply", names[0])
    assert six.run("dvc", "status").stdout == "Data and pipelines are up to date.\n"


@contextmanager
def sweep_at_epochs(project: Project, trials: Sequence[str], epochs: Sequence[int]) -> Iterator[subprocess.Popen[str]]:
    """A sweep in a session of its own, when its trials have noted so many epochs each, and wait at the gate."""
    process = subprocess.Popen(
        [*RUN, *trials, "--workers", "2"],
        cwd=project.folder,
        env=project.fresh().environment(**wait_at_gate(project)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for_epochs(project, epochs, process)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.faults
def test_ended_sweep_or_worker_leaves_no_process_and_each_training_goes_on(six: Project) -> None:
    with sweep_at_epochs(six, ONE, [1]) as driver:
        started = descendants(driver.pid)
        os.killpg(driver.pid, signal.SIGINT)  # As a terminal does.
        output, _ = driver.communicate(timeout=SECONDS_TO_WAIT)
        assert driver.returncode == 130
        assert output.splitlines()[1:] == ["sweep: interrupted"]
        for process_id in started:
            wait_for_end(process_id, SECONDS_TO_WAIT)
    status = six.run("python", "-m", "tools.sweep", "status").stdout
    assert re.fullmatch(r"waiting  sweep-\w{12}  demo seed 0\nsweep: none is going on here\n", status)

    with sweep_at_epochs(six, ONE, [2]) as driver:
        started = descendants(driver.pid)
        driver.kill()
        for process_id in started:
            wait_for_end(process_id, SECONDS_TO_WAIT)
    assert trees(six, "sweep") == []

    with sweep_at_epochs(six, TWO, [1, 3]) as driver:
        victim = workers(driver.pid)[0]
        orphans = descendants(victim)
        assert len(orphans) >= 2, "dvc, and the stage"
        os.kill(victim, signal.SIGKILL)
        for process_id in orphans:
            wait_for_end(process_id, SECONDS_TO_WAIT)
        gate_of(six).touch()
        output, _ = driver.communicate(timeout=SECONDS_TO_WAIT)
    assert driver.returncode == 0, output
    assert re.search(r": demo seed 0: done: trained on \S+, [\d:]+ left$", output, flags=re.M), "in no time: it went on"
    assert len(trees(six, "sweep")) == 2
    assert set(trees(six, "sweep")) < set(trees(six, "hand"))


def test_failed_trials_are_named_with_their_reason_and_the_others_go_on(project: Project) -> None:
    command = [*RUN, "--recipe", "demo", "--seeds", "1", "-S", "data.validation_size=100,600"]
    done = project.run(*command, check=False)
    assert done.returncode == 1
    reason = "train: params.yaml: data.validation_size is 600; expected 0 to 599, as there are 600 training images"
    assert f"demo seed 0 data.validation_size=600: failed: {reason}, " in done.stdout
    assert done.stdout.endswith("sweep: 1 trials are done, 1 failed\n")
    assert "Traceback" not in done.stdout
    assert len(trees(project, "sweep")) == 1
    status = project.run("python", "-m", "tools.sweep", "status", check=False)
    assert status.returncode == 1
    assert f"  demo seed 0 data.validation_size=600: {reason}\n" in status.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
@pytest.mark.faults
def test_full_disk_of_a_worker_is_the_reason_and_the_next_sweep_completes(six: Project, tmp_path: Path) -> None:
    command = [*RUN, *ONE, "--folder", str(tmp_path / "disk")]
    (tmp_path / "disk").mkdir()
    small_disk(tmp_path / "disk", "6m")
    try:
        done = six.run(*command, check=False)
        assert done.returncode == 1
        assert re.search(r"^trial 1/1: demo seed 0: failed: train: data has .* of free space", done.stdout, flags=re.M)
        assert "Traceback" not in done.stdout
        small_disk(tmp_path / "disk", "200m", "remount")
        six.run(*command)
        assert set(trees(six, "sweep")) < set(trees(six, "hand"))
    finally:
        subprocess.run(["umount", str(tmp_path / "disk")], check=True)


def test_second_sweep_of_a_project_is_refused(project: Project) -> None:
    path = project.folder / ".dvc/tmp/sweep/lock"
    path.parent.mkdir()
    path.write_text("123\n")
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = project.run(*RUN, "--recipe", "demo", "--seeds", "1", check=False)
    assert (done.returncode, done.stdout) == (1, "sweep: process 123 sweeps here; wait for it, or end it\n")


def test_trial_that_is_run_again_is_a_reproduction_or_an_error_that_names_both_machines_and_what_differs(
    six_by_hand: Project,
) -> None:
    project, command = six_by_hand, [*RUN, *ONE]
    assert "demo seed 0: done: nothing was left to train, " in project.run(*command).stdout
    ref = project.run("git", "for-each-ref", "refs/exps").stdout
    shutil.rmtree(project.folder / ".dvc/cache")
    output = project.run(*command).stdout
    assert output.startswith("sweep: 1 trials, 0 of them are there\n")
    assert re.search(r"done: trained on .*; a reproduction of what \S+ made, equal in every byte, 00:00 left\n", output)
    assert project.run("git", "for-each-ref", "refs/exps").stdout == ref

    commit = project.run("git", "rev-parse", "HEAD").stdout.strip()
    [experiment] = read_experiments(refs_of(commit), project.folder)
    md5 = read_outputs(experiment.revision, project.folder)["data/model.safetensors"]
    other = project.folder.parent / "other.lock"
    other.write_text(project.run("git", "show", f"{experiment.revision}:dvc.lock").stdout.replace(md5, "f" * 32))
    blob = project.run("git", "hash-object", "-w", str(other)).stdout.strip()
    index = {"GIT_INDEX_FILE": str(project.folder.parent / "index")}
    project.run("git", "read-tree", experiment.revision, check=True, **index)
    project.run("git", "update-index", "--cacheinfo", f"100644,{blob},dvc.lock", check=True, **index)
    tree = project.run("git", "write-tree", check=True, **index).stdout.strip()
    far = commit_experiment(experiment.trial, tree, "far", None, project.folder)
    project.run("git", "update-ref", ref_of(experiment.trial), far.revision)
    done = project.run(*command, check=False)
    assert done.returncode == 1
    expected = f"failed: data/model.safetensors is not the same on {experiment.machine} as on far, where the trial was "
    assert expected in done.stdout
