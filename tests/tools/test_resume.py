"""A training that was made elsewhere is made longer here, or it is said why not."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import UserError
from tests.project import NUM_EPOCHS, Project
from tests.tools.test_verify import flip_last_byte
from tools.store.resume import fill_history

DONE = f"{NUM_EPOCHS} epochs, trained elsewhere, are now kept here: another `epochs` trains only what is new"


@pytest.fixture
def restored(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project whose outputs are there and whose history is not; the test works in it."""
    shutil.rmtree(project.folder / "data/.resume")
    monkeypatch.chdir(project.folder)
    return project.folder


def test_history_is_filled_once_with_what_a_training_here_leaves(project: Project, restored: Path) -> None:
    assert fill_history() == DONE
    files = {path: path.read_bytes() for path in restored.glob("data/.resume/*/*")}
    assert len(files) == 2 * NUM_EPOCHS + len(["manifest", "inputs"])
    assert fill_history() == ""
    assert {path: path.read_bytes() for path in restored.glob("data/.resume/*/*")} == files
    assert (
        "nothing to train: the inputs are those of an earlier run" in project.run("dvc", "repro", "-f", "train").stdout
    )


@pytest.mark.parametrize(
    "name",
    [
        "data/inputs/train.json",
        "data/optimizer/epoch_002.safetensors",
        "data/checkpoints/epoch_002.safetensors",
        "metrics/environment.json",
        "metrics/train.csv",
    ],
)
@pytest.mark.parametrize("damage", [flip_last_byte, Path.unlink])
def test_damaged_or_missing_file_is_named_and_neither_it_nor_what_is_behind_it_is_kept(
    restored: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(restored / name)
    with pytest.raises(UserError, match=f"^{name} is missing or not the one that"):
        fill_history()
    manifests = [path.read_text() for path in restored.glob("data/.resume/*/manifest.json")]
    assert all('"epoch": 2' not in manifest for manifest in manifests)


def test_training_made_elsewhere_is_shortened_by_none_and_a_short_one_made_longer_by_the_new_epochs_only(
    project: Project,
) -> None:
    before = project.results()
    for epochs, said in ((1, "all 1 epochs are there, nothing to train"), (NUM_EPOCHS, "continuing at epoch 2 of 3")):
        shutil.rmtree(project.folder / "data/.resume")  # As in another clone, where this was pulled.
        project.run("python", "-m", "tools.resume")
        project.set_param("recipes.demo.epochs", epochs)
        assert said in project.run("dvc", "repro", "--no-run-cache").stdout
    assert project.results() == before


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
