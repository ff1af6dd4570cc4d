"""A dvc.lock is whole, or refused: DVC, killed while it writes, leaves any first part of it."""

from pathlib import Path

import pytest

from tests import ROOT
from tools.store.lock import UnreadableLock, parse_lock, read_lock

TEXT = (ROOT / "dvc.lock").read_text()


def test_lock_that_was_cut_anywhere_is_refused_or_has_whole_stages() -> None:
    stages = parse_lock(TEXT)
    line_ends = [number for number, character in enumerate(TEXT, start=1) if character == "\n"]
    num_parsed = 0
    for size in (*line_ends[::3], *range(0, len(TEXT), 499)):
        try:
            part = parse_lock(TEXT[:size])
        except UnreadableLock:
            continue
        num_parsed += 1
        for name, stage in part.items():
            outs = stages[name]["outs"]
            assert stage == stages[name] | {"outs": [*outs[: len(stage["outs"]) - 1], stage["outs"][-1]]}
            assert stage["outs"][-1].items() <= outs[len(stage["outs"]) - 1].items()
    assert num_parsed > len(stages)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty, or was cut short"),
        ("stages: {}", "it is empty, or was cut short"),
        ("<<<<<<< HEAD\n", "it has a merge conflict"),
        ("[\n", "ParserError"),
        pytest.param("[" * 9999 + "\n", "(Parser|Recursion)Error", id="deep"),
        ("1\n", "a stage in it is not whole"),
        ("stages: 1\n", "a stage in it is not whole"),
        ("stages: {a: {cmd: x}}\n", "a stage in it is not whole"),
        ("stages: {a: {outs: [{path: x, md5: 0}]}}\n", "a stage in it is not whole"),
        ("stages: {a: {outs: [{path: x, md5: '12'}]}}\n", "a stage in it is not whole"),
    ],
)
def test_what_is_no_lock_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UnreadableLock, match=rf"dvc.lock cannot be read \({reason}.*: `make doctor` says what to do"):
        parse_lock(text)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_bytes(b"\xff\0\n")
    with pytest.raises(UnreadableLock):
        read_lock(tmp_path)
