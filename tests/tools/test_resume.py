"""A training that was made elsewhere is made longer here, or it is said why not."""

import os
import shutil
from pathlib import Path

import pytest

from pipeline.errors import UserError
from tests.project import NUM_EPOCHS, Project
from tests.tools.test_verify import flip_last_byte
from tools.store.resume import fill_history

LONGER = ": with a higher `epochs`, only the new ones are trained"


@pytest.fixture
def restored(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project whose outputs are there and whose history is not; the test works in it."""
    shutil.rmtree(project.folder / "data/.resume")
    monkeypatch.chdir(project.folder)
    return project.folder


def test_history_is_filled_once(restored: Path) -> None:
    assert fill_history() == f"{NUM_EPOCHS} epochs, trained elsewhere, are now kept here{LONGER}"
    files = {path: path.read_bytes() for path in restored.glob("data/.resume/*/*")}
    assert len(files) == NUM_EPOCHS + len(["optimizer", "manifest", "inputs"])
    assert fill_history() == f"{NUM_EPOCHS} epochs are kept here{LONGER}"
    assert {path: path.read_bytes() for path in restored.glob("data/.resume/*/*")} == files


@pytest.mark.parametrize(
    "name", ["data/optimizer.safetensors", "metrics/train.csv", "data/checkpoints/epoch_002.safetensors"]
)
def test_damaged_file_is_named_and_nothing_is_filled(restored: Path, name: str) -> None:
    flip_last_byte(restored / name)
    with pytest.raises(UserError, match=f"{name} is .*not the one"):
        fill_history()
    assert not list(restored.glob("data/.resume/*/manifest.json"))


def test_without_the_optimizers_state_training_starts_anew(restored: Path) -> None:
    (restored / "data/optimizer.safetensors").unlink()
    assert fill_history().endswith("a training with a higher `epochs` will start anew")


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv: install util-linux")
def test_repository_that_may_not_be_written_is_said_in_one_line(project: Project) -> None:
    locks = project.folder / "data/.locks"
    shutil.rmtree(locks)
    locks.parent.chmod(0o555)
    as_anybody = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    try:
        done = project.fresh().run(*as_anybody, "python", "-m", "tools.resume", check=False)
    finally:
        locks.parent.chmod(0o755)
    assert (done.returncode, done.stdout) == (
        1,
        "resume: [Errno 13] Permission denied: 'data/.locks': put that right, and run it again\n",
    )
