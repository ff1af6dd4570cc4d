"""Every command ends as its status says, and says why in one line on stderr."""

import pytest

from pipeline.errors import UserError
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
