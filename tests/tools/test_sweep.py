"""A sweep trains each trial once, to the bytes of `dvc exp run`, whatever is killed on the way."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.project import Project
from tests.sweeps import (
    FOUR,
    ONE,
    RUN,
    SECONDS_TO_WAIT,
    descendants,
    num_epochs_done,
    started,
    trees,
    wait_at_gate,
    workers,
)
from tests.test_crash import wait_for_end
from tests.tools.test_share import small_disk
from tools.sweep import main
from tools.trials.experiment import commit_experiment, read_experiments, read_outputs, ref_of, refs_of


def test_sweep_gives_the_bytes_of_runs_by_hand_trains_nothing_twice_and_more_seeds_give_a_verdict(
    four: Project,
) -> None:
    head = four.run("git", "rev-parse", "HEAD").stdout
    output = four.run(*RUN, *FOUR, "--workers", "2").stdout
    assert output.startswith("sweep: 4 trials, 0 of them are there\n")
    assert len(re.findall(r"^trial \d/4: .*: done: trained on \S+ in \d+ s, [\d:]+ left$", output, flags=re.M)) == 4
    assert output.endswith("sweep: 4 trials are done, 0 failed\n")
    assert len(set(trees(four, "hand"))) == 4
    assert trees(four, "sweep") == trees(four, "hand")
    assert four.run("git", "status", "--porcelain").stdout == ""
    assert four.run("git", "rev-parse", "HEAD", "--symbolic-full-name", "HEAD").stdout == f"{head}refs/heads/main\n"
    assert not (four.folder / "data/raw").exists(), "the workspace was not used"
    names = re.findall(r"sweep-\w{12}", four.run("dvc", "exp", "show", "--csv").stdout)
    assert len(names) == 4

    assert four.run(*RUN, *FOUR).stdout == "sweep: 4 trials, 4 of them are there\nsweep: 4 trials are done, 0 failed\n"
    assert len(re.findall(r"^done ", four.run("python", "-m", "tools.sweep", "status").stdout, flags=re.M)) == 4

    assert four.run(*RUN, *FOUR[:-1], "4").stdout.startswith("sweep: 8 trials, 4 of them are there\n")
    output = four.run("python", "-m", "tools.sweep", "show").stdout
    verdict = "not decided by 4 + 4 seeds"  # All are right everywhere.
    assert re.search(rf"^demo against fast .* {re.escape(verdict)} ", output, flags=re.M)
    assert output.endswith("sweep: sweep.html shows all runs\n")
    assert verdict in (four.folder / "sweep.html").read_text(encoding="utf-8")
    assert four.run("git", "status", "--porcelain").stdout == ""

    four.run("dvc", "exp", "apply", names[0])
    assert four.run("dvc", "status").stdout == "Data and pipelines are up to date.\n"


def test_killed_worker_is_replaced_and_ended_sweep_leaves_no_process_and_each_training_goes_on(four: Project) -> None:
    sweep = partial(started, four.fresh(), *RUN, *ONE, **wait_at_gate(four))
    with sweep() as driver:
        driver.wait_until(lambda: num_epochs_done(four) == [1])
        [victim] = workers(driver.process.pid)
        orphans = descendants(victim)
        assert len(orphans) >= 2, "dvc, and the stage"
        os.kill(victim, signal.SIGKILL)
        for process_id in orphans:
            wait_for_end(process_id, SECONDS_TO_WAIT)
        driver.wait_until(lambda: num_epochs_done(four) == [2])
        left = descendants(driver.process.pid)
        driver.interrupt()
        assert driver.end() == 130
        assert driver.output.splitlines()[1:] == ["sweep: interrupted"]
        for process_id in left:
            wait_for_end(process_id, SECONDS_TO_WAIT)
    status = four.run("python", "-m", "tools.sweep", "status").stdout
    assert re.fullmatch(r"waiting  sweep-\w{12}  demo seed 0\nsweep: none is going on here\n", status)

    with sweep() as driver:
        driver.wait_until(lambda: num_epochs_done(four) == [3])
        left = descendants(driver.process.pid)
        driver.process.kill()
        for process_id in left:
            wait_for_end(process_id, SECONDS_TO_WAIT)
    assert trees(four, "sweep") == []

    output = four.run(*RUN, *ONE).stdout
    assert re.search(r": demo seed 0: done: trained on \S+, [\d:]+ left$", output, flags=re.M), "in no time: it went on"
    [tree] = trees(four, "sweep")
    assert tree in trees(four, "hand")


def test_failed_trials_are_named_with_their_reason_and_the_others_go_on(project: Project) -> None:
    command = [*RUN, "--recipe", "demo", "--seeds", "1", "-S", "data.validation_size=100,600"]
    done = project.run(*command, check=False, PET_NPROC_PER_NODE="2")  # Which trials do not inherit.
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
def test_full_disk_of_a_worker_is_the_reason_and_the_next_sweep_completes(four: Project, tmp_path: Path) -> None:
    command = [*RUN, *ONE, "--folder", str(tmp_path / "disk")]
    (tmp_path / "disk").mkdir()
    used = subprocess.run(["du", "-sk", str(four.folder)], capture_output=True, text=True, check=True).stdout
    small_disk(tmp_path / "disk", f"{used.split()[0]}k")  # What a clone needs, but for what is trained.
    try:
        done = four.run(*command, check=False)
        assert done.returncode == 1
        assert re.search(r"^trial 1/1: demo seed 0: failed: train: data has .* of free space", done.stdout, flags=re.M)
        assert "Traceback" not in done.stdout
        small_disk(tmp_path / "disk", "200m", "remount")
        four.run(*command)
        assert set(trees(four, "sweep")) < set(trees(four, "hand"))
    finally:
        subprocess.run(["umount", str(tmp_path / "disk")], check=True)


def test_packages_that_are_missing_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setattr(sys, "argv", ["sweep", "scheduler", "tls://127.0.0.1:8786"])
    monkeypatch.delitem(sys.modules, "tools.trials.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == "sweep: distributed is not installed: pip install -r requirements/sweep.txt\n"


def test_second_sweep_of_a_project_is_refused(project: Project) -> None:
    path = project.folder / ".dvc/tmp/sweep/lock"
    path.parent.mkdir()
    path.write_text("123\n")
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = project.run(*RUN, "--recipe", "demo", "--seeds", "1", check=False)
    assert (done.returncode, done.stdout) == (1, "sweep: process 123 sweeps here; wait for it, or end it\n")


def test_trial_that_is_run_again_is_a_reproduction_or_an_error_that_names_both_machines_and_what_differs(
    four_by_hand: Project,
) -> None:
    project, command = four_by_hand, [*RUN, *ONE]
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
