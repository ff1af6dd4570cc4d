"""What is broken is named with what to do, and what is certain is restored: each fault is made here, then repaired."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import Project
from tests.tools.test_share import object_path

PREDICTIONS, CHECKPOINT = "data/predictions.csv", "data/checkpoints/epoch_001.safetensors"
REPAIR = "`python -m tools.doctor --repair`"
LOCK, RWLOCK = "dvc.lock", ".dvc/tmp/rwlock"


def doctor(project: Project, *options: str, expected: int = 0) -> list[str]:
    """What the doctor says, without the checks that found nothing."""
    done = project.run("python", "-m", "tools.doctor", *options, check=False)
    assert done.returncode == expected, done.stdout
    assert "Traceback" not in done.stdout
    return [line for line in done.stdout.splitlines() if not line.endswith(" ok")]


def rot(path: Path) -> None:
    """Flip a bit, and leave all else as it was: DVC notices nothing."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.chmod(status.st_mode)


def cached(project: Project, path: str) -> Path:
    """The object in the cache of an output, or of a file in data/checkpoints."""
    md5 = subprocess.run(["md5sum", project.folder / path], capture_output=True, text=True, check=True).stdout[:32]
    return project.folder / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}"


def test_sound_project_is_well(project: Project) -> None:
    assert doctor(project) == doctor(project, "--repair") == ["doctor: all is well"]
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_project_in_which_nothing_was_run_has_nothing_broken(project: Project) -> None:
    project.run("git", "rm", "--quiet", "dvc.lock")
    project.commit()
    assert doctor(project) == ["doctor: all is well"]


CAREFUL = ("tools.share pull", "tools.resume", "tools.compare", "tools.summary")
ALL = (*CAREFUL, "tools.share push", "tools.verify --outputs")  # The last two say what is missing in a part of it.


@pytest.mark.parametrize(("size", "commands"), [(0, ALL), (5000, CAREFUL), (8192, CAREFUL)])
def test_lock_of_a_killed_dvc_is_named_by_every_command_and_restored(
    project: Project, tmp_path: Path, size: int, commands: tuple[str, ...]
) -> None:
    project.run("dvc", "remote", "add", "--default", "share", str(tmp_path / "remote"))
    project.run("python", "-m", "tools.share", "push")
    lock = project.folder / LOCK
    content = lock.read_bytes()
    lock.write_bytes(content[:size])
    for command in commands:
        done = project.run("python", "-m", *command.split(), check=False)
        assert done.returncode != 0, command
        assert re.fullmatch(r".*`make doctor` says what .*\n", done.stdout), (command, done.stdout)

    named, *others, _ = doctor(project, expected=1)
    assert named == (
        f"dvc.lock  dvc.lock cannot be read (it is empty, or was cut short): {REPAIR} restores the last commit's; "
        "then `dvc repro`"
    )
    assert {line.split(maxsplit=1)[1] for line in others} == {"was not looked at: dvc.lock must be right first"}
    assert doctor(project, "--repair") == [
        "dvc.lock  repaired: dvc.lock is that of the last commit again; the broken one is now .dvc/tmp/doctor/dvc.lock",
        "doctor: all is well",
    ]
    assert lock.read_bytes() == content
    assert (project.folder / ".dvc/tmp/doctor/dvc.lock").read_bytes() == content[:size]
    assert project.repro() == []


def test_missing_lock_is_restored(project: Project) -> None:
    (project.folder / LOCK).unlink()
    assert doctor(project, expected=1)[0] == f"dvc.lock  dvc.lock is missing, git has one: {REPAIR} restores it"
    doctor(project, "--repair")
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_merge_is_left_to_its_user(project: Project) -> None:
    project.run("git", "checkout", "--quiet", "-b", "theirs")
    for branch, text in (("theirs", "# theirs\n"), ("main", "# ours\n")):
        project.run("git", "checkout", "--quiet", branch)
        project.append(LOCK, text)
        project.commit()
    project.run("git", "merge", "theirs", check=False)
    conflict = (project.folder / LOCK).read_bytes()
    named = doctor(project, "--repair", expected=1)[0]
    assert named.endswith(
        "(it has a merge conflict): take one side's, `git checkout --ours dvc.lock metrics`, then `make repro`"
    )
    assert (project.folder / LOCK).read_bytes() == conflict


def test_lock_that_git_does_not_have_either_is_left(project: Project) -> None:
    (project.folder / LOCK).write_text("")
    project.commit()
    assert "`rm dvc.lock && dvc repro`" in doctor(project, "--repair", expected=1)[0]
    project.run("bash", "-euc", "rm dvc.lock && dvc repro")
    assert doctor(project) == ["doctor: all is well"]


@pytest.mark.parametrize("content", [b"", b'{"write": {"/a', b"[]", b"\xff"])
def test_rwlock_that_dvc_cannot_read_is_set_aside(project: Project, content: bytes) -> None:
    (project.folder / RWLOCK).write_bytes(content)
    assert project.run("dvc", "repro", check=False).returncode == 255
    assert doctor(project, expected=1)[0].endswith(f"{REPAIR} sets it aside")
    doctor(project, "--repair")
    assert (project.folder / ".dvc/tmp/doctor/rwlock").read_bytes() == content
    assert project.repro() == []


def test_process_id_that_is_used_again_blocks_nothing(project: Project) -> None:
    use = {"pid": os.getpid(), "cmd": "/usr/bin/dvc repro --force"}  # Another command than that of this process.
    raw = str(project.folder / "data/raw")
    (project.folder / RWLOCK).write_text(json.dumps({"write": {raw: use}, "read": {raw: [use]}}))
    assert "is busy" in project.run("dvc", "repro", check=False).stdout
    assert "has outputs in use by process" in doctor(project, expected=1)[0]
    assert "repaired: what process" in doctor(project, "--repair")[0]
    assert project.repro() == []


def test_nothing_is_repaired_while_a_run_goes_on(project: Project) -> None:
    """The stage is one that waits; `dvc` and it are those of a user, not forks of the tests' server."""
    project.edit("stages/download/__main__.py", "\ndef main()", "\nimport time\n\ntime.sleep(60)\n\n\ndef main()")
    environment = project.fresh().environment()
    with subprocess.Popen(
        ["dvc", "repro", "download"], cwd=project.folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout
        try:
            while not run.stdout.readline().startswith("> exec"):
                assert run.poll() is None
            before = (project.folder / RWLOCK).read_bytes()
            lines = doctor(project, expected=1)
            assert any(re.match(rf"process {run.pid} \(.* repro download\) is at work here", line) for line in lines)
            assert not any(line.startswith("rwlock") for line in lines)
            [line] = doctor(project, "--repair", expected=1)
            assert line.endswith(" is at work here: nothing is repaired while it runs; wait for it")
            assert (project.folder / RWLOCK).read_bytes() == before
        finally:
            run.kill()


def in_workspace(project: Project) -> str:
    return CHECKPOINT


def in_a_run(project: Project) -> str:
    rot(project.folder / CHECKPOINT)
    return "data/.resume/"


def on_a_remote(project: Project) -> str:
    shutil.rmtree(project.folder / "data/.resume")
    rot(project.folder / CHECKPOINT)
    return "remote share"


@pytest.mark.parametrize(
    ("find", "is_there"), [(in_workspace, True), (in_a_run, True), (on_a_remote, True), (on_a_remote, False)]
)
def test_object_is_replaced_by_the_right_one(
    project: Project, tmp_path: Path, find: Callable[[Project], str], is_there: bool
) -> None:
    project.run("dvc", "remote", "add", "share", str(tmp_path / "remote"))
    project.run("python", "-m", "tools.share", "push", "--remote", "share")
    path = cached(project, CHECKPOINT)
    content, mode = path.read_bytes(), path.stat().st_mode
    origin = find(project)
    if is_there:
        rot(path)
    else:
        path.unlink()
    named = doctor(project, expected=1)[0]
    assert named.startswith(f"cache     {CHECKPOINT} " + ("has md5 " if is_there else "is not there"))
    done = project.run("python", "-m", "tools.doctor", "--repair", check=False).stdout
    assert f"repaired: the cache has {CHECKPOINT} ({path.parent.name}{path.name}) again, from {origin}" in done
    assert (path.read_bytes(), path.stat().st_mode) == (content, mode)
    assert not any(line.startswith("cache") for line in doctor(project, expected=0 if origin == CHECKPOINT else 1))


def test_listing_of_a_folder_is_written_anew(project: Project) -> None:
    path = project.folder / ".dvc/cache" / object_path(project, "data/checkpoints")
    content = path.read_bytes()
    rot(path)
    checkpoint = cached(project, CHECKPOINT)
    rot(checkpoint)
    assert "the cache has data/checkpoints (" in doctor(project, "--repair")[0]
    assert path.read_bytes() == content
    assert cached(project, CHECKPOINT).read_bytes() == (project.folder / CHECKPOINT).read_bytes()


@pytest.mark.parametrize("links", ["copy", "hardlink", "symlink"])
def test_object_that_is_nowhere_else_is_set_aside_and_made_anew(project: Project, links: str) -> None:
    """A forced run alone does not help: DVC trusts an object that is there."""
    project.run("dvc", "config", "cache.type", links)
    project.run("dvc", "checkout", "--relink")
    path, results = cached(project, PREDICTIONS), project.results()
    content = path.read_bytes()
    rot(path)
    if links == "copy":
        rot(project.folder / PREDICTIONS)
    project.repro("--force", "--single-item", "evaluate")
    assert path.read_bytes() != content

    if links == "copy":
        rot(project.folder / PREDICTIONS)
    lines = doctor(project, "--repair", expected=1)
    assert f"is nowhere else; the wrong one is now .dvc/tmp/doctor/{path.parent.name}{path.name}" in lines[0]
    assert "evaluate" in project.repro()
    assert path.read_bytes() == content
    assert project.results() == results
    assert doctor(project) == ["doctor: all is well"]


def test_forced_training_after_the_repair_leaves_a_whole_cache(project: Project) -> None:
    path = cached(project, CHECKPOINT)
    content = path.read_bytes()
    rot(path)
    project.repro("--force", "train")
    assert path.read_bytes() != content, "DVC trusts it"
    doctor(project, "--repair")
    project.repro("--force", "train")
    assert path.read_bytes() == content
    assert project.run("python", "-m", "tools.verify", "--outputs", check=False).returncode == 0


def test_rotten_data_is_named_and_the_advice_mends_it(project: Project) -> None:
    labels = "data/raw/MNIST/raw/t10k-labels-idx1-ubyte"
    rot(project.folder / labels)
    outputs, data_set, _ = doctor(project, "--repair", expected=1)
    assert f"outputs   {labels} has md5 " in outputs
    assert (
        data_set
        == f"data set  {labels} is not the file of data/checksums.txt: `dvc repro --force download` brings it anew"
    )
    project.run("bash", "-euc", f"rm -f {labels} && dvc repro")
    assert doctor(project) == ["doctor: all is well"]


def test_what_a_clone_has_not_got_yet_is_said_in_two_lines(project: Project) -> None:
    project.run("git", "clone", "--quiet", ".", "../clone")
    cache, outputs, _ = doctor(Project(project.folder.parent / "clone"), expected=1)
    assert cache == "cache     the cache has nothing of what dvc.lock records: `make repro` brings or makes it"
    assert outputs.startswith("outputs   missing: data/checkpoints, data/inputs/download.json, ")


def test_foreign_and_damaged_things_among_kept_epochs_are_named(project: Project) -> None:
    [training] = (project.folder / "data/.resume").iterdir()
    rot(training / "epoch_002.safetensors")
    (project.folder / "data/.resume/mine").mkdir()
    epochs = [line for line in doctor(project, "--repair", expected=1) if line.startswith("epochs")]
    assert epochs == [
        f"epochs    data/.resume/{training.name} is damaged from epoch 2 on: the next training of it makes these anew",
        "epochs    data/.resume/mine was not made by this project: move it elsewhere",
    ]
    assert (project.folder / "data/.resume/mine").is_dir()


def test_links_and_fifos_are_named_and_not_read(project: Project) -> None:
    (project.folder / PREDICTIONS).unlink()
    os.mkfifo(project.folder / PREDICTIONS)
    assert (
        doctor(project, expected=1)[0]
        == f"links     {PREDICTIONS} is no regular file (a FIFO, socket or device): remove it"
    )


def test_other_versions_and_full_disks_are_named(project: Project) -> None:
    project.edit("pyproject.toml", "torch==", "torch==9.")
    lock = project.folder / LOCK
    lock.write_text(lock.read_text().replace("      size: ", "      size: 9999999999"))
    lines = doctor(project, expected=1)
    assert any(line.startswith("versions  pyproject.toml pins torch==9.") and "make install" in line for line in lines)
    assert any(line.startswith("space ") and line.endswith("MB: make room") for line in lines)


def test_state_that_other_users_may_change_is_named(project: Project) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as site:
        Path(site).chmod(0o755)
        done = project.run("python", "-m", "tools.doctor", check=False, DVC_SITE_CACHE_DIR=site)
        assert f"state     others may write into {site}, where DVC " in done.stdout
        Path(site).chmod(0o700)
        project.run("python", "-m", "tools.doctor", DVC_SITE_CACHE_DIR=site)


def test_remote_that_does_not_answer_is_not_waited_for(project: Project, tmp_path: Path) -> None:
    """It accepts a connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        project.run("dvc", "remote", "add", "share", f"webdav://127.0.0.1:{server.getsockname()[1]}/")
        project.run("dvc", "remote", "add", "folder", str(tmp_path))
        project.edit("tools/health/remotes.py", "SECONDS = 10", "SECONDS = 1")
        remotes = [line for line in doctor(project, expected=1) if line.startswith("remotes")]
    assert remotes == ["remotes   remote share did not answer within 1 s; see docs/sharing.md"]
