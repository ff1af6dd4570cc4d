"""What a checkout would lose is known before DVC is asked for it."""

import pytest
from dvc.repo import Repo

from tests.project import Project as Copy
from tools.store.project import Project


def test_checkout_would_lose_what_only_the_workspace_has(project: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    for name, value in project.environment().items():
        if name.startswith("DVC_"):
            monkeypatch.setenv(name, value)
    outs = ["data/raw", "data/model.safetensors", "data/predictions.csv"]
    model, predictions, cache = (
        project.folder / outs[1],
        project.folder / outs[2],
        project.folder / "data/raw/__pycache__",
    )
    model.unlink()
    model.write_bytes((project.folder / "data/checkpoints/epoch_001.safetensors").read_bytes())
    predictions.unlink()
    predictions.write_text("of a killed run")
    cache.mkdir()
    (cache / "idx.pyc").write_text("ignored")
    (project.folder / "data/raw/notes").write_text("mine")
    with Repo() as repo:
        unsaved = Project(repo).unsaved(outs)
    assert unsaved == ["data/predictions.csv", "data/raw/notes"]
    refusal = project.run("dvc", "checkout", *outs, check=False).stdout
    assert sorted(refusal.split("--force` to force.\n")[1].split()) == [str(project.folder / path) for path in unsaved]
