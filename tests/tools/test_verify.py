"""tools.verify and tools.outputs on a tiny project: sound results pass, and every kind of damage is named."""

import json
import shutil
from pathlib import Path

import pytest

from tests.project import Project
from tools.verify import compare_accuracies

CORRUPTED, MISSING, UNCHECKED = 1, 2, 4


def flip_last_byte(path: Path) -> None:
    content, mode = bytearray(path.read_bytes()), path.stat().st_mode
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(mode)


def cached_object(project: Project, name: str) -> Path:
    """The cache's copy of a file below data/checkpoints."""
    cache = project.folder / ".dvc/cache/files/md5"
    entries = [entry for listing in cache.glob("*/*.dir") for entry in json.loads(listing.read_text())]
    [md5] = [entry["md5"] for entry in entries if entry["relpath"] == name]
    return cache / str(md5[:2]) / str(md5[2:])


def verify(project: Project, *options: str) -> tuple[int, str]:
    done = project.run("python", "-m", "tools.verify", *options, check=False)
    return done.returncode, done.stdout


def test_commit_is_verified_and_an_edited_metric_is_not(project: Project) -> None:
    status, output = verify(project.fresh())
    assert status == 0, output
    assert "0 differ" in output
    metrics = project.folder / "metrics/evaluate.json"
    metrics.write_text(metrics.read_text().replace('"best_epoch": ', '"best_epoch": 1'))
    project.commit()
    status, output = verify(project)
    assert status == 1
    [row] = [line for line in output.splitlines() if line.endswith("NO")]
    assert row.startswith("metrics/evaluate.json in git")


def test_commit_of_another_device_is_compared_by_its_accuracies(project: Project) -> None:
    project.edit("metrics/environment.json", '"CPU x86_64 AVX2"', '"GPU of another kind"')
    project.commit()
    status, output = verify(project)
    assert status == 0, output
    assert "recorded on GPU of another kind, now on CPU x86_64 AVX2: bytes differ by nature" in output
    assert "within 0.003" in output
    assert "3 outputs compared, 0 differ" in output


@pytest.mark.parametrize(
    ("now", "same"), [(0.993, True), (0.99, True), (0.996, True), (0.9899, False), (0.9961, False)]
)
def test_accuracies_may_differ_by_the_tolerance(now: float, same: bool) -> None:
    [row] = compare_accuracies({"test_accuracy": 0.993, "test_errors": 70}, {"test_accuracy": now, "test_errors": 99})
    assert row.same is same


def test_sound_outputs_pass(project: Project) -> None:
    status, output = verify(project, "--outputs")
    assert (status, output.splitlines()[-1].split(", ")[1]) == (0, "0 problems found")


def test_flipped_byte_in_the_cache_is_named(project: Project) -> None:
    path = cached_object(project, "epoch_002.safetensors")
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
        (lambda p: cached_object(p, "epoch_001.safetensors").unlink(), MISSING, "cache data/checkpoints/epoch_001"),
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
