"""Every command says how it is used, at once: without importing torch, which takes seconds."""

import subprocess
import sys

import pytest

from tests import ROOT

TOOLS = sorted(path.stem for path in (ROOT / "tools").glob("*.py") if "__main__" in path.read_text(encoding="utf-8"))


def test_commands_are_found() -> None:
    assert {"compare", "demo", "doctor", "predict", "resume", "share", "summary", "verify"} <= set(TOOLS)


@pytest.mark.parametrize("tool", TOOLS)
def test_help_is_printed_without_torch(tool: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", f"tools.{tool}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.stdout.startswith(f"usage: python -m tools.{tool} ")
    assert "argparse" in imported
    assert "torch" not in imported
    assert "dvc" not in imported or tool in ("compare", "doctor", "share")  # Which work on DVC's own objects.
