"""Every command ends as its status says, and says why in one line on stderr."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dvc.utils.serialize import load_yaml

from pipeline.errors import UserError
from tests import ROOT
from tests.project import Project
from tools.command import command


def end(error: BaseException, *arguments: object) -> object:
    with pytest.raises(SystemExit) as ended, command("tool", *arguments):  # type: ignore[arg-type]
        raise error
    return ended.value.code


def test_mistake_of_the_user_is_said_in_its_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(UserError("a.json is missing")) == 1
    assert end(UserError("it does not answer"), 4) == 4
    assert capsys.readouterr() == ("", "tool: a.json is missing\ntool: it does not answer\n")


def test_error_that_a_command_names_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(OSError("no\nspace"), 4, (UserError, OSError)) == 4
    assert capsys.readouterr().err == "tool: OSError: no space\n"


def test_interruption_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "tool: interrupted\n"


def test_any_other_error_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), command("tool"):
        raise ZeroDivisionError


def test_error_that_comes_out_of_dvc_is_said_in_one_line_and_names_the_doctor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dvc.lock").write_text("[")
    with pytest.raises(SystemExit) as ended, command("tool", 4):
        load_yaml(str(tmp_path / "dvc.lock"))
    assert ended.value.code == 4
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("tool: ")
    assert line.endswith("; `make doctor` says what is wrong here, and what to do")


def test_error_of_ours_keeps_its_traceback_also_where_dvc_calls_us() -> None:
    ours: dict[str, Any] = {"__name__": "tools.ours"}
    exec("def fail(*path, **options): raise KeyError(path)", ours)
    with pytest.raises(KeyError), command("tool"):
        load_yaml("dvc.lock", fs=SimpleNamespace(open=ours["fail"]))


@pytest.mark.parametrize("options", [[], ["-u"]])
@pytest.mark.parametrize(
    "printed", ["print('x' * 99_999)", "print(1, flush=True)", "print(1)", "print(1); sys.exit(3)"]
)
def test_output_that_nobody_reads_on_ends_a_command_silently(options: list[str], printed: str) -> None:
    script = f"import sys\nfrom tools.command import command\nwith command('tool'):\n  input(); {printed}"
    process = subprocess.Popen([sys.executable, *options, "-c", script], cwd=ROOT, stdin=-1, stdout=-1, stderr=-1)
    assert process.stdin
    assert process.stdout
    process.stdout.close()
    process.stdin.write(b"\n")
    assert process.communicate()[1] == b""
    assert process.returncode == 141


@pytest.mark.parametrize("tool", ["compare", "predict --json none.png", "summary", "verify --outputs", "doctor"])
def test_commands_print_where_that_holds(project: Project, tool: str) -> None:
    shell = f'python -m tools.{tool} | true; exit "${{PIPESTATUS[0]}}"'
    done = project.run("bash", "-c", shell, check=False)
    assert done.returncode == 141
    assert "Traceback" not in done.stdout
    assert "BrokenPipe" not in done.stdout


def test_connection_that_breaks_is_no_output_that_nobody_reads() -> None:
    with pytest.raises(BrokenPipeError), command("tool"):
        raise BrokenPipeError
