"""Files and folders are written whole or not at all, and never into what was there."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.files import read_regular, replace_folder, write_file


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_regular_file_of_an_allowed_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(FileNotFoundError):
        read_regular(path)
    path.write_bytes(b"content")
    assert read_regular(path) == read_regular(path, 7) == b"content"
    with pytest.raises(UserError, match=f"{path} has 7 bytes; at most 6 are expected"):
        read_regular(path, 6)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_regular_file_is_refused_and_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "file")
    with pytest.raises(UserError, match=f"{tmp_path}/file is no regular file"):
        read_regular(tmp_path / "file")


def test_file_is_written_with_its_folder(tmp_path: Path) -> None:
    write_file(tmp_path / "a/b/file", b"content")
    assert contents(tmp_path) == {"a/b/file": b"content"}


def test_new_file_leaves_alone_what_the_old_one_was_linked_to(tmp_path: Path) -> None:
    cached, path = tmp_path / "cached", tmp_path / "file"
    cached.write_bytes(b"old")
    path.hardlink_to(cached)
    write_file(path, b"new")
    assert contents(tmp_path) == {"cached": b"old", "file": b"new"}


def test_new_file_takes_the_place_of_a_symbolic_link(tmp_path: Path) -> None:
    cached, path = tmp_path / "cached", tmp_path / "file"
    cached.write_bytes(b"old")
    path.symlink_to(cached)
    write_file(path, b"new")
    assert contents(tmp_path) == {"cached": b"old", "file": b"new"}
    assert not path.is_symlink()


def test_file_stays_as_it_was_when_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError("No space left on device")

    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"


def test_folder_holds_exactly_the_new_files(tmp_path: Path) -> None:
    folder = tmp_path / "parent/folder"
    replace_folder(folder, {Path("a"): b"1", Path("old"): b"2"})
    replace_folder(folder, {Path("a"): b"3", Path("b/c"): b"4"})
    assert contents(tmp_path) == {"parent/folder/a": b"3", "parent/folder/b/c": b"4"}
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


def test_new_folder_leaves_alone_what_the_old_files_were_linked_to(tmp_path: Path) -> None:
    cached = tmp_path / "cached"
    cached.write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").hardlink_to(cached)
    replace_folder(tmp_path / "folder", {Path("file"): b"new"})
    assert contents(tmp_path) == {"cached": b"old", "folder/file": b"new"}


def test_folder_stays_as_it_was_after_an_error(tmp_path: Path) -> None:
    replace_folder(tmp_path / "folder", {Path("a"): b"old"})
    with pytest.raises(OSError, match="a"):
        replace_folder(tmp_path / "folder", {Path("a"): b"new", Path("a/b"): b"a file cannot be a folder too"})
    assert contents(tmp_path) == {"folder/a": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
