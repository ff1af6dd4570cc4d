"""What `make` does before and after the commands that it calls."""

from tests.project import Project
from tests.remotes import MAKE


def test_run_that_dvc_refuses_names_the_doctor(project: Project) -> None:
    (project.folder / ".dvc/tmp/rwlock").write_text("")
    done = project.run(*MAKE, "repro", check=False)
    lines = done.stdout.splitlines()
    assert "Unable to read RWLock-file" in lines[0]
    assert lines[1] == "repro: if that does not say why: `make doctor`"
    assert lines[2].endswith("repro] Error 255")
