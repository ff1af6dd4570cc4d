"""tools.verify and tools.outputs on a tiny project: sound results pass, and every kind of damage is named."""

import json
from pathlib import Path

import pytest

from tests.project import Project

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
    status, output = verify(project)
    assert status == 0, output
    assert "0 differ" in output
    metrics = project.folder / "metrics/evaluate.json"
    metrics.write_text(metrics.read_text().replace('"best_epoch": ', '"best_epoch": 1'))
    project.commit()
    status, output = verify(project)
    assert status == 1
    [row] = [line for line in output.splitlines() if line.endswith("NO")]
    assert row.startswith("metrics/evaluate.json in git")


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
    status, output = verify(project, "--outputs", "--remote", "nowhere")
    assert status == UNCHECKED
    assert "nowhere" in output
