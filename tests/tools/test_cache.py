"""`make repro` ends well only if the cache has all that dvc.lock records."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.project import Project, stages_run
from tests.remotes import MAKE
from tests.tools.test_doctor import cached
from tests.tools.test_share import small_disk

CHECKPOINT = "data/checkpoints/epoch_001.safetensors"
ADVICE = "as when the disk is full while DVC saves results: make room, then `python -m tools.doctor --repair`"


def summarize(project: Project) -> tuple[int, str]:
    done = project.run("python", "-m", "tools.summary", "--check", check=False)
    return done.returncode, done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
def test_disk_that_is_full_while_dvc_saves_an_output_fails_the_run_and_the_advice_mends_it(project: Project) -> None:
    """Only the folder of one object is full: what DVC looks at afterwards is there."""
    disk = cached(project, CHECKPOINT).parent
    shutil.rmtree(project.folder / ".dvc/cache")
    disk.mkdir(parents=True)
    small_disk(disk, "4k")
    try:
        assert project.run("dvc", "repro", "--force", check=False).returncode == 0
        done = project.run(*MAKE, "repro", check=False)
        assert stages_run(done.stdout) != []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert done.returncode != 0
    assert "test accuracy" not in done.stdout
    line = next(line for line in done.stdout.splitlines() if line.startswith("summary: "))
    assert line.startswith("summary: the cache lacks data/checkpoints (there is no ")
    assert line.endswith(ADVICE)
    project.run("python", "-m", "tools.doctor", "--repair")
    assert "test accuracy" in project.run(*MAKE, "repro").stdout
    assert project.run("python", "-m", "tools.verify", "--outputs").returncode == 0


@pytest.mark.parametrize("path", [CHECKPOINT, "data/predictions.csv"])
@pytest.mark.parametrize("is_there", [True, False])
def test_object_that_is_missing_or_cut_is_named_and_the_advice_mends_it(
    project: Project, path: str, is_there: bool
) -> None:
    """Whether the listing of its folder, if it is in one, is there or not."""
    assert summarize(project)[0] == 0
    (cut := cached(project, path)).chmod(0o644)
    if is_there:
        cut.write_bytes(cut.read_bytes()[:10])
        cut.chmod(0o444)
    else:
        cut.unlink()
    status, output = summarize(project)
    assert status == 1
    out = "data/checkpoints" if path == CHECKPOINT else path
    assert output.startswith(f"summary: the cache lacks {out} ({'it has' if is_there else 'there is no'} ")
    assert output.endswith(f"{ADVICE}\n")
    project.run("python", "-m", "tools.doctor", "--repair")
    assert summarize(project)[0] == 0


def test_cache_elsewhere_is_looked_at(project: Project, tmp_path: Path) -> None:
    shutil.move(project.folder / ".dvc/cache", tmp_path / "cache")
    assert summarize(project)[0] == 1
    project.run("dvc", "cache", "dir", "--local", str(tmp_path / "cache"))
    assert summarize(project)[0] == 0


def test_results_without_a_cache_are_shown_to_who_asks_for_them(project: Project) -> None:
    shutil.rmtree(project.folder / ".dvc/cache")
    assert "test accuracy" in project.run("python", "-m", "tools.summary").stdout
