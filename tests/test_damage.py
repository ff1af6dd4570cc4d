"""What was damaged, or is of no use, is named in one line that says what to do; nothing comes of it."""

import hashlib
import os
import re
from pathlib import Path

import pytest
import torch

from mnist.checkpoint import encode, load
from tests.project import Project

RAW = "data/raw/MNIST/raw"
TEST_LABELS_FILE = f"{RAW}/t10k-labels-idx1-ubyte"


def flip_bit(path: Path) -> None:
    """Change a bit in the middle of a file, and nothing that `ls -l` shows."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def refusal(project: Project, stage: str) -> str:
    """The only line that the stage prints before it fails."""
    before = project.results()
    done = project.run("python", "-m", f"stages.{stage}", check=False)
    assert done.returncode == 1
    assert project.results() == before
    [line] = [line for line in done.stdout.splitlines() if not line.startswith(("starting", "epoch", "checkpoint"))]
    return line


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        ("train", "train-images-idx3-ubyte"),
        ("evaluate", "train-labels-idx1-ubyte"),
        ("evaluate", "t10k-images-idx3-ubyte"),
        ("illustrate", "t10k-labels-idx1-ubyte"),
    ],
)
def test_stage_reads_no_damaged_data(project: Project, stage: str, name: str) -> None:
    flip_bit(project.folder / RAW / name)
    assert refusal(project, stage).startswith(f"{stage}: {RAW}/{name} is damaged: its md5 is ")


@pytest.mark.parametrize(("where", "link"), [("workspace", "copy"), ("cache", "copy"), ("cache", "hardlink")])
def test_data_damaged_after_download_is_not_used_and_the_advice_brings_it_back(
    project: Project, where: str, link: str
) -> None:
    project.run("dvc", "config", "cache.type", link)
    project.run("dvc", "checkout", "--relink")
    project.run("dvc", "status")
    file = project.folder / TEST_LABELS_FILE
    genuine = file.read_bytes()
    md5 = hashlib.md5(genuine, usedforsecurity=False).hexdigest()
    cached = project.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    flip_bit(file if where == "workspace" else cached)
    if where == "cache":
        file.unlink()
        project.run("dvc", "checkout")
    assert file.read_bytes() != genuine
    assert "up to date" in project.run("dvc", "status").stdout, "DVC does not notice"

    project.append("stages/evaluate/statistics.py", "# edited\n")
    output = project.run("dvc", "repro", "evaluate", check=False).stdout
    [line] = [line for line in output.splitlines() if "is damaged" in line]
    assert line.startswith(f"evaluate: {TEST_LABELS_FILE} is damaged: ")
    again, first = re.findall(r"`([^`]+)`", line)
    project.run("sh", "-c", again)
    if link != "copy":
        assert file.read_bytes() != genuine, "DVC's cache has it damaged"
        project.run("sh", "-c", f"{first} && {again}")
        assert cached.read_bytes() == genuine
    assert file.read_bytes() == genuine
    assert project.repro("evaluate") == ["evaluate"]


def test_changed_loss_of_a_kept_epoch_does_not_reach_the_table(project: Project) -> None:
    table = (project.folder / "metrics/train.csv").read_text()
    [manifest] = project.folder.glob("data/.resume/*/manifest.json")
    manifest.write_text(re.sub(r'("epoch": 2, "train_loss": )[0-9.]+', r"\g<1>0.001", manifest.read_text()))
    output = project.run("python", "-m", "stages.train").stdout
    assert "epochs 2 to 3 are dropped" in output
    assert "continuing at epoch 2 of 3" in output
    assert (project.folder / "metrics/train.csv").read_text() == table


def test_training_whose_validation_overflows_alone_records_nothing(project: Project) -> None:
    values = {
        "epochs": 1,
        "schedule": {"name": "constant"},
        "optimizer.weight_decay": 6.4,
        "optimizer.learning_rate": 1.0,
    }
    for key, value in values.items():
        project.set_param(f"recipes.demo.{key}", value)
    assert re.fullmatch(
        r"train: the weights grew beyond all bounds in epoch 1, whose loss is [0-9.e+]+ and on the validation images "
        r"nan: lower optimizer\.learning_rate or optimizer\.weight_decay of the recipe",
        refusal(project, "train"),
    )


def test_checkpoint_of_huge_weights_is_not_evaluated(project: Project) -> None:
    path = project.folder / "data/checkpoints/epoch_002.safetensors"
    network, description = load(path)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1e30)
    content, old = encode(network, description), path.read_bytes()
    path.write_bytes(content)
    project.edit("metrics/train.csv", *(hashlib.sha256(each).hexdigest() for each in (old, content)))
    complaint = "gives a loss of nan, as its weights grew beyond all bounds: lower"
    assert refusal(project, "evaluate").startswith(f"evaluate: data/checkpoints/epoch_002.safetensors {complaint}")
