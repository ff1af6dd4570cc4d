"""Commands refuse outputs that lie behind a link, or are no files, before they touch anything there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import Project
from tests.remotes import MAKE

COMMANDS = {
    ("python", "-m", "tools.share", "push"): 4,
    ("python", "-m", "tools.share", "pull"): 4,
    ("python", "-m", "tools.share", "pull", "--optional"): 4,
    ("python", "-m", "tools.verify", "--outputs"): 4,
    ("python", "-m", "tools.resume"): 1,
    (*MAKE, "--silent", "repro"): 2,
}


@pytest.fixture
def shared(project: Project, tmp_path: Path) -> Project:
    """A project whose results are on a remote, so that a pull has all it needs to write."""
    project.run("dvc", "remote", "add", "--default", "share", str(tmp_path / "remote"))
    project.run("python", "-m", "tools.share", "push")
    return project


def tree(folder: Path) -> dict[Path, tuple[int, bytes | None]]:
    """The modes and contents of a folder and all that is in it, or of a file."""
    paths = [folder, *folder.rglob("*")]
    return {path: (path.stat().st_mode, path.read_bytes() if path.is_file() else None) for path in paths}


def refusals(project: Project) -> Iterator[str]:
    """What each command says, which must fail with one line on its own part."""
    for command, expected in COMMANDS.items():
        done = project.run(*command, check=False)
        lines = [line for line in done.stdout.splitlines() if not line.startswith("make: ***")]
        assert done.returncode == expected, done.stdout
        assert len(lines) == 1, done.stdout
        yield lines[0]


def test_data_on_another_disk_is_refused_also_without_a_remote(project: Project, tmp_path: Path) -> None:
    data, disk = project.folder / "data", tmp_path / "disk"
    data.rename(disk)
    data.symlink_to(disk)
    before = tree(disk)
    for refusal in refusals(project):
        assert f": data is a link to {disk}: outputs must lie in the project itself" in refusal
        assert tree(disk) == before


def test_linked_folder_of_ones_own_is_left_alone(shared: Project, tmp_path: Path) -> None:
    raw, mine = shared.folder / "data/raw", tmp_path / "mine"
    raw.rename(tmp_path / "raw")
    mine.mkdir(mode=0o750)
    (mine / "thesis.tex").write_text("mine")
    (mine / "thesis.tex").chmod(0o600)
    raw.symlink_to(mine)
    before = tree(mine)
    for refusal in refusals(shared):
        assert f": data/raw is a link to {mine}: " in refusal
        assert tree(mine) == before
        assert raw.is_symlink()


def test_nothing_is_written_through_a_link_inside_an_output(shared: Project, tmp_path: Path) -> None:
    checkpoint, mine = shared.folder / "data/checkpoints/epoch_002.safetensors", tmp_path / "mine"
    mine.write_text("mine")
    mine.chmod(0o640)
    checkpoint.unlink()
    checkpoint.symlink_to(mine)
    before = tree(mine)
    for refusal in refusals(shared):
        assert f": data/checkpoints/epoch_002.safetensors is a link to {mine}: " in refusal
        assert tree(mine) == before


@pytest.mark.parametrize("path", ["data/raw/MNIST/raw/pipe", "metrics/train.csv"])
def test_fifo_is_refused_and_nobody_waits_for_it(project: Project, path: str) -> None:
    (project.folder / path).unlink(missing_ok=True)
    os.mkfifo(project.folder / path)
    for refusal in refusals(project):
        assert f": {path} is no regular file (a FIFO, socket or device): remove it" in refusal
