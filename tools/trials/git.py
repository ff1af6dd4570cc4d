"""Runs git, and says in one line why it failed."""

import subprocess
from pathlib import Path

from pipeline.errors import UserError


def git(*arguments: str, folder: Path = Path()) -> str:
    """What git prints, in a folder; raise UserError with the last line that it says if it fails."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"]
        raise UserError(f"git {arguments[0]}: {said[-1]}")
    return done.stdout.rstrip("\n")
