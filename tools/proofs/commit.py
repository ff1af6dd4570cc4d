"""The current commit in a clone with an empty cache, and its stages run there."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError
from tools.store.git import environment, git
from tools.store.scratch import end_in_one_line, run, scratch_folder


@contextmanager
def clone_of_commit(command: str) -> Iterator[Path]:
    """A clone of the current commit, removed at the end, however `command` ends."""
    end_in_one_line(command)
    commit = git("rev-parse", "HEAD")
    print(f"verifying commit {commit[:12]} in a clone with an empty cache", flush=True)
    if git("status", "--porcelain"):
        print("what is not committed here is no part of it", flush=True)
    with scratch_folder() as scratch:
        clone = scratch / "clone"
        git("clone", "--quiet", "--no-hardlinks", ".", str(clone))
        git("checkout", "--quiet", commit, folder=clone)
        yield clone


def environment_in(clone: Path) -> dict[str, str]:
    """The environment of commands that work in such a clone alone."""
    own = {
        "DVC_SITE_CACHE_DIR": str(clone.parent / "site"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    if folder := os.environ.get("MNIST_DIR"):
        own["MNIST_DIR"] = str(Path(folder).resolve())
    return environment() | own


def run_stages(clone: Path, *targets: str) -> None:
    """Run `dvc repro` without anything that is cached, all of it or these targets; raise UserError if it fails."""
    command = ["dvc", "repro", "--force", "--no-run-cache", "--no-commit", *targets]
    if run(command, clone, environment_in(clone)) != 0:
        raise UserError("the pipeline failed in the clone; its last lines say why")
