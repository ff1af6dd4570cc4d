"""A clone is for one worker at a time, and for the trial that was begun in it."""

import os
from pathlib import Path

import pytest

from pipeline.errors import UserError
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
