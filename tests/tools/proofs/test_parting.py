"""Of two trainings that should be equal, the first epoch that differs is named, and in it the first tensor."""

import re
import shutil
from pathlib import Path

import pytest

from mnist.paths import TRAIN_CSV, checkpoint_path, optimizer_path
from pipeline.files import sha256_of
from tests.project import Project
from tests.tools.proofs.test_check import alter_weight
from tests.tools.test_verify import CORRUPTED, MISSING, UNCHECKED, cached_object, verify

ONE_UNIT = r" differs in 1 of \d+ elements, by 1 unit in the last place at most, absolute [\d.]+(e-\d+)?\n$"


def alter(project: Project, path: Path, is_recorded: bool) -> None:
    """Alter a weight, and have metrics/train.csv say so, or not."""
    before = sha256_of((project.folder / path).read_bytes())
    alter_weight(project.folder / path)
    if is_recorded:
        project.edit(TRAIN_CSV.as_posix(), before, sha256_of((project.folder / path).read_bytes()))


@pytest.mark.parametrize("is_recorded", [True, False])
def test_training_is_compared_with_that_of_a_commit(project: Project, is_recorded: bool) -> None:
    assert verify(project, "--against", "HEAD") == (0, "all 3 epochs are the same\n")
    alter(project, checkpoint_path(3), is_recorded)
    alter(project, optimizer_path(2), is_recorded)
    status, output = verify(project, "--against", "HEAD")
    assert status == CORRUPTED
    assert output.startswith(f"the first epoch that differs is 2, in {optimizer_path(2)}: average.0")
    assert re.search(ONE_UNIT, output)
    cached_object(project, checkpoint_path(1)).unlink()
    assert verify(project, "--against", "HEAD") == (status, output)


def test_training_is_compared_with_that_in_a_folder(project: Project, tmp_path: Path) -> None:
    other = project.copy(tmp_path / "other")
    assert verify(project, "--against", str(other.folder)) == (0, "all 3 epochs are the same\n")
    other.set_param("recipes.demo.epochs", 2)
    other.run("dvc", "repro", "train")
    assert verify(project, "--against", str(other.folder)) == (
        CORRUPTED,
        f"all epochs that both have are the same: 3 here, 2 in {other.folder}\n",
    )
    alter(other, checkpoint_path(1), is_recorded=True)
    status, output = verify(project, "--against", str(other.folder))
    assert status == CORRUPTED
    assert output.startswith(f"the first epoch that differs is 1, in {checkpoint_path(1)}: ")


def test_files_that_are_not_there_are_said(project: Project) -> None:
    cached_object(project, optimizer_path(2)).unlink()
    status, output = verify(project, "--against", "HEAD")
    assert status == MISSING
    assert output.startswith(f"all that is recorded is the same; not all files can be read: cache {optimizer_path(2)}")
    alter(project, optimizer_path(2), is_recorded=True)
    status, output = verify(project, "--against", "HEAD")
    assert status == CORRUPTED
    assert f"is 2, in {optimizer_path(2)}: its tensors cannot be compared: cache {optimizer_path(2)} (" in output
    shutil.rmtree(project.folder / "metrics")
    status, output = verify(project, "--against", "HEAD")
    assert status == UNCHECKED
    assert output.startswith("verify: metrics/train.csv is missing: ")


def test_what_is_nothing_to_compare_with_is_said_in_one_line(project: Project) -> None:
    assert verify(project, "--against", "nowhere") == (
        UNCHECKED,
        "verify: 'nowhere' is no folder, commit, branch, tag or experiment here\n",
    )
    project.run("git", "rm", "--quiet", "dvc.lock")
    project.commit()
    status, output = verify(project, "--against", "HEAD")
    assert (status, output.count("\n")) == (UNCHECKED, 1)
