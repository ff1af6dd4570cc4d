"""git works in the folder that it is told, also from within a hook, and keeps how its user configured it."""

from pathlib import Path

import pytest

from bench.clone import make_empty_pipeline
from tools.store.git import environment, git


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, one of whose hooks this process is."""
    folder = tmp_path / "caller"
    git("init", "--quiet", str(folder))
    for name, path in (("GIT_DIR", ".git"), ("GIT_INDEX_FILE", ".git/index"), ("GIT_WORK_TREE", "")):
        monkeypatch.setenv(name, str(folder / path))
    return folder


def test_git_works_in_the_folder_that_it_is_told(hook: Path, tmp_path: Path) -> None:
    git("init", "--quiet", "other", folder=tmp_path)
    assert git("rev-parse", "--show-toplevel", folder=tmp_path / "other") == str(tmp_path / "other")


def test_a_benchmark_makes_its_own_repository(hook: Path, tmp_path: Path) -> None:
    make_empty_pipeline(tmp_path / "empty", num_stages=1)
    assert (tmp_path / "empty/.git/HEAD").is_file()


def test_configuration_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("GIT_CONFIG_COUNT", "GIT_CONFIG_GLOBAL", "GIT_SSH_COMMAND", "GIT_AUTHOR_NAME")
    for name in names:
        monkeypatch.setenv(name, "0")
    assert set(names) <= environment().keys()
