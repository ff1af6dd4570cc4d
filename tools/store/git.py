"""Runs git in a folder, on the repository of that folder, also where a hook's variables name another one."""

import os
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UserError

# Not where the repository is, but how git works (`git -c`; `safe.directory` in containers): also what it runs for a
# submodule gets them from git.
CONFIGURATION = ("GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT")
LONGEST_REASON = 400  # On a full disk git names every file that it cannot write.


def environment() -> dict[str, str]:
    """This process's environment without the variables that tie git to one repository, as GIT_DIR does."""
    command = ["git", "rev-parse", "--local-env-vars"]
    local = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {name: value for name, value in os.environ.items() if name not in local or name in CONFIGURATION}


def git(*arguments: str, folder: Path = Path()) -> str:
    """Return what git prints, stripped; raise UserError with its reason if it fails."""
    return os.fsdecode(_output(arguments, folder)).strip()


def show(revision: str, path: Path, folder: Path = Path()) -> bytes:
    """Return a file, by its path in the folder, as a revision has it; raise UserError if it has none."""
    return _output(("show", f"{revision}:./{path.as_posix()}"), folder)


def _output(arguments: Sequence[str], folder: Path) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment(), capture_output=True)
    if done.returncode != 0:
        said = textwrap.shorten(done.stderr.decode(errors="replace"), LONGEST_REASON, placeholder=" ...")
        raise UserError(f"git {arguments[0]}: {said}")
    return done.stdout
