"""A copy of this project with tiny data and short recipes, in which tests run the real `dvc`."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tests import ROOT
from tests.forks import FORKS
from tests.tiny import checksums, write_tiny_dataset

STAGES = ["download", "train", "evaluate", "illustrate", "report"]
NUM_EPOCHS = 3
# Of the person who runs the tests, or of the make that runs them; not of the one who works in the copy.
FOREIGN_VARIABLES = ("AWS_", "DVC_", "GIT_", "GLOO_", "MAKE", "MFLAGS", "MNIST_", "NCCL_", "PET_")
RESULTS = (
    "data/checkpoints/*",
    "data/model.safetensors",
    "data/optimizer/*",
    "data/predictions.csv",
    "metrics/*.csv",
    "metrics/*.json",
    "metrics/*.png",
    "metrics/report.html",
)


@dataclass(frozen=True)
class Project:
    """A folder that holds a clone-like copy of the project; `run` works in it."""

    folder: Path
    is_fresh: bool = False

    def fresh(self) -> "Project":
        """The same folder, where `python` and `dvc` load all libraries, as a user's do; else they are forks."""
        return replace(self, is_fresh=True)

    def environment(self, **variables: str) -> dict[str, str]:
        """The environment of a person who works in this folder alone, with the tiny data set as source."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_VARIABLES)}
        person = {"NAME": "Test", "EMAIL": "test@example.org"}
        git = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()}
        forks = [os.environ[FORKS]] if FORKS in os.environ and not self.is_fresh else []
        own = {
            "PATH": os.pathsep.join([*forks, str(Path(sys.executable).parent), os.environ["PATH"]]),
            "SHELL": "/bin/sh",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "MNIST_DIR": str(self.folder.parent / "source"),
            "DVC_SITE_CACHE_DIR": str(self.folder.parent / "site"),
            "DVC_GLOBAL_CONFIG_DIR": str(self.folder.parent / "config"),
            "DVC_SYSTEM_CONFIG_DIR": str(self.folder.parent / "config"),
        }
        return inherited | git | own | variables

    def run(self, *command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command; its output, both streams in one, is in `stdout`."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done

    def repro(self, *options: str, **variables: str) -> list[str]:
        """`dvc repro`; return the stages that were run, in order."""
        return stages_run(self.run("dvc", "repro", *options, check=True, **variables).stdout)

    def read_params(self) -> dict[str, Any]:
        """The content of params.yaml."""
        params: dict[str, Any] = yaml.safe_load((self.folder / "params.yaml").read_text())
        return params

    def set_param(self, key: str, value: object) -> None:
        """Set the value at a dotted key of params.yaml, which may be new."""
        params = self.read_params()
        *path, last = key.split(".")
        section = params
        for part in path:
            section = section[part]
        section[last] = value
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    def append(self, path: str, text: str) -> None:
        """Add text at the end of a file."""
        with (self.folder / path).open("a") as file:
            file.write(text)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that the file has."""
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new))

    def commit(self) -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", "test")

    def results(self) -> dict[str, str]:
        """The sha256 of every result, by path."""
        paths = [path for pattern in RESULTS for path in self.folder.glob(pattern)]
        return {str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def copy(self, folder: Path) -> "Project":
        """A copy in `folder`, with its own cache."""
        shutil.copytree(self.folder.parent, folder, symlinks=True)
        return Project(folder / self.folder.name)


# Has a project made, and returns it: the fixture `once` (name, what is to be done in the project at first).
Once = Callable[[str, Callable[[Project], None]], Project]


def create_project(folder: Path) -> Project:
    """A copy of this checkout (what git tracks or would track) in folder/project, committed, with nothing run yet."""
    project = Project(folder / "project")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        is_result = name == "dvc.lock" or (name.startswith("metrics/") and not name.endswith(".gitignore"))
        if (ROOT / name).is_file() and not is_result:
            (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project.folder / name)
    write_tiny_dataset(folder / "source")
    (project.folder / "data/checksums.txt").write_text(checksums(folder / "source"))
    project.set_param("data.validation_size", 100)
    for name, recipe in project.read_params()["recipes"].items():
        project.set_param(f"recipes.{name}.epochs", NUM_EPOCHS)
        project.set_param(f"recipes.{name}.batch_size", 32)
        project.set_param(f"recipes.{name}.threads", 1)
        if "epochs" in recipe["schedule"]:
            project.set_param(f"recipes.{name}.schedule.epochs", NUM_EPOCHS)
    project.run("git", "init", "--quiet", "--initial-branch", "main")
    project.commit()
    return project


def stages_run(output: str) -> list[str]:
    """The stages that `dvc repro` ran, from what it printed; those restored from the run-cache are not among them."""
    return re.findall(r"^Running stage '(\w+)':", output, flags=re.MULTILINE)
