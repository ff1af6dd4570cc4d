"""The code stands on floors: bench on tools, tools on stages, stages on mnist, mnist on pipeline; nobody looks up."""

from pathlib import Path

import pytest

from tests import ROOT
from tests.test_dvc_yaml import imports

DVC = {"dvc", "dvc_data", "dvc_objects"}
# What a folder's modules may import of the project, and of DVC.
ALLOWED = {
    "pipeline": {"pipeline"},
    "mnist": {"mnist", "pipeline"},
    "stages": {"stages", "mnist", "pipeline"},
    "tools": {"tools", "stages", "mnist", "pipeline", *DVC},
    "bench": {"bench", "tools", "stages", "mnist", "pipeline"},
}
FLOORS = {*ALLOWED, "tests", *DVC}


def modules(folder: str) -> list[Path]:
    paths = sorted(path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py"))
    assert len(paths) > 1
    return paths


def imported(path: Path) -> set[str]:
    return set(imports(ROOT / path))


def test_every_folder_of_code_is_on_a_floor() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.name != "tests" and (path / "__init__.py").is_file()}
    assert folders == set(ALLOWED)


@pytest.mark.parametrize("folder", ALLOWED)
def test_no_module_imports_what_lies_above_it(folder: str) -> None:
    for path in modules(folder):
        packages = {module.split(".")[0] for module in imported(path)}
        assert packages & FLOORS <= ALLOWED[folder], path


def test_pipeline_needs_no_torch() -> None:
    for path in modules("pipeline"):
        assert not {module.split(".")[0] for module in imported(path)} & {"torch", "torchvision"}, path


def test_no_stage_imports_another() -> None:
    for path in modules("stages"):
        others = {module.split(".")[1] for module in imported(path) if module.startswith("stages.")}
        assert others <= {path.parts[1]}, path


def test_no_command_is_imported_by_another_or_by_a_room() -> None:
    commands = {path.stem for path in modules("tools") if "__main__" in (ROOT / path).read_text(encoding="utf-8")}
    assert {"compare", "verify"} <= commands
    for path in modules("tools"):
        assert not {module.split(".")[1] for module in imported(path) if module.startswith("tools.")} & commands, path


def test_only_entry_points_prepare_a_process() -> None:
    for folder in ALLOWED:
        for path in modules(folder):
            is_entry_point = path.parts[0] == "stages" and path.name in ("__main__.py", "join.py")
            assert ("pipeline.start" in imported(path)) == is_entry_point, path
