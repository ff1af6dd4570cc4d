"""Only a model that was recorded is used: a flipped bit is named, and what the last run made is never refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist.paths import MODEL
from pipeline.errors import UserError
from tests.project import Project
from tests.tools.test_image import draw_seven
from tests.tools.test_verify import flip_last_byte
from tools.digit.classifier import load_model
from tools.store.objects import md5_of_file


def flip_unseen(path: Path) -> None:
    """Flip a bit, which DVC does not notice, as the file's time stays."""
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    flip_last_byte(path)
    os.utime(path, ns=times)


@pytest.mark.parametrize("restore", ["checkout", "repro"])
def test_flipped_bit_is_named_and_mended_as_the_message_says(
    project: Project, monkeypatch: pytest.MonkeyPatch, restore: str
) -> None:
    model = project.folder / MODEL
    draw_seven().save(project.folder / "data/seven.png")
    project.run("dvc", "status")  # DVC notes the time of the file, by which it would know a change.
    recorded = md5_of_file(model)
    flip_unseen(model)
    assert "up to date" in project.run("dvc", "status").stdout
    for tool in (["predict", "data/seven.png"], ["demo"], ["export"]):
        done = project.run("python", "-m", f"tools.{tool[0]}", *tool[1:], check=False)
        assert (done.returncode, done.stdout) == (
            1,
            f"{tool[0]}: data/model.safetensors is not the one that dvc.lock records: its md5 is {md5_of_file(model)}, "
            f"recorded is {recorded}; remove it, and `dvc checkout` or `dvc repro` brings the recorded one back\n",
        )
    model.unlink()
    project.run("dvc", restore)
    monkeypatch.chdir(project.folder)
    load_model()


def merge_with_conflicts(project: Project) -> None:
    """Leave the project in the midst of a merge with a branch that trained something else."""
    project.run("git", "checkout", "--quiet", "-b", "theirs", "HEAD~1")
    for path in ("dvc.lock", "metrics/train.csv"):
        (project.folder / path).write_text(project.run("git", "show", f"main:{path}").stdout.replace("a", "b"))
    project.commit()
    project.run("git", "checkout", "--quiet", "main")
    project.run("git", "merge", "theirs", check=False)
    for path in ("dvc.lock", "metrics/train.csv"):
        assert "<<<<<<< " in (project.folder / path).read_text()


def run_by_hand(project: Project) -> None:
    """Leave the project as a run does that was killed before DVC recorded it: with results that dvc.lock lacks."""
    project.set_param("recipes.demo.seed", 1)
    for stage in ("train", "evaluate"):
        project.run("python", "-m", f"stages.{stage}")


@pytest.mark.parametrize(
    "bring",
    [
        lambda project: project.run("dvc", "exp", "run", "-S", "recipes.demo.seed=1", "evaluate"),
        lambda project: (project.set_param("recipes.demo.seed", 1), project.repro("evaluate")),
        lambda project: (project.set_param("recipes.demo.seed", 1), project.repro("train")),
        merge_with_conflicts,
        run_by_hand,
    ],
    ids=["experiment", "not committed", "trained, not evaluated", "in a merge", "not recorded by DVC"],
)
def test_what_the_last_run_made_is_never_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, bring: Callable[[Project], object]
) -> None:
    bring(project)
    monkeypatch.chdir(project.folder)
    load_model()


def test_model_of_another_commit_is_refused_until_dvc_brings_this_ones(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_by_hand(project)
    project.run("git", "checkout", "--quiet", "HEAD", "params.yaml", "metrics")
    monkeypatch.chdir(project.folder)
    with pytest.raises(UserError, match=r"is not the one that dvc\.lock records"):
        load_model()
    project.run("dvc", "checkout", "--force")
    load_model()
