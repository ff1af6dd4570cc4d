"""What `make` does before and after the commands that it calls."""

import re
import stat
from pathlib import Path

import pytest

from tests.project import Project
from tests.remotes import MAKE

IN_HOME, IN_PROJECT = "home/.cache/dvc-site", "project/.dvc/tmp/dvc-site"


def site_of(project: Project) -> str:
    """The folder that the project's own configuration names."""
    config = project.folder / ".dvc/config.local"
    found = re.search("site_cache_dir = (.*)", config.read_text() if config.exists() else "")
    return found[1] if found else ""


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, IN_HOME),
        ({"XDG_CACHE_HOME": "/proc"}, IN_PROJECT),
        ({"HOME": ""}, IN_PROJECT),
        ({"HOME": "/proc"}, IN_PROJECT),
    ],
)
def test_state_of_dvc_is_kept_where_no_other_user_may_look(
    project: Project, variables: dict[str, str], expected: str
) -> None:
    base = project.folder.parent
    environment = {"HOME": f"{base}/home", "XDG_CACHE_HOME": "", "DVC_SITE_CACHE_DIR": ""} | variables
    project.run(*MAKE, "install", check=True, **environment)
    assert site_of(project) == str(base / expected)
    assert stat.S_IMODE((base / expected).stat().st_mode) == 0o700
    project.run("dvc", "repro", DVC_SITE_CACHE_DIR="")
    assert list((base / expected / "repo").iterdir())


def test_folder_that_a_user_chose_is_left(project: Project, tmp_path: Path) -> None:
    project.run("dvc", "config", "core.site_cache_dir", str(tmp_path))
    project.run(*MAKE, "install")
    assert site_of(project) == ""
    project.run("dvc", "config", "--local", "core.site_cache_dir", "/chosen")
    project.run(*MAKE, "install")
    assert site_of(project) == "/chosen"


def test_run_that_dvc_refuses_names_the_doctor(project: Project) -> None:
    (project.folder / ".dvc/tmp/rwlock").write_text("")
    done = project.run(*MAKE, "repro", check=False)
    lines = done.stdout.splitlines()
    assert "Unable to read RWLock-file" in lines[0]
    assert lines[1] == "repro: if that does not say why: `make doctor`"
    assert lines[2].endswith("repro] Error 255")
