"""The history of a training: what is whole counts, what is not is dropped, and it does not grow without bound."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist.trained import EpochRecord
from stages.train.history import History

INPUTS: dict[str, Any] = {"recipes.demo.batch_size": 128, "stages/train/step.py": "a1"}
DEEP = pytest.param(b"[" * 100_000, id="deep")  # More than Python's JSON can take.


def append(history: History, epoch: int) -> None:
    checkpoint, optimizer = f"checkpoint {epoch}".encode(), f"optimizer {epoch}".encode()
    record = EpochRecord(
        epoch=epoch,
        train_loss=0.1 + 0.2,
        validation_loss=float("inf"),
        validation_accuracy=1 / 3,
        checkpoint_sha256=hashlib.sha256(checkpoint).hexdigest(),
        optimizer_sha256=hashlib.sha256(optimizer).hexdigest(),
    )
    history.append(record, checkpoint, optimizer)


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


@pytest.mark.parametrize("name", ["epoch_002.safetensors", "optimizer_002.safetensors"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damaged_epoch_and_those_behind_it_are_dropped(root: Path, name: str, damage: str) -> None:
    damage_file(only(root, name), damage)
    history = History(INPUTS, root)
    assert [record.epoch for record in history.records] == [1]
    assert history.dropped == [2, 3]
    append(history, 2)
    assert [record.epoch for record in History(INPUTS, root).records] == [1, 2]


def test_training_goes_on_behind_any_epoch_and_a_new_one_replaces_those_behind_it(root: Path) -> None:
    history = History(INPUTS, root)
    assert [history.resumable(num_epochs) for num_epochs in (1, 2, 3, 4)] == [1, 2, 3, 3]
    append(history, 2)
    assert [record.epoch for record in History(INPUTS, root).records] == [1, 2]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"epoch": 1}', "\0\0\0"])
def test_unreadable_manifest_means_that_nothing_is_there(root: Path, content: str) -> None:
    only(root, "manifest.json").write_text(content)
    assert History(INPUTS, root).records == []


def alter_second_record(root: Path, name: str, value: object, is_hashed_anew: bool = False) -> None:
    path = only(root, "manifest.json")
    first, second, third = path.read_bytes().splitlines()
    values = json.loads(second) | {name: value}
    if is_hashed_anew:
        del values["sha256"]
        values["sha256"] = hashlib.sha256(json.dumps(values).encode()).hexdigest()
    path.write_bytes(b"\n".join([first, json.dumps(values).encode(), third]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("train_loss", 0.25),
        ("train_loss", None),
        ("train_loss", True),
        ("train_loss", []),
        ("validation_accuracy", 1.0),
        ("optimizer_sha256", "0" * 64),
        ("sha256", "0" * 64),
        ("more", 1),
    ],
)
def test_altered_record_is_dropped_with_those_behind_it(root: Path, name: str, value: object) -> None:
    alter_second_record(root, name, value)
    history = History(INPUTS, root)
    assert [record.epoch for record in history.records] == [1]
    assert history.dropped == [2, 3]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epoch", "2"),
        ("epoch", 2.0),
        ("epoch", 10**99),
        ("train_loss", None),
        ("train_loss", True),
        ("train_loss", []),
        ("validation_accuracy", "1"),
        ("checkpoint_sha256", 1),
        ("optimizer_sha256", None),
        ("more", 1),
    ],
)
def test_record_of_wrong_types_is_dropped_even_if_its_own_sha256_is_right(root: Path, name: str, value: object) -> None:
    alter_second_record(root, name, value, is_hashed_anew=True)
    assert [record.epoch for record in History(INPUTS, root).records] == [1]


@pytest.mark.parametrize("name", ["manifest.json", "inputs.json", "epoch_001.safetensors"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_drops_the_epochs_and_gives_way_to_new_ones(
    root: Path, name: str, make: Callable[[Path], None]
) -> None:
    path = only(root, name)
    path.unlink()
    make(path)
    history = History(INPUTS, root)
    assert (history.records, history.dropped) == ([], [1, 2, 3])
    assert history.origin == (
        f"{path} is damaged" if name == "inputs.json" else "the inputs are those of an earlier run"
    )
    append(history, 1)
    assert [record.epoch for record in History(INPUTS, root).records] == [1]


def test_folder_that_gives_way_keeps_what_is_in_it(root: Path) -> None:
    path = only(root, "manifest.json")
    path.unlink()
    path.mkdir()
    (path / "mine").touch()
    append(History(INPUTS, root), 1)
    assert path.is_file()
    assert len(list(root.rglob("mine"))) == 1


def test_manifest_larger_than_any_training_has_is_not_read(root: Path) -> None:
    path = only(root, "manifest.json")
    with path.open("r+b") as file:
        file.truncate(100_000_000_000)
    assert History(INPUTS, root).dropped == [1, 2, 3]


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"epoch": 2}', b"\0\0\0", b"\xff", DEEP])
def test_unreadable_line_of_the_manifest_drops_the_epochs_from_there_on(root: Path, line: bytes) -> None:
    path = only(root, "manifest.json")
    first, _, *rest = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([first, line, *rest]))
    history = History(INPUTS, root)
    assert [record.epoch for record in history.records] == [1]
    assert history.dropped == [epoch + 2 for epoch in range(1 + len(rest))]


@pytest.mark.parametrize("content", [b"\0", b"\xff", DEEP, b"[]", b'[["seed", 1]]', b"1", None])
def test_unreadable_inputs_of_another_training_are_said_and_do_no_harm(root: Path, content: bytes | None) -> None:
    path = only(root, "inputs.json")
    path.unlink()
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content)
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


def test_what_no_training_made_is_neither_counted_nor_removed(root: Path, tmp_path: Path) -> None:
    elsewhere, name = tmp_path / "elsewhere", "0" * 32
    for folder in (elsewhere, root / "photos", root / ("1" * 32)):
        folder.mkdir()
        (folder / "large").write_bytes(bytes(1 << 20))
    (elsewhere / "inputs.json").touch()
    (root / "photos/inputs.json").touch()
    (root / name).symlink_to(elsewhere, target_is_directory=True)
    (root / "file").touch()
    current = History(INPUTS | {"seed": 1}, root)
    append(current, 1)
    current.remove_old(1 << 20)
    assert len(History(INPUTS, root).records) == 3, "the trainings fit"
    current.remove_old(0)
    assert len(list(root.glob("*/manifest.json"))) == 1, "the other training goes"
    assert len(list(tmp_path.rglob("large"))) == 3
    assert (root / name).is_symlink()
    assert (root / "file").exists()


def test_nothing_is_removed_through_a_link_to_elsewhere(root: Path) -> None:
    elsewhere = root.rename(root.with_name("elsewhere"))
    root.symlink_to(elsewhere, target_is_directory=True)
    current = History(INPUTS | {"seed": 1}, root)
    current.remove_old(0)
    assert len(History(INPUTS, root).records) == 3
