"""Whatever happens on the way, the bytes are those of an undisturbed run."""

import fcntl
import itertools
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests import ROOT
from tests.project import NUM_EPOCHS, Once, Project

NUM_LONG_EPOCHS = 40
WRITES_OF_A_FILE = 3  # open, fsync, rename
WRITES_OF_AN_EPOCH = 3 * WRITES_OF_A_FILE  # checkpoint, optimizer, manifest
SECONDS_TO_LEAVE = 5
TRAINING_LABELS_FILE = "data/raw/MNIST/raw/train-labels-idx1-ubyte"


def trained(project: Project) -> dict[str, str]:
    """The results of train and evaluate, which the tests here run, by path."""
    return {path: sha256 for path, sha256 in project.results().items() if not path.endswith((".png", ".html"))}


def forget_training(project: Project) -> None:
    """Bring the project to where nothing was ever trained, with the data in place."""
    for folder in ("data/.resume", "data/checkpoints", "data/optimizer", ".dvc/cache"):
        shutil.rmtree(project.folder / folder, ignore_errors=True)
    for path in project.folder.glob("metrics/*"):
        path.unlink()


@pytest.fixture(scope="module")
def long_template(once: Once) -> Project:
    """A project whose training takes some seconds, trained."""

    def make(project: Project) -> None:
        project.set_param("recipes.demo.epochs", NUM_LONG_EPOCHS)
        project.repro("evaluate")

    return once("long", make)


@pytest.fixture
def long_project(long_template: Project, tmp_path: Path) -> Project:
    """The same project with its training forgotten."""
    project = long_template.copy(tmp_path / "long")
    forget_training(project)
    return project


@contextmanager
def repro_at_epoch(
    project: Project, epoch: int, command: Sequence[str] = ("repro",), **variables: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`dvc repro` in a process group of its own, and the training's process id, once it has finished that epoch."""
    process = subprocess.Popen(
        ["dvc", *command, "evaluate"],
        cwd=project.folder,
        env=project.environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith(f"epoch {epoch}/"):
                break
        else:
            pytest.fail(f"the run ended before epoch {epoch} did")
        holder = int((project.folder / "data/.locks/train").read_text())
        yield process, holder
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for_torch_to_load(parent_id: int) -> int:
    """Return the id of the child that has begun to load torch, which takes seconds."""
    start = time.monotonic()
    while time.monotonic() - start < 60:
        for child in Path(f"/proc/{parent_id}/task/{parent_id}/children").read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):  # It may be the stage before, that just ended.
                if "/libtorch" in Path(f"/proc/{child}/maps").read_text():
                    return int(child)
        time.sleep(0.005)
    pytest.fail("no stage began to load torch")


def wait_for_end(process_id: int, seconds: float = SECONDS_TO_LEAVE) -> None:
    """Return when the process is gone; fail if that takes too long."""
    start = time.monotonic()
    while is_running(process_id):
        assert time.monotonic() - start < seconds, f"process {process_id} is still there"
        time.sleep(0.02)


def is_running(process_id: int) -> bool:
    """Whether the process is there, and no zombie."""
    try:
        return "State:\tZ" not in Path(f"/proc/{process_id}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_training_killed_at_every_write_of_an_epoch_gives_the_same_bytes(
    trained_template: Project, project: Project
) -> None:
    forget_training(project)
    hooks = {"PYTHONPATH": str(ROOT / "tests/hooks")}
    # Each start is numbered by the write that kills it, and by the epoch at which it must begin: first at the writes of
    # the inputs' file, then once behind the first epoch, then at those of the second.
    kills = [(number, 1) for number in [*range(1, WRITES_OF_A_FILE + 1), WRITES_OF_A_FILE + WRITES_OF_AN_EPOCH + 1]]
    kills += [(number, 2) for number in range(1, WRITES_OF_AN_EPOCH + 1)]
    # Behind an epoch its row is shown in metrics/train.csv.
    kills += [(WRITES_OF_AN_EPOCH + 1, 2), (WRITES_OF_AN_EPOCH + 2, 3)]
    for number, epoch in kills:
        done = project.run("python", "-m", "stages.train", check=False, KILL_AT=str(number), **hooks)
        assert done.returncode == -signal.SIGKILL
        if number > WRITES_OF_A_FILE:
            start = "starting" if epoch == 1 else "continuing"
            assert f"{start} at epoch {epoch} of {NUM_EPOCHS}" in done.stdout, "only the epoch in flight is lost"
    assert "train" in project.repro("evaluate")
    assert trained(project) == trained(trained_template)


def test_training_killed_at_every_write_of_its_outputs_gives_the_same_bytes(
    trained_template: Project, project: Project
) -> None:
    hooks = {"PYTHONPATH": str(ROOT / "tests/hooks")}
    for number in itertools.count(1):
        done = project.run("python", "-m", "stages.train", check=False, KILL_AT=str(number), **hooks)
        assert "all 3 epochs are there" in done.stdout
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    assert number > 2 * (NUM_EPOCHS + 2) * WRITES_OF_A_FILE
    assert [*project.folder.glob("data/.checkpoints-*"), *project.folder.glob("data/.optimizer-*")] == []
    assert project.run("git", "status", "--porcelain").stdout == ""
    assert trained(project) == trained(trained_template)


@pytest.mark.parametrize(
    ("victim", "command", "epochs"),
    [("training", ["repro"], [5, 20]), ("dvc", ["repro"], [5]), ("training", ["exp", "run"], [20])],
)
def test_killed_run_records_nothing_leaves_no_process_and_goes_on(
    long_template: Project, long_project: Project, victim: str, command: list[str], epochs: list[int]
) -> None:
    before = (long_project.folder / "dvc.lock").read_text()
    moments = random.Random(0)
    for epoch in epochs:
        with repro_at_epoch(long_project.fresh(), epoch, command) as (dvc, training):
            time.sleep(moments.uniform(0, 0.3))
            os.kill(training if victim == "training" else dvc.pid, signal.SIGKILL)
            assert dvc.wait(timeout=60) != 0
            wait_for_end(training)
        # The table of epochs grows while they are trained.
        table = (long_project.folder / "metrics/train.csv").read_text()
        assert len(table.splitlines()) > epoch
        assert (long_template.folder / "metrics/train.csv").read_text().startswith(table)
        assert (long_project.folder / "dvc.lock").read_text() == before
    output = long_project.run("dvc", *command, "evaluate").stdout
    assert "continuing at epoch" in output
    assert trained(long_project) == trained(long_template)


def test_stage_that_still_loads_torch_ends_with_dvc(long_project: Project) -> None:
    lock = long_project.folder / "data/.locks/train"
    lock.unlink()
    environment = long_project.fresh().environment()
    dvc = subprocess.Popen(["dvc", "repro", "train"], cwd=long_project.folder, env=environment)
    try:
        training = wait_for_torch_to_load(dvc.pid)
    finally:
        dvc.kill()
        dvc.wait()
    wait_for_end(training)
    assert not lock.exists(), "it had not come to its work"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_leaves_at_once_without_a_traceback(
    long_template: Project, long_project: Project, sent: signal.Signals
) -> None:
    with repro_at_epoch(long_project.fresh(), epoch=7) as (dvc, training):
        os.killpg(dvc.pid, sent)
        wait_for_end(training)
        output, _ = dvc.communicate(timeout=60)
    assert dvc.returncode != 0
    assert "train: interrupted" in output
    assert "Traceback" not in output
    assert "continuing at epoch" in long_project.run("dvc", "repro", "evaluate").stdout
    assert trained(long_project) == trained(long_template)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda project: project.append("stages/train/schedule.py", "# edited\n"), "stages/train/schedule.py"),
        (lambda project: project.append(TRAINING_LABELS_FILE, "\n"), TRAINING_LABELS_FILE),
        (lambda project: project.set_param("recipes.demo.batch_size", 16), "params.yaml: recipes.demo"),
        (lambda project: project.edit("pyproject.toml", "numpy==", "numpy==9"), "pins numpy==9"),
    ],
    ids=["code", "data", "parameter", "pinned version"],
)
def test_input_that_changes_during_the_run_is_named_and_nothing_is_recorded(
    long_project: Project, change: Callable[[Project], None], named: str
) -> None:
    lock = (long_project.folder / "dvc.lock").read_text()
    with repro_at_epoch(long_project, epoch=7) as (dvc, _):
        change(long_project)
        output, _ = dvc.communicate(timeout=120)
    assert dvc.returncode != 0
    assert named in output
    assert "changed while the stage was running" in output or "run `make install`" in output
    assert not (long_project.folder / "data/checkpoints").exists()
    assert (long_project.folder / "dvc.lock").read_text() == lock


def test_longer_training_continues_and_shorter_one_trains_nothing(project: Project, tmp_path: Path) -> None:
    before = trained(project)
    project.set_param("recipes.demo.epochs", NUM_EPOCHS + 2)
    scratch = project.copy(tmp_path / "scratch")
    forget_training(scratch)
    assert "continuing at epoch 4 of 5" in project.run("dvc", "repro", "evaluate").stdout
    assert "starting at epoch 1 of 5: nothing was trained here before" in scratch.run("dvc", "repro", "evaluate").stdout
    assert trained(project) == trained(scratch)
    project.set_param("recipes.demo.epochs", NUM_EPOCHS)
    assert (
        "all 3 epochs are there, nothing to train" in project.run("dvc", "repro", "--no-run-cache", "evaluate").stdout
    )
    assert trained(project) == before


def test_training_that_starts_anew_says_why(project: Project) -> None:
    project.append("stages/train/schedule.py", "# edited\n")
    output = project.run("python", "-m", "stages.train").stdout
    assert "starting at epoch 1 of 3: changed since the nearest earlier training: stages/train/schedule.py" in output


def test_damaged_epoch_is_dropped_aloud_and_trained_again(project: Project, trained_template: Project) -> None:
    [path] = project.folder.glob("data/.resume/*/epoch_002.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    output = project.run("python", "-m", "stages.train").stdout
    assert "epochs 2 to 3 are dropped" in output
    assert "continuing at epoch 2 of 3" in output
    assert trained(project) == trained(trained_template)


def test_second_writer_is_refused_and_told_who_is_first(project: Project) -> None:
    with (project.folder / "data/.locks/train").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        holder = file.read().strip()
        done = project.run("dvc", "repro", "--force", "evaluate", check=False)
    assert done.returncode != 0
    assert f"train: process {holder} is running this stage here" in done.stdout
    assert "Traceback" not in done.stdout


def test_file_that_cannot_be_written_is_said_without_a_traceback(project: Project) -> None:
    shutil.rmtree(project.folder / "data/.resume")
    (project.folder / "data/.resume").write_text("")
    done = project.run("python", "-m", "stages.train", check=False)
    assert done.returncode == 1
    assert "train: [Errno" in done.stdout
    assert "data/.resume" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.skipif(shutil.which("taskset") is None, reason="needs taskset: install util-linux")
def test_cores_thread_limits_home_umask_locale_and_folder_do_not_change_the_bytes(
    project: Project, tmp_path: Path
) -> None:
    project.set_param("recipes.demo.threads", 4)
    results = []
    all_cores = list(map(str, sorted(os.sched_getaffinity(0))))
    batch_system = {
        "OMP_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",
        "OMP_DYNAMIC": "true",
        "OMP_MAX_ACTIVE_LEVELS": "0",
        "LC_ALL": "C",
    }
    variables: dict[str, str]
    for number, (cores, variables) in enumerate([(all_cores[0], {}), (",".join(all_cores), batch_system)]):
        other = project.copy(tmp_path / f"folder{number}").fresh()
        forget_training(other)
        home, umask = tmp_path / f"home{number}", "077" if number else "022"
        if not number:
            home.mkdir()
        command = f"umask {umask} && exec taskset --cpu-list {cores} dvc repro"
        other.run("sh", "-c", command, check=True, HOME=str(home), **variables)
        results.append(other.results())
    assert results[0] != project.results()
    assert results[0] == results[1]
