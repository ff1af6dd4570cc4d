"""What a remote's listing says is no run-cache entry is not read, and what may not be read is no error."""

import posixpath
from types import SimpleNamespace

import pytest

from tools.store.objects import Finding, Problem, Store
from tools.store.remote import Remote, _entries

A, B = (f"{letter * 2}/{letter * 64}/{letter * 64}" for letter in "ab")


def server(infos: dict[str, dict[str, object]], error: Exception | None = None) -> SimpleNamespace:
    """A file system that is not this machine's, with files by path; reading any raises the error."""

    def cat_file(path: str) -> bytes:
        raise error or AssertionError(f"{path} is read")

    listing = SimpleNamespace(find=lambda path, detail: infos)
    return SimpleNamespace(
        fs=listing, cat_file=cat_file, join=posixpath.join, parts=lambda path: ("/", *path.strip("/").split("/"))
    )


def remote(fs: SimpleNamespace) -> Remote:
    return Remote(Store("remote share", SimpleNamespace(fs=fs)), "/srv", True, _entries(fs, "/srv/runs"))


def test_only_files_of_a_runs_size_are_read() -> None:
    infos = {
        f"/srv/runs/{A}": {"type": "file", "size": 1 << 30},
        f"/srv/runs/{B}": {"type": "unknown", "size": 0},
        f"/srv/runs/{A}.tmp": {"type": "file", "size": 3},
        f"/srv/runs/more/{A}": {"type": "file", "size": 3},
    }
    found = remote(server(infos))
    assert list(found.entries) == [A, B]
    assert [found.look_at(entry) for entry in found.entries] == [b"", b""]


@pytest.mark.parametrize(
    ("error", "problem"),
    [(PermissionError("not yours"), Problem.WARNING), (ConnectionError("gone"), Problem.UNCHECKED)],
)
def test_entry_that_may_not_be_read_is_only_warned_of(error: Exception, problem: Problem) -> None:
    found = remote(server({f"/srv/runs/{A}": {"type": "file", "size": 3}}, error))
    detail = f"{type(error).__name__}: {error}"
    assert found.look_at(A) == Finding(problem, f"remote share run-cache entry {A}", detail)
