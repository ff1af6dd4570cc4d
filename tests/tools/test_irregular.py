"""A FIFO, a folder, a link, or a file that no memory holds, in the place of what is shared, stops nobody."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import STAGES, Project, stages_run
from tests.remotes import MAKE, Server, clone, share
from tests.tools.test_share import CORRUPTED, locked_md5, object_path, verify

Make = Callable[[Path], None]
TERABYTE = 1 << 40
OBJECTS = ("data/checkpoints", "data/model.safetensors", "data/optimizer", "data/predictions.csv")


def make_folder(path: Path) -> None:
    path.mkdir()
    (path / "file").write_text("in a folder")


def make_large(path: Path) -> None:
    """It takes no space on the disk."""
    path.touch()
    os.truncate(path, TERABYTE)


NO_FILES: list[Make] = [
    os.mkfifo,
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.symlink_to("nothing"),
    lambda path: path.symlink_to(path.name),
]
NO_RUNS = [*NO_FILES, make_large]
FOLDERS: list[Make] = [make_folder] * len(OBJECTS)


def put(what: list[Make], paths: list[Path]) -> None:
    """Put one of a kind in the place of each file, as far as there are both."""
    for path, make in zip(paths, what, strict=False):
        path.unlink()
        make(path)


def runs(folder: Path) -> list[Path]:
    """What is in the places of run-cache entries."""
    return sorted(folder.glob("runs/*/*/*"))


def pushed(project: Project, server: Server) -> Path:
    """The folder to which a project has been pushed."""
    server.configure(project)
    share(project, server, "push")
    [url] = server.replacements.values()
    return Path("/", *url.split("/")[1:])


@pytest.mark.parametrize(("kind", "what"), [("folder", NO_RUNS), ("ssh", NO_FILES)])
def test_what_is_no_run_on_a_remote_is_warned_of_and_replaced_by_push(
    project: Project, servers: Callable[[str], Server], kind: str, what: list[Make]
) -> None:
    server = servers(kind)
    remote = pushed(project, server)
    own = runs(remote)
    put(what, own)
    other = clone(project, "other")
    output = share(other, server, "pull")
    assert output.count("it is no run-cache entry; it is not used, and `push` removes it") == len(what)
    assert stages_run(other.run(*MAKE, "repro").stdout) == []
    assert other.results() == project.results()
    output = share(project, server, "push")
    assert output.count("it is no run-cache entry; it was moved into the remote's folder `damaged`") == len(what)
    assert f"runs: {len(STAGES)}; read back in full; files sent: {len(what)}" in output
    assert runs(remote) == own
    assert "warning" not in share(other, server, "pull")


def test_folder_in_the_place_of_a_run_is_replaced_by_push(project: Project, servers: Callable[[str], Server]) -> None:
    server = servers("folder")
    run = runs(pushed(project, server))[0]
    put([make_folder], [run])
    assert share(clone(project), server, "pull").count("warning") == 1
    assert share(project, server, "push").count("warning") == 1
    assert run.is_file()


def test_what_cannot_be_moved_is_an_error_where_a_run_should_be(
    project: Project, servers: Callable[[str], Server]
) -> None:
    server = servers("folder")
    remote = pushed(project, server)
    run, foreign = runs(remote)[0], remote / "runs/aa" / ("a" * 64) / ("b" * 64)
    foreign.parent.mkdir(parents=True)
    foreign.write_text("thumbs")
    (remote / "damaged").write_text("in the way")
    assert "it cannot be moved: " in share(project, server, "push")
    put([os.mkfifo], [run])
    output = share(project, server, "push", expected=CORRUPTED)
    name = run.relative_to(remote / "runs").as_posix()
    assert f"corrupted  remote share run-cache entry {name}: it is no run-cache entry; it cannot be moved: " in output


def test_what_is_no_run_in_the_cache_is_replaced_by_pull(project: Project, servers: Callable[[str], Server]) -> None:
    server = servers("folder")
    remote, own = pushed(project, server), runs(project.folder / ".dvc/cache")
    for what in (NO_RUNS, FOLDERS, NO_RUNS):
        put(what, own)
        assert f"runs: {len(own) - len(what)}; read back in full" in share(project, server, "push")
        share(project, server, "pull")
        assert [path.read_bytes() for path in own] == [path.read_bytes() for path in runs(remote)]


def test_what_is_no_file_in_the_place_of_an_object_is_named_and_replaced(
    project: Project, servers: Callable[[str], Server]
) -> None:
    server = servers("folder")
    remote, cache, other = pushed(project, server), project.folder / ".dvc/cache", clone(project)
    there, here = ([store / object_path(project, path) for path in OBJECTS] for store in (remote, cache))
    for what in (NO_FILES, FOLDERS):
        put(what, there)
        shutil.rmtree(other.folder / ".dvc/cache", ignore_errors=True)
        for output in (
            share(other, server, "pull", expected=CORRUPTED),
            verify(project, server, expected=CORRUPTED),
        ):
            for path in OBJECTS:
                assert f"corrupted  remote share {path} ({locked_md5(project, path)}): is no regular file" in output
        assert f"files sent: {len(OBJECTS)}" in share(project, server, "push")
        put(what, here)
        assert "corrupted  cache data/checkpoints" in verify(project, server, expected=CORRUPTED)
        assert f"files fetched from remote share: {len(OBJECTS)}" in share(project, server, "pull")
        verify(project, server)
