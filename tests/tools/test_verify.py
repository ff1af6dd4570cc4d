"""tools.verify and tools.outputs on a tiny project: sound results pass, and every kind of damage is named."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from mnist.paths import checkpoint_path
from tests.project import Project
from tools.store.objects import md5_of_file

CORRUPTED, MISSING, UNCHECKED = 1, 2, 4
SAME_ACCURACIES = 8
SECONDS_TO_END = 30  # The machine may be busy.


def flip_last_byte(path: Path) -> None:
    content, mode = bytearray(path.read_bytes()), path.stat().st_mode
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(mode)


def cached_object(project: Project, path: Path) -> Path:
    """The cache's copy of a file in the workspace."""
    md5 = str(md5_of_file(project.folder / path))
    return project.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def verify(project: Project, *options: str) -> tuple[int, str]:
    done = project.run("python", "-m", "tools.verify", *options, check=False)
    return done.returncode, done.stdout


def relock(project: Project, path: str) -> None:
    """Have dvc.lock record a file as it is."""
    stages = yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"].values()
    [md5] = {out["md5"] for stage in stages for out in stage["outs"] if out["path"] == path}
    project.edit("dvc.lock", md5, str(md5_of_file(project.folder / path)))


def name_another_device(project: Project) -> None:
    project.edit("metrics/environment.json", '"CPU x86_64 AVX2"', '"CPU of another kind"')


def edit_and_name_another_device(project: Project) -> None:
    project.edit("metrics/train.csv", "1,", "1,0")
    name_another_device(project)


def test_commit_is_verified_and_one_that_records_another_result_is_not(project: Project) -> None:
    status, output = verify(project)
    assert status == 0, output
    assert "0 differ" in output
    project.edit("metrics/evaluate.json", '"best_epoch": ', '"best_epoch": 1')
    relock(project, "metrics/evaluate.json")
    project.commit()
    status, output = verify(project)
    assert status == 1
    rows = [line.split()[0] for line in output.splitlines() if line.endswith("NO")]
    assert rows == ["metrics/evaluate.json"]
    assert output.endswith("the training: all 3 epochs are the same\n")


@pytest.mark.parametrize(
    "edit",
    [
        lambda project: project.edit("metrics/train.csv", "1,", "1,0"),
        edit_and_name_another_device,
        lambda project: project.run("git", "rm", "--quiet", "metrics/train.csv"),
    ],
    ids=["edited", "edited, and another device named", "removed"],
)
def test_file_in_git_that_dvc_lock_contradicts_fails_before_anything_is_run(
    project: Project, edit: Callable[[Project], object]
) -> None:
    edit(project)
    project.commit()
    status, output = verify(project)
    assert status == 1
    assert "nothing is run: the commit's own files are not those that its dvc.lock records" in output
    assert "Running stage" not in output
    rows = [line.split()[0] for line in output.splitlines() if line.endswith("NO")]
    assert "metrics/train.csv" in rows


def test_commit_of_another_device_is_compared_by_its_accuracies_and_the_status_says_so(project: Project) -> None:
    name_another_device(project)
    relock(project, "metrics/environment.json")
    project.commit()
    status, output = verify(project)
    assert status == SAME_ACCURACIES, output
    assert "recorded on CPU of another kind, now on CPU x86_64 AVX2: bytes differ by nature" in output
    assert "within 0.003; if they are the same, the exit status is 8" in output
    assert "3 outputs compared, 0 differ" in output


def test_sound_outputs_pass(project: Project) -> None:
    status, output = verify(project, "--outputs")
    assert (status, output.splitlines()[-1].split(", ")[1]) == (0, "0 problems found")


def test_flipped_byte_in_the_cache_is_named(project: Project) -> None:
    path = cached_object(project, checkpoint_path(2))
    flip_last_byte(path)
    status, output = verify(project, "--outputs")
    assert status == CORRUPTED
    assert "corrupted  cache data/checkpoints/epoch_002.safetensors" in output
    assert project.run("dvc", "status").stdout.strip().endswith("up to date."), "DVC does not notice"


@pytest.mark.parametrize(
    ("damage", "status", "named"),
    [
        (lambda p: flip_last_byte(p.folder / "data/model.safetensors"), CORRUPTED, "data/model.safetensors"),
        (lambda p: flip_last_byte(p.folder / "metrics/evaluate.json"), CORRUPTED, "metrics/evaluate.json"),
        (lambda p: (p.folder / "data/predictions.csv").unlink(), MISSING, "data/predictions.csv"),
        (lambda p: cached_object(p, checkpoint_path(1)).unlink(), MISSING, "cache data/checkpoints/epoch_001"),
        (lambda p: (p.folder / "data/raw/more").write_text(""), CORRUPTED, "data/raw/more"),
    ],
)
def test_damage_is_named(project: Project, damage: object, status: int, named: str) -> None:
    assert callable(damage)
    damage(project)
    found, output = verify(project, "--outputs")
    assert found == status, output
    assert named in output


def test_remote_is_read_when_asked(project: Project) -> None:
    remote = project.folder.parent / "remote"
    project.run("dvc", "remote", "add", "--default", "share", str(remote))
    project.run("dvc", "push")
    assert verify(project, "--outputs", "--remote", "share")[0] == 0
    flip_last_byte(max(remote.rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0))
    status, output = verify(project, "--outputs", "--remote", "share")
    assert status == CORRUPTED
    assert "corrupted  remote share metrics/report.html" in output, "the largest file"


def test_unknown_remote_could_not_be_checked(project: Project) -> None:
    project.run("dvc", "remote", "add", "cloud", "gs://bucket/mnist")
    for remote, said in (("nowhere", "remote 'nowhere' doesn't exist"), ("cloud", "remote cloud needs a package")):
        status, output = verify(project, "--outputs", "--remote", remote)
        assert status == UNCHECKED
        assert said in output
        assert "Traceback" not in output


def test_folder_in_the_place_of_a_file_is_named(project: Project) -> None:
    model, raw = project.folder / "data/model.safetensors", project.folder / "data/raw"
    model.unlink()
    model.mkdir()
    shutil.rmtree(raw)
    raw.write_text("")
    status, output = verify(project, "--outputs")
    assert status & CORRUPTED
    assert "corrupted  workspace data/model.safetensors: IsADirectoryError" in output
    assert "corrupted  workspace data/raw/MNIST/raw/t10k-labels-idx1-ubyte: NotADirectoryError" in output
    assert "Traceback" not in output


def test_clone_has_the_same_bytes_whatever_git_is_told_of_line_ends(project: Project) -> None:
    project.run("git", "-c", "core.autocrlf=true", "clone", "--quiet", ".", "../other")
    for name in project.run("git", "ls-files").stdout.splitlines():
        assert (project.folder.parent / "other" / name).read_bytes() == (project.folder / name).read_bytes(), name


def test_table_of_epochs_that_is_none_is_said_in_the_words_of_its_error(project: Project) -> None:
    (project.folder / "metrics/train.csv").write_text("epoch\none\n")
    status, output = verify(project, "--outputs")
    assert status == UNCHECKED
    assert (
        "verify: metrics/train.csv is no table of epochs: `git checkout HEAD metrics/train.csv` restores it" in output
    )


def test_lock_file_that_cannot_be_read_is_named(project: Project) -> None:
    lock = project.folder / "dvc.lock"
    lock.write_text(f"<<<<<<< HEAD\n{lock.read_text()}")
    status, output = verify(project, "--outputs")
    assert status == UNCHECKED
    assert "dvc.lock" in output
    lock.unlink()
    project.commit()
    status, output = verify(project)
    assert status == 1
    assert "verify: dvc.lock is missing: run `dvc repro` and commit what it writes" in output
    assert "Traceback" not in output


def test_in_a_git_hook_the_callers_head_stays_where_it_is(project: Project) -> None:
    flip_last_byte(project.folder / "metrics/evaluate.json")
    project.commit()  # Of which nothing is run.
    git = project.folder / ".git"
    hook = {"GIT_DIR": str(git), "GIT_INDEX_FILE": str(git / "index")}
    done = project.run("python", "-m", "tools.verify", check=False, **hook)
    assert project.run("git", "symbolic-ref", "HEAD").stdout == "refs/heads/main\n"
    assert project.run("git", "status", "--porcelain").stdout == ""
    assert "nothing is run" in done.stdout


def processes_in(folder: Path) -> list[str]:
    """What runs in a folder: the command line of each process."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(process / "cwd").startswith(str(folder)):
                found.append((process / "cmdline").read_text())
    return found


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_verify_that_is_ended_leaves_no_process_and_no_folder(
    project: Project, tmp_path: Path, sent: signal.Signals
) -> None:
    project.set_param("recipes.demo.epochs", 999)
    project.commit()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    verification = subprocess.Popen(
        ["python", "-m", "tools.verify"],
        cwd=project.folder,
        env=project.fresh().environment(TMPDIR=str(temporary)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert verification.stdout is not None
    try:
        while not (line := verification.stdout.readline()).startswith("epoch 2/"):
            assert line
        assert len(processes_in(temporary)) == len(["dvc", "train"])
        verification.send_signal(sent)
        verification.wait(timeout=SECONDS_TO_END)
    finally:
        verification.kill()
        rest = verification.communicate(timeout=SECONDS_TO_END)[0]  # All that write there have ended.
    assert processes_in(temporary) == []
    if sent == signal.SIGKILL:
        assert verification.returncode == -sent
        project.edit("metrics/evaluate.json", '"best_epoch": ', '"best_epoch": 1')
        project.commit()  # Of which nothing is run.
        assert list(temporary.iterdir()) != []
        project.fresh().run("python", "-m", "tools.verify", check=False, TMPDIR=str(temporary))
    else:
        said = "interrupted" if sent == signal.SIGINT else f"ended by {sent.name}"
        assert (verification.returncode, rest.splitlines()[-1]) == (128 + sent, f"verify: {said}")
        assert "Traceback" not in rest
    assert list(temporary.iterdir()) == []
