"""A sweep trains each trial once, to the bytes of `dvc exp run`, whatever is killed on the way."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.project import Once, Project
from tests.test_crash import SECONDS_TO_LEAVE, wait_for_end
from tests.tools.test_share import small_disk
from tools.trials.experiment import commit_experiment, read_experiments, read_outputs, ref_of

RUN = ("python", "-m", "tools.sweep", "run")
SIX = ("--recipe", "demo", "--recipe", "fast", "--seeds", "2", "-S", "recipes.demo.batch_size=16,32")
SETTINGS_OF_SIX = [
    f"recipe={recipe} recipes.{recipe}.seed={seed}{setting}"
    for recipe, settings in {
        "demo": (" recipes.demo.batch_size=16", " recipes.demo.batch_size=32"),
        "fast": ("",),
    }.items()
    for setting in settings
    for seed in (0, 1)
]


def run_by_hand(project: Project, trials: Sequence[str]) -> None:
    """Run trials with `dvc exp run`; their experiments are `hand-0` and so on."""
    for number, overrides in enumerate(trials):
        settings = [part for override in overrides.split() for part in ("-S", override)]
        project.run("git", "checkout", "--quiet", "--force", "main")
        project.run("dvc", "exp", "run", "-n", f"hand-{number}", *settings)
    project.run("git", "checkout", "--quiet", "--force", "main")
    project.run("git", "clean", "-dffq")


def forget(project: Project) -> Project:
    """Leave git as it is, and nothing of what was run."""
    project.run("git", "clean", "-dffqx")
    return project


@pytest.fixture
def six(once: Once, tmp_path: Path) -> Project:
    """A project in which six trials were run by hand, and only git knows of them."""
    return forget(once("six", lambda project: run_by_hand(project, SETTINGS_OF_SIX)).copy(tmp_path / "copy"))


def run_slow_by_hand(project: Project) -> None:
    """Run two trials whose training takes seconds."""
    project.set_param("recipes.demo.epochs", 40)
    project.commit()
    run_by_hand(project, [f"recipe=demo recipes.demo.seed={seed}" for seed in (0, 1)])


@pytest.fixture
def slow(once: Once, tmp_path: Path) -> Project:
    """A project in which that was done, and only git knows of it."""
    return forget(once("slow", run_slow_by_hand).copy(tmp_path / "copy"))


def trees(project: Project, prefix: str) -> list[str]:
    """The trees of all experiments with such a name, sorted."""
    refs = project.run("git", "for-each-ref", "--format=%(refname) %(tree)", "refs/exps").stdout
    return sorted(re.findall(rf"/{prefix}-\w+ (\w+)$", refs, flags=re.MULTILINE))


def test_sweep_gives_the_bytes_of_runs_by_hand_and_trains_nothing_twice(six: Project) -> None:
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

    start = time.monotonic()
    assert six.run(*RUN, *SIX).stdout == "sweep: 6 trials, 6 of them are there\nsweep: 6 trials are done, 0 failed\n"
    assert time.monotonic() - start < 10
    assert len(re.findall(r"^done ", six.run("python", "-m", "tools.sweep", "status").stdout, flags=re.M)) == 6
    six.run("dvc", "exp", "apply", names[0])
    assert six.run("dvc", "status").stdout == "Data and pipelines are up to date.\n"


def children(process_id: int) -> list[int]:
    """The processes that a process started, with all of its threads."""
    lists = [path.read_text() for path in Path(f"/proc/{process_id}/task").glob("*/children")]
    return [int(child) for text in lists for child in text.split()]


def descendants(process_id: int) -> list[int]:
    return [found for child in children(process_id) for found in (child, *descendants(child))]


def workers(driver: int) -> list[int]:
    """The processes that run trials, those that are in one."""
    return [child for child in children(driver) if children(child)]


def num_epochs_done(project: Project) -> list[int]:
    """How many epochs each training has finished in the workers' clones."""
    manifests = project.folder.glob(".dvc/tmp/sweep/clones/*/data/.resume/*/manifest.json")
    return [len(manifest.read_text().splitlines()) for manifest in manifests]


@contextmanager
def sweep_in_training(project: Project) -> Iterator[subprocess.Popen[str]]:
    """A sweep of two trials in a session of its own, when both have finished some epochs."""
    process = subprocess.Popen(
        [*RUN, "--recipe", "demo", "--seeds", "2", "--workers", "2"],
        cwd=project.folder,
        env=project.fresh().environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    start = time.monotonic()
    try:
        while not (len(done := num_epochs_done(project)) == 2 and min(done) >= 3):
            assert process.poll() is None
            assert time.monotonic() - start < 120
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_trial_of_a_killed_worker_goes_on_at_its_last_epoch(slow: Project) -> None:
    with sweep_in_training(slow) as driver:
        victim = workers(driver.pid)[0]
        orphans = descendants(victim)
        assert len(orphans) >= 2, "dvc, and the stage"
        os.kill(victim, signal.SIGKILL)
        for process_id in orphans:
            wait_for_end(process_id)
        output, _ = driver.communicate(timeout=200)
    assert driver.returncode == 0, output
    assert trees(slow, "sweep") == trees(slow, "hand")
    ends = sorted(re.findall(r"^trial .*: done: trained on \S+?( in \d+ s)?, [\d:]+ left$", output, flags=re.M))
    assert [bool(seconds) for seconds in ends] == [False, True], "the time of a training is known if it ran in one go"


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_ended_sweep_leaves_no_process_and_the_next_one_completes_it(slow: Project, sent: signal.Signals) -> None:
    with sweep_in_training(slow) as driver:
        started = descendants(driver.pid)
        num_done = sum(num_epochs_done(slow))
        if sent is signal.SIGINT:
            os.killpg(driver.pid, sent)  # As a terminal does.
            output, _ = driver.communicate(timeout=SECONDS_TO_LEAVE)
            assert driver.returncode == 130
            assert output.splitlines()[1:] == ["sweep: interrupted"]
        else:
            driver.kill()
        for process_id in started:
            wait_for_end(process_id)
    assert trees(slow, "sweep") == []
    assert sum(num_epochs_done(slow)) < 2 * 40
    status = slow.run("python", "-m", "tools.sweep", "status").stdout
    assert re.fullmatch(r"(waiting  sweep-\w{12}  demo seed \d\n){2}sweep: none is going on here\n", status)
    output = slow.run(*RUN, "--recipe", "demo", "--seeds", "2", "--workers", "2").stdout
    assert len(re.findall(r"^trial .*: done: trained on \S+, [\d:]+ left$", output, flags=re.M)) == 2, "both went on"
    assert trees(slow, "sweep") == trees(slow, "hand")
    assert num_done > 0


def test_failed_trials_are_named_with_their_reason_and_the_others_go_on(project: Project) -> None:
    command = [*RUN, "--recipe", "demo", "--seeds", "2", "-S", "data.validation_size=100,600"]
    done = project.run(*command, check=False)
    assert done.returncode == 1
    reason = "train: params.yaml: data.validation_size is 600; expected 0 to 599, as there are 600 training images"
    failed = [f"demo seed {seed} data.validation_size=600: failed: {reason}, " for seed in (0, 1)]
    assert all(text in done.stdout for text in failed)
    assert done.stdout.endswith("sweep: 2 trials are done, 2 failed\n")
    assert "Traceback" not in done.stdout
    assert len(trees(project, "sweep")) == 2
    status = project.run("python", "-m", "tools.sweep", "status", check=False)
    assert status.returncode == 1
    assert f"  demo seed 0 data.validation_size=600: {reason}\n" in status.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
def test_full_disk_of_a_worker_is_the_reason_and_the_next_sweep_completes(slow: Project, tmp_path: Path) -> None:
    command = [*RUN, "--recipe", "demo", "--seeds", "1", "--folder", str(tmp_path / "disk")]
    (tmp_path / "disk").mkdir()
    small_disk(tmp_path / "disk", "6m")
    try:
        done = slow.run(*command, check=False)
        assert done.returncode == 1
        assert re.search(r"^trial 1/1: demo seed 0: failed: train: data has .* of free space", done.stdout, flags=re.M)
        assert "Traceback" not in done.stdout
        small_disk(tmp_path / "disk", "200m", "remount")
        slow.run(*command)
        assert set(trees(slow, "sweep")) < set(trees(slow, "hand"))
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


def test_trial_whose_outputs_are_lost_is_trained_again_and_said_to_be_reproduced(project: Project) -> None:
    command = [*RUN, "--recipe", "demo", "--seeds", "1"]
    assert "demo seed 0: done: nothing was left to train, " in project.run(*command).stdout
    ref = project.run("git", "for-each-ref", "refs/exps").stdout
    shutil.rmtree(project.folder / ".dvc/cache")
    output = project.run(*command).stdout
    assert output.startswith("sweep: 1 trials, 0 of them are there\n")
    assert re.search(r"done: trained on .*; a reproduction of what \S+ made, equal in every byte, 00:00 left\n", output)
    assert project.run("git", "for-each-ref", "refs/exps").stdout == ref


def test_trial_with_two_results_is_an_error_that_names_both_machines_and_what_differs(project: Project) -> None:
    command = [*RUN, "--recipe", "demo", "--seeds", "1"]
    project.run(*command)
    [experiment] = read_experiments("refs/exps", project.folder)
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
