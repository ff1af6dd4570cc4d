"""Scratch folders whose owners were killed are removed; nothing else is, and no signal is taken that was ignored."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tools.store.scratch import FOLDER, OWNER, PREFIX, scratch_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def make_leftover(base: Path) -> Path:
    """A folder as one leaves it that was killed; return a file in it."""
    (base / FOLDER).mkdir(parents=True)
    (base / OWNER).touch()
    content = base / FOLDER / "content"
    content.touch()
    return content


def test_folder_is_there_for_the_body_and_what_was_left_is_gone(temporary: Path) -> None:
    make_leftover(temporary / f"{PREFIX}left")
    with scratch_folder() as folder:
        (folder / "content").touch()
        assert list(temporary.iterdir()) == [folder.parent]
    assert list(temporary.iterdir()) == []


def test_folder_in_use_stays(temporary: Path) -> None:
    with scratch_folder() as ours:
        with scratch_folder() as theirs:
            assert ours != theirs
            assert ours.is_dir()
        assert ours.is_dir()


def test_what_lies_behind_a_link_stays(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    content = make_leftover(elsewhere / "folder")
    (temporary / f"{PREFIX}link").symlink_to(elsewhere / "folder")
    inside = make_leftover(temporary / f"{PREFIX}left")
    inside.unlink()
    inside.symlink_to(content)
    by_file = make_leftover(temporary / f"{PREFIX}by-file")
    (by_file.parent.parent / OWNER).unlink()
    (by_file.parent.parent / OWNER).symlink_to(content)
    with scratch_folder():
        pass
    assert content.is_file()
    assert by_file.is_file()
    assert sorted(path.name for path in temporary.iterdir()) == [f"{PREFIX}by-file", f"{PREFIX}link"]


def test_folder_without_an_owner_stays(temporary: Path) -> None:
    content = make_leftover(temporary / f"{PREFIX}other")
    (content.parent.parent / OWNER).unlink()
    with scratch_folder():
        pass
    assert content.is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_another_users_folder_stays(temporary: Path) -> None:
    content = make_leftover(temporary / f"{PREFIX}theirs")
    os.chown(content.parent.parent, 65534, 65534)
    with scratch_folder():
        pass
    assert content.is_file()


def test_hang_up_that_was_ignored_stays_ignored() -> None:
    program = """
import signal
from tools.store.scratch import end_in_one_line
signal.signal(signal.SIGHUP, signal.SIG_IGN)
end_in_one_line("test")
signal.raise_signal(signal.SIGHUP)
print("goes on", flush=True)
signal.raise_signal(signal.SIGTERM)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "goes on\n")
    assert done.stderr == "test: ended by SIGTERM\n"
