"""A stage notices when what it was made from changed while it ran."""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline.deps import read_deps
from pipeline.errors import UserError
from pipeline.inputs import Inputs, values_of
from pipeline.params import Section

PARAMS = """\
recipe: demo
training: {epochs: 5, rate: 0.5, schedule: {epochs: 6}}
unrelated: 1
"""


class Schedule(Section):
    epochs: int


class Training(Section):
    epochs: int
    rate: float
    schedule: Schedule


@pytest.fixture(autouse=True)
def _in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project of params.yaml, a data file, and a loaded module of its own, with a stage that depends on both."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text("stages: {test: {deps: [data, mnist]}}\n", encoding="utf-8")
    Path("params.yaml").write_text(PARAMS, encoding="utf-8")
    Path("data").write_bytes(b"content")
    Path("mnist").mkdir()
    Path("mnist/code.py").write_text("answer = 42\n", encoding="utf-8")
    module = ModuleType("mnist.code")
    module.__file__ = str(tmp_path / "mnist/code.py")
    monkeypatch.setitem(sys.modules, "mnist.code", module)


def replace(path: str, old: str, new: str) -> None:
    text = Path(path).read_text(encoding="utf-8")
    assert old in text
    Path(path).write_text(text.replace(old, new), encoding="utf-8")


def read_all() -> Inputs:
    inputs = Inputs(read_deps("test"))
    inputs.param("recipe", str)
    inputs.param("training", Training)
    inputs.files([Path("data")])
    return inputs


def change_error(inputs: Inputs) -> str:
    with pytest.raises(UserError) as raised:
        inputs.verify_unchanged()
    return str(raised.value)


def test_values_are_those_of_params() -> None:
    inputs = Inputs(read_deps("test"))
    assert inputs.param("recipe", str) == "demo"
    assert inputs.param("training", Training) == Training(epochs=5, rate=0.5, schedule=Schedule(epochs=6))


def test_nothing_changed_passes() -> None:
    read_all().verify_unchanged()


@pytest.mark.parametrize(
    ("path", "old", "new", "named"),
    [
        ("params.yaml", "rate: 0.5", "rate: 0.25", "params.yaml: training"),
        ("params.yaml", "{epochs: 6}", "{epochs: 7}", "params.yaml: training"),
        ("params.yaml", "recipe: demo", "recipe: fast", "params.yaml: recipe"),
        ("data", "content", "contents", "data"),
        ("mnist/code.py", "42", "43", "mnist/code.py"),
    ],
)
def test_change_is_named(path: str, old: str, new: str, named: str) -> None:
    inputs = read_all()
    replace(path, old, new)
    message = change_error(inputs)
    assert message.startswith(f"changed while the stage was running: {named}; nothing was published")
    assert "dvc repro" in message


@pytest.mark.parametrize("path", ["data", "mnist/code.py"])
def test_removed_file_is_named(path: str) -> None:
    inputs = read_all()
    Path(path).unlink()
    assert change_error(inputs).startswith(f"changed while the stage was running: {path};")


def test_every_change_is_named() -> None:
    inputs = read_all()
    replace("params.yaml", "rate: 0.5", "rate: 0.25")
    Path("data").unlink()
    replace("mnist/code.py", "42", "43")
    assert "running: params.yaml: training, data, mnist/code.py; " in change_error(inputs)


@pytest.mark.parametrize(
    ("old", "new"), [("unrelated: 1", "unrelated: 2"), ("unrelated: 1", "# a remark"), ("5, rate", "5,  rate")]
)
def test_edit_that_alters_no_value_read_passes(old: str, new: str) -> None:
    inputs = read_all()
    replace("params.yaml", old, new)
    inputs.verify_unchanged()


def test_file_written_again_with_the_same_content_passes() -> None:
    inputs = read_all()
    Path("data").unlink()
    Path("data").write_bytes(b"content")
    inputs.verify_unchanged()


@pytest.mark.parametrize("path", ["data", "mnist/code.py"])
def test_edit_while_the_code_was_loaded_is_named(path: str) -> None:
    deps = read_deps("test")
    Path(path).write_bytes(b"edited")
    with pytest.raises(UserError, match=f"^changed while the stage was running: {path};"):
        Inputs(deps)


def test_code_outside_the_project_is_not_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mnist.code", ModuleType("mnist.code"))
    assert Inputs(read_deps("test")).note()["files"] == {}


def test_missing_file_is_named() -> None:
    with pytest.raises(UserError, match="nowhere is missing"):
        Inputs(read_deps("test")).files([Path("nowhere")])


def test_fifo_is_named_and_not_waited_for() -> None:
    os.mkfifo("pipe")
    with pytest.raises(UserError, match=r"^pipe is no regular file"):
        Inputs(read_deps("test")).files([Path("pipe")])


@pytest.mark.parametrize("dep", ["data", "mnist"])
def test_missing_dep_is_named(dep: str) -> None:
    Path(dep).rename("moved")
    with pytest.raises(UserError, match=f"^{dep} is missing: run `dvc repro`"):
        Inputs(read_deps("test"))


def test_note_says_what_was_used_in_the_form_of_dvc_lock() -> None:
    Path("pyproject.toml").write_text(f'[dependency-groups]\nsome = ["pyyaml=={version("pyyaml")}"]\n')
    inputs = read_all()
    inputs.versions("some")
    assert inputs.note() == {
        "deps": {"data": "9a0364b9e99bb480dd25e1f0284c8555", "mnist": "b6eb99d542a8b56b5bbf69749e88cc1f.dir"},
        "params": {
            "params.yaml": {"recipe": "demo", "training": {"epochs": 5, "rate": 0.5, "schedule": {"epochs": 6}}},
            "pyproject.toml": {"dependency-groups.some": [f"pyyaml=={version('pyyaml')}"]},
        },
        "files": {
            "data": "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73",
            "mnist/code.py": "0a775022744f64c352863f165f2e125898419999bc57c83204772036d0ef6b2e",
        },
    }
    assert values_of(inputs.note())["pyyaml"] == version("pyyaml")


def test_values_name_everything_that_was_read() -> None:
    values = values_of(read_all().note())
    assert values | {"data": "", "mnist/code.py": ""} == {
        "recipe": "demo",
        "training.epochs": 5,
        "training.rate": 0.5,
        "training.schedule.epochs": 6,
        "data": "",
        "mnist/code.py": "",
    }


@pytest.mark.parametrize(
    ("path", "old", "new", "name"),
    [
        ("params.yaml", "rate: 0.5", "rate: 0.25", "training.rate"),
        ("params.yaml", "epochs: 6", "epochs: 7", "training.schedule.epochs"),
        ("params.yaml", "recipe: demo", "recipe: fast", "recipe"),
        ("data", "content", "contents", "data"),
        ("mnist/code.py", "42", "43", "mnist/code.py"),
    ],
)
def test_exactly_what_changed_has_another_value(path: str, old: str, new: str, name: str) -> None:
    before = values_of(read_all().note())
    replace(path, old, new)
    after: dict[str, Any] = values_of(read_all().note())
    assert {key for key in before | after if before.get(key) != after.get(key)} == {name}
