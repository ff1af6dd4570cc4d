"""Two people with one cache: each uses what the other made, and cannot write into it."""

import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dvc
import pytest

from tests import ROOT
from tests.project import STAGES, Project, stages_run
from tests.tools.test_doctor import rot

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make two users")
FOLDERS = (".dvc/cache", ".dvc/tmp", "data/raw", "data/checkpoints", "data/optimizer", "data/.resume", "data/.locks")


@dataclass(frozen=True)
class Person:
    """A user of this machine, with a home folder and a copy of the project in it."""

    name: str
    group: str
    project: Project

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command as this user; its output, both streams in one, is in `stdout`."""
        home = self.project.folder.parent
        environment = self.project.environment(
            HOME=str(home),
            PATH=f"{home.parent / 'bin'}{os.pathsep}/usr/bin:/bin",
            PYTHONPATH=str(Path(dvc.__file__).parent.parent),
        )
        del environment["DVC_SITE_CACHE_DIR"]
        done = subprocess.run(
            command,
            user=self.name,
            group=self.name,
            extra_groups=[self.group],
            umask=0o022,
            cwd=self.project.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert not check or done.returncode == 0, done.stdout
        return done


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="group-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def group() -> Iterator[tuple[str, list[str]]]:
    """A group and the names of its two members, who are gone after the test."""
    suffix = secrets.token_hex(4)
    group, names = f"mnist{suffix}", [f"ann{suffix}", f"ben{suffix}"]
    subprocess.run(["groupadd", group], check=True)
    try:
        for name in names:
            subprocess.run(["useradd", "--no-create-home", "--groups", group, name], check=True)
        yield group, names
    finally:
        for name in names:
            subprocess.run(["userdel", name], check=False)
        subprocess.run(["groupdel", group], check=True)


def make_commands(ground: Path, user: str) -> None:
    """Put `python` and `dvc` where every user can run them; skip the test where no Python can be."""
    (ground / "bin").mkdir(exist_ok=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (os.path.realpath(sys.executable), f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        if subprocess.run(["test", "-x", python], user=user, check=False).returncode == 0:
            (ground / "bin/python").symlink_to(python)
            (ground / "bin/dvc").write_text('#!/bin/sh\nexec python -m dvc "$@"\n')
            (ground / "bin/dvc").chmod(0o755)
            return
    pytest.skip(f"needs a {version} that other users may run: install {version}")


@pytest.fixture
def people(trained_template: Project, ground: Path, group: tuple[str, list[str]]) -> list[Person]:
    """Two people whose clones use one cache, set up by the lines of docs/sharing.md."""
    name, members = group
    make_commands(ground, members[0])
    section = (ROOT / "docs/sharing.md").read_text().split("## Group cache\n")[1].split("\n## ")[0]
    once, each = re.findall(r"^```\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    cache = ground / "cache"
    subprocess.run(
        ["sh", "-euc", once.replace("/srv/mnist-cache", str(cache)).replace("group mnist", f"group {name}")], check=True
    )
    found = []
    for member in members:
        shutil.copytree(trained_template.folder.parent, ground / member, symlinks=True)
        person = Person(member, name, Project(ground / member / trained_template.folder.name))
        for path in FOLDERS:
            shutil.rmtree(person.project.folder / path, ignore_errors=True)
        for path in ("data/model.safetensors", "data/predictions.csv"):
            (person.project.folder / path).unlink()
        subprocess.run(["chown", "--recursive", f"{member}:{member}", str(ground / member)], check=True)
        person.run("sh", "-euc", each.replace("/srv/mnist-cache", str(cache)))
        person.run("make", "-o", ".venv/.installed", "install")
        found.append(person)
    return found


def test_members_use_each_others_results_and_cannot_write_into_them(
    people: list[Person], trained_template: Project, ground: Path
) -> None:
    ann, ben = people
    assert stages_run(ann.run("dvc", "repro", "--force").stdout) == STAGES
    assert stages_run(ben.run("dvc", "repro").stdout) == []
    assert ann.project.results() == ben.project.results() == trained_template.results()

    model = ben.project.folder / "data/model.safetensors"
    assert model.is_symlink()
    content = model.read_bytes()
    for command in ("echo x >> data/model.safetensors", "chmod u+w data/model.safetensors"):
        assert ben.run("sh", "-c", command, check=False).returncode != 0
    assert model.read_bytes() == content

    rot((ben.project.folder / "data/predictions.csv").resolve())  # An object that ann made.
    doctor = ben.run("python", "-m", "tools.doctor", "--repair", check=False).stdout
    assert "repaired: data/predictions.csv (" in doctor
    assert "state     ok" in doctor
    assert stages_run(ben.run("dvc", "repro").stdout) == ["evaluate"]
    assert ann.project.results() == ben.project.results() == trained_template.results()

    for person in (ben, ann):
        person.project.set_param("recipes.demo.batch_size", 16)
    assert stages_run(ben.run("dvc", "repro", "train").stdout) == ["train"]
    assert stages_run(ann.run("dvc", "repro", "train").stdout) == []
    assert ann.project.results() == ben.project.results() != trained_template.results()

    folder = next(path for path in (ground / "cache/files/md5").iterdir())
    folder.chmod(0o755)
    if folder.owner() == ben.name:
        shutil.chown(folder, ann.name)
    done = ben.run("python", "-m", "tools.share", "pull", "--optional", check=False)
    assert done.returncode != 0
    assert f"you may not write into {folder}" in done.stdout
    assert len(done.stdout.splitlines()) == 1
