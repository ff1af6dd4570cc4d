"""What one clone pushes, another restores byte for byte without training, through each kind of remote."""

from collections.abc import Callable

import pytest

from tests.project import NUM_EPOCHS, Project, stages_run
from tests.remotes import KINDS, MAKE, Server, clone, share

UP_TO_DATE = "Data and pipelines are up to date."


@pytest.mark.parametrize("kind", KINDS)
def test_second_clone_restores_without_training(project: Project, servers: Callable[[str], Server], kind: str) -> None:
    server = servers(kind)
    server.configure(project)
    assert "read back in full" in share(project, server, "push")
    assert project.run("dvc", "status").stdout.strip() == UP_TO_DATE
    other = clone(project)
    output = other.run(*MAKE, "repro", check=True, **server.variables).stdout
    assert stages_run(output) == []
    assert f"{NUM_EPOCHS} epochs, trained elsewhere, are now kept here" in output
    assert other.results() == project.results()
    assert other.run("dvc", "status").stdout.strip() == UP_TO_DATE
    assert other.run("git", "status", "--porcelain").stdout == ""
    secrets = other.folder / ".dvc/config.local"
    if secrets.is_file():
        assert secrets.stat().st_mode & 0o777 == 0o600
        assert other.run("git", "check-ignore", ".dvc/config.local").stdout.strip() == ".dvc/config.local"
        assert "SECRET" not in (other.folder / ".dvc/config").read_text()
    if server.command:
        server.stop()
        output = share(other, server, "pull", expected=4)
        assert "remote share does not answer, or refuses" in output
        assert len(output.splitlines()) == 1
        server.start()
    assert "files fetched from remote share: 0" in share(other, server, "pull")
