"""The history of a training: what is whole counts, what is not is dropped, and it does not grow without bound."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from mnist.trained import EpochRecord
from stages.train.history import History

INPUTS: dict[str, Any] = {"recipes.demo.batch_size": 128, "stages/train/step.py": "a1"}


def append(history: History, epoch: int, with_optimizer: bool = True) -> None:
    checkpoint, optimizer = f"checkpoint {epoch}".encode(), f"optimizer {epoch}".encode()
    record = EpochRecord(
        epoch=epoch,
        train_loss=0.1 + 0.2,
        validation_loss=float("inf"),
        validation_accuracy=1 / 3,
        checkpoint_sha256=hashlib.sha256(checkpoint).hexdigest(),
        optimizer_sha256=hashlib.sha256(optimizer).hexdigest() if with_optimizer else None,
    )
    history.append(record, checkpoint, optimizer if with_optimizer else None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that holds a history of three epochs."""
    history = History(INPUTS, tmp_path / "resume")
    for epoch in (1, 2, 3):
        append(history, epoch)
    return tmp_path / "resume"


def only(root: Path, name: str) -> Path:
    [path] = root.glob(f"*/{name}")
    return path


def test_epochs_are_found_again_exactly(root: Path) -> None:
    history = History(INPUTS, root)
    assert [record.epoch for record in history.records] == [1, 2, 3]
    assert (history.records[0].train_loss, history.records[0].validation_accuracy) == (0.1 + 0.2, 1 / 3)
    assert (history.checkpoint(2), history.optimizer_state(3)) == (b"checkpoint 2", b"optimizer 3")
    assert history.dropped == []


def damage_file(path: Path, damage: str) -> None:
    content = path.read_bytes()
    path.unlink()
    if damage != "remove":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1] if damage == "flip" else []))


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damaged_epoch_and_those_behind_it_are_dropped(root: Path, damage: str) -> None:
    damage_file(only(root, "epoch_002.safetensors"), damage)
    history = History(INPUTS, root)
    assert [record.epoch for record in history.records] == [1]
    assert history.dropped == [2, 3]
    append(history, 2)
    assert [record.epoch for record in History(INPUTS, root).records] == [1, 2]


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_training_goes_on_behind_the_last_whole_optimizer_state(root: Path, damage: str) -> None:
    damage_file(only(root, "optimizer_002.safetensors"), damage)
    history = History(INPUTS, root)
    assert len(history.records) == 3
    assert [history.resumable(num_epochs) for num_epochs in (1, 2, 3, 4)] == [1, 1, 3, 3]


def test_states_of_earlier_epochs_may_be_absent(tmp_path: Path) -> None:
    elsewhere = History(INPUTS, tmp_path)
    for epoch in (1, 2, 3):
        append(elsewhere, epoch, with_optimizer=epoch == 3)
    history = History(INPUTS, tmp_path)
    assert [history.resumable(num_epochs) for num_epochs in (2, 3, 4)] == [0, 3, 3]
    append(history, 1)
    assert [record.epoch for record in History(INPUTS, tmp_path).records] == [1], "a new epoch replaces those behind it"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"epoch": 1}', "\0\0\0"])
def test_unreadable_manifest_means_that_nothing_is_there(root: Path, content: str) -> None:
    only(root, "manifest.json").write_text(content)
    assert History(INPUTS, root).records == []


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"epoch": 2}', b"\0\0\0", b"\xff"])
def test_unreadable_line_of_the_manifest_drops_the_epochs_from_there_on(root: Path, line: bytes) -> None:
    path = only(root, "manifest.json")
    first, _, *rest = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([first, line, *rest]))
    history = History(INPUTS, root)
    assert [record.epoch for record in history.records] == [1]
    assert history.dropped == [epoch + 2 for epoch in range(1 + len(rest))]


def test_unreadable_inputs_of_another_training_are_said_and_do_no_harm(root: Path) -> None:
    only(root, "inputs.json").write_bytes(b"\0")
    assert "inputs.json cannot be read" in History(INPUTS | {"more": 1}, root).origin


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"stages/train/step.py": "b2"}, "changed since the nearest earlier training: stages/train/step.py"),
        ({"torch": "2.14.1"}, "changed since the nearest earlier training: torch"),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, "changed since the nearest earlier training: a, b, c and 1 more"),
    ],
)
def test_other_inputs_start_anew_and_say_what_changed(root: Path, changes: dict[str, Any], expected: str) -> None:
    history = History(INPUTS | changes, root)
    assert history.records == []
    assert history.origin == expected


def test_change_is_named_against_the_most_similar_training_whatever_its_recipe_is_called(root: Path) -> None:
    before = INPUTS | {"recipe": "demo", "recipes.demo.epochs": 1, "torch": "2"}
    other = {"recipe": "notes", "recipes.notes.epochs": 9, "recipes.notes.batch_size": 32, "torch": "1"}
    for inputs in (before, other):
        append(History(inputs, root), 1)
    mine = {name.replace("demo", "mine"): value for name, value in before.items()}
    changed = mine | {"recipe": "mine", "recipes.mine.epochs": 2}
    assert History(changed, root).origin == "changed since the nearest earlier training: recipe, recipes.mine.epochs"


def test_longest_unused_histories_are_removed_first_and_never_the_current_one(root: Path) -> None:
    oldest, current = only(root, "manifest.json").parent, History(INPUTS | {"seed": 1}, root)
    append(current, 1)
    newer = History(INPUTS | {"seed": 2}, root)
    append(newer, 1)
    for path in oldest.iterdir():
        os.utime(path, (1, 1))
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    current.remove_old(size)
    assert oldest.exists(), "it fits"
    current.remove_old(size - 1)
    assert not oldest.exists()
    assert len(History(INPUTS | {"seed": 2}, root).records) == 1
    current.remove_old(0)
    assert len(current.records) == len(History(INPUTS | {"seed": 1}, root).records) == 1
    assert len(list(root.iterdir())) == 1
