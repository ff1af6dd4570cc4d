"""What a stage says it was made from is, in a run that nothing disturbs, just what DVC records."""

import json
import os
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.deps import read_deps
from tests.project import STAGES, Project


@pytest.mark.parametrize("stage", STAGES)
def test_note_is_what_dvc_records(trained_template: Project, stage: str) -> None:
    note = json.loads((trained_template.folder / f"data/inputs/{stage}.json").read_text())
    recorded = YAML(typ="safe").load((trained_template.folder / "dvc.lock").read_text())["stages"][stage]
    assert note["deps"] == {dep["path"]: dep["md5"] for dep in recorded["deps"]}
    assert note["params"] == recorded["params"]


@pytest.fixture
def _in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text("stages: {some: {deps: [code, table.csv]}}\n")
    Path("table.csv").write_text("a,b\n")
    Path("code/inner").mkdir(parents=True)
    Path("code/inner/module.py").write_text("answer = 42\n")


@pytest.mark.usefixtures("_in_project")
def test_edit_new_file_and_removed_file_are_named() -> None:
    deps = read_deps("some")
    Path("table.csv").unlink()
    Path("code/inner/module.py").write_text("answer = 43\n")
    Path("code/more.py").write_text("")
    assert deps.changed() == ["code/inner/module.py", "code/more.py", "table.csv"]
    assert deps.hashes() != read_deps("some").hashes()


@pytest.mark.usefixtures("_in_project")
def test_what_dvc_ignores_and_what_is_no_file_counts_for_nothing() -> None:
    Path(".dvcignore").write_text("__pycache__/\n*~\n")
    deps = read_deps("some")
    Path("code/inner/__pycache__").mkdir()
    Path("code/inner/__pycache__/module.pyc").write_bytes(b"")
    Path("code/module.py~").write_text("")
    os.mkfifo("code/pipe")
    assert deps.changed() == []
