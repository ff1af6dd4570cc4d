"""A data set's file is read only if its md5 is the known one; it is said which is not, and what to do."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist.checksums import CHECKSUMS, format_checksums, md5_of, read_checksums, read_genuine
from pipeline.errors import UserError

NAME = Path("MNIST/raw/labels")
CONTENT = b"the content"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder like data/raw with one file, and checksums.txt beside it."""
    raw = tmp_path / "raw"
    (raw / NAME).parent.mkdir(parents=True)
    (raw / NAME).write_bytes(CONTENT)
    (tmp_path / CHECKSUMS).write_bytes(format_checksums({NAME: CONTENT}))
    return raw


def refusal(raw: Path, name: Path = NAME) -> str:
    with pytest.raises(UserError) as raised:
        read_genuine(raw, name)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_checksums_are_those_of_md5sum(tmp_path: Path) -> None:
    text = f"\n7ac66c0f148de9519b8bd264312c4d64  {NAME}\n\n"
    (tmp_path / CHECKSUMS).write_text(text)
    assert md5_of(b"abcdefg") == "7ac66c0f148de9519b8bd264312c4d64"
    assert read_checksums(tmp_path / CHECKSUMS) == {NAME: md5_of(b"abcdefg")}
    assert format_checksums({NAME: b"abcdefg"}).decode() == text.lstrip("\n").removesuffix("\n")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"0123 a\n0123\n", "line 2 is '0123'; expected an md5 and a path"),
        (b"\xff", "is no text: `git checkout"),
    ],
)
def test_wrong_checksums_are_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / CHECKSUMS).write_bytes(content)
    with pytest.raises(UserError) as raised:
        read_checksums(tmp_path / CHECKSUMS)
    assert str(raised.value).startswith(str(tmp_path / CHECKSUMS))
    assert complaint in str(raised.value)


def test_genuine_file_is_read(raw: Path) -> None:
    assert read_genuine(raw, NAME) == CONTENT


def test_flipped_bit_is_refused_though_size_and_time_are_the_same(raw: Path) -> None:
    before = (raw / NAME).stat()
    damaged = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    (raw / NAME).write_bytes(damaged)
    os.utime(raw / NAME, ns=(before.st_atime_ns, before.st_mtime_ns))
    source = raw.parent / CHECKSUMS
    expected = f"{raw / NAME} is damaged: its md5 is {md5_of(damaged)}, {source} has {md5_of(CONTENT)}; "
    assert refusal(raw).startswith(expected)


def test_file_that_git_has_no_md5_of_must_be_as_download_noted(raw: Path) -> None:
    other = Path("KMNIST/raw/labels")
    (raw / other).parent.mkdir(parents=True)
    (raw / other).write_bytes(b"other")
    assert f"{raw.parent / CHECKSUMS} has no md5 of it" in refusal(raw, other)
    (raw / CHECKSUMS).write_bytes(format_checksums({other: b"other", NAME: b"not this"}))
    assert read_genuine(raw, other) == b"other"
    assert read_genuine(raw, NAME) == CONTENT, "what git has goes first"
    (raw / other).write_bytes(b"othes")
    assert f"{raw / CHECKSUMS} has {md5_of(b'other')}" in refusal(raw, other)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused_and_not_waited_for(raw: Path, make: Callable[[Path], None]) -> None:
    (raw / NAME).unlink()
    make(raw / NAME)
    assert refusal(raw).startswith(f"{raw / NAME} is no regular file")


def test_missing_file_and_missing_checksums_are_named(raw: Path) -> None:
    (raw.parent / CHECKSUMS).unlink()
    assert refusal(raw).startswith(f"{raw.parent / CHECKSUMS} is missing")
    (raw / NAME).unlink()
    assert refusal(raw) == f"{raw / NAME} is missing: run `dvc repro download`"
