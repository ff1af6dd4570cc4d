"""A clone is for one worker at a time, and for the trial that was begun in it."""

import os
from pathlib import Path

import pytest

from pipeline.errors import UserError
from tests.project import Project
from tools.store.git import git
from tools.trials import clone as module
from tools.trials.clone import claim


def test_trial_gets_the_clone_in_which_it_was_begun(tmp_path: Path) -> None:
    with claim(tmp_path, 2, "one") as first, claim(tmp_path, 2, "two") as second:
        assert (first.folder, second.folder) == (tmp_path / "1", tmp_path / "2")
    with claim(tmp_path, 2, "two") as clone:
        assert clone.folder == tmp_path / "2"
        with claim(tmp_path, 2, "two") as other:
            assert other.folder == tmp_path / "1", "the one in which it was begun is in use"


def test_clone_is_in_use_as_long_as_a_process_has_its_lock_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_TO_WAIT", 0.1)
    with claim(tmp_path, 1, "one") as clone:
        inherited = os.dup(clone.lock)  # As that of dvc, whose worker was killed.
    with pytest.raises(UserError, match=r"all 1 clones in .* are in use"), claim(tmp_path, 1, "one"):
        pass
    os.close(inherited)
    with claim(tmp_path, 1, "one"):
        pass


def test_clone_is_brought_to_a_commit_whatever_was_left_in_it(project: Project, tmp_path: Path) -> None:
    commit = project.run("git", "rev-parse", "HEAD").stdout.strip()
    with claim(tmp_path / "clones", 1, "one") as clone:
        clone.prepare(project.folder, str(project.folder), commit)
        (clone.folder / ".git/index.lock").touch()
        (clone.folder / "params.yaml").write_text("")
        (clone.folder / "stages/train/other.py").touch()
        clone.prepare(project.folder, str(project.folder), commit)
        assert git("status", "--porcelain", folder=clone.folder) == ""
        assert git("rev-parse", "HEAD", folder=clone.folder) == commit
