"""dvc.yaml names all that a stage depends on: the code it imports, the files it opens, the parameters it reads."""

import ast
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import ROOT
from tests.project import STAGES, Project

PACKAGES = ("mnist", "pipeline", "stages")
# Their versions change no byte: they show progress; bring files whose md5 is checked; know what DVC ignores; read
# params.yaml, in two ways that must agree.
UNTRACKED_PACKAGES = {"tqdm", "requests", "pathspec", "pyyaml", "ruamel.yaml", "ruamel.yaml.clib"}
SCRATCH = ("data/.locks", "data/.resume", "data/.raw-", "data/.checkpoints-")


def declared(folder: Path, stage: str) -> dict[str, Any]:
    """The stage's entry in dvc.yaml; it may have no params."""
    entry: dict[str, Any] = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"][stage]
    return {"params": []} | entry


def imported_code(folder: Path, stage: str) -> set[str]:
    """The project's code files that the stage imports, directly or not, with the packages that they are in."""
    found: set[str] = set()
    waiting = [f"stages.{stage}.__main__"]
    while waiting:
        module = waiting.pop()
        parts = module.split(".")
        for path in ["/".join([*parts[:end], "__init__"]) + ".py" for end in range(1, len(parts))] + [
            "/".join(parts) + ".py",
            "/".join([*parts, "__init__"]) + ".py",
        ]:
            if (folder / path).is_file() and path not in found:
                found.add(path)
                waiting += [module for module in imports(folder / path) if module.split(".")[0] in PACKAGES]
    return found


def imported_packages(folder: Path, stage: str) -> set[str]:
    """The names, as pip knows them, of the packages that this code imports."""
    modules = {module.split(".")[0] for path in imported_code(folder, stage) for module in imports(folder / path)}
    distributions = packages_distributions()
    return {name.lower() for module in modules for name in distributions.get(module, [])}


def imports(path: Path) -> list[str]:
    modules = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path} has a relative import"
            modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return modules


def wrong_code_deps(folder: Path, stage: str) -> set[str]:
    """The code files that are imported and below no dep, and the deps of code below which nothing is imported."""
    imported = imported_code(folder, stage)
    code_deps = {dep for dep in declared(folder, stage)["deps"] if dep.split("/")[0] in PACKAGES}
    undeclared = {path for path in imported if not any(lies_below(path, dep) for dep in code_deps)}
    unused = {dep for dep in code_deps if not any(lies_below(path, dep) for path in imported)}
    return undeclared | unused


def lies_below(path: str, dep: str) -> bool:
    """Whether the path is that of a dep, or of something in the dep's folder."""
    return path == dep or path.startswith(f"{dep}/")


def undeclared_files(project: Project, stage: str, opened: set[str]) -> set[str]:
    """Of the files that the stage opened, those of the project that dvc.yaml does not mention."""
    entry = declared(project.folder, stage)
    names = [name for kind in ("deps", "outs", "metrics", "plots") for name in entry.get(kind, [])]
    mentioned = [next(iter(name)) if isinstance(name, dict) else name for name in names] + ["params.yaml"]
    mentioned += [next(iter(name)) for name in entry["params"] if isinstance(name, dict)]
    inside = {path for path in map(source_of, opened) if path.is_relative_to(project.folder)}
    relative = {path.relative_to(project.folder).as_posix() for path in inside if path.is_file()}
    return {
        path
        for path in relative
        if not path.startswith(SCRATCH) and not any(lies_below(path, name) for name in mentioned)
    }


def source_of(path: str) -> Path:
    """The code file that a compiled one was made from; any other path as it is."""
    opened = Path(path)
    return opened.parent.parent / f"{opened.name.split('.')[0]}.py" if opened.parent.name == "__pycache__" else opened


def undeclared_params(folder: Path, stage: str, read: set[str]) -> set[str]:
    """The parameters that the stage reads and dvc.yaml does not list, and those listed and not read."""
    recipe = yaml.safe_load((folder / "params.yaml").read_text())["recipe"]
    listed = {key.replace("${recipe}", recipe) for key in declared(folder, stage)["params"] if isinstance(key, str)}
    return listed ^ read


def declared_groups(folder: Path, stage: str) -> set[str]:
    """The groups of pinned packages among the stage's params."""
    files = [entry for entry in declared(folder, stage)["params"] if isinstance(entry, dict)]
    return {key.removeprefix("dependency-groups.") for entry in files for key in entry["pyproject.toml"]}


def untracked_packages(folder: Path, stage: str, groups: set[str]) -> set[str]:
    """Of the packages that the stage's code imports, those that are in none of the groups."""
    pins = tomllib.loads((folder / "pyproject.toml").read_text())["dependency-groups"]
    tracked = {pin.split("==")[0] for group in groups for pin in pins[group]}
    return imported_packages(folder, stage) - tracked - UNTRACKED_PACKAGES


@pytest.fixture(scope="module")
def audited(
    trained_template: Project, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, dict[str, list[str]]]:
    """A project whose stages all ran under an audit hook, and per stage the events `open <path>` and so on."""
    project = trained_template.copy(tmp_path_factory.mktemp("audited") / "copy")
    logs = tmp_path_factory.mktemp("audit")
    variables = {"PYTHONPATH": str(ROOT / "tests/hooks"), "AUDIT_FOLDER": str(logs)}
    assert project.repro("--force", **variables) == STAGES
    return project, {stage: (logs / f"stages.{stage}").read_text().splitlines() for stage in STAGES}


def events(log: list[str], kind: str) -> set[str]:
    return {line.split(" ", 1)[1] for line in log if line.startswith(f"{kind} ")}


@pytest.mark.parametrize("stage", STAGES)
def test_all_that_a_stage_imports_lies_below_a_dep_and_no_dep_is_unused(stage: str) -> None:
    assert wrong_code_deps(ROOT, stage) == set()


@pytest.mark.parametrize("stage", STAGES)
def test_stage_opens_no_file_that_is_not_declared(audited: tuple[Project, dict[str, list[str]]], stage: str) -> None:
    project, logs = audited
    opened = {str(project.folder / path) for path in events(logs[stage], "open")}
    assert str(project.folder / "stages/__init__.py") in {str(source_of(path)) for path in opened}, (
        "the hook sees files"
    )
    assert undeclared_files(project, stage, opened) == set()


@pytest.mark.parametrize("stage", STAGES)
def test_stage_reads_exactly_the_parameters_that_are_declared(
    audited: tuple[Project, dict[str, list[str]]], stage: str
) -> None:
    project, logs = audited
    assert undeclared_params(project.folder, stage, events(logs[stage], "pipeline.read_param")) == set()


@pytest.mark.parametrize("stage", STAGES)
def test_every_dep_that_is_taken_out_is_missed(audited: tuple[Project, dict[str, list[str]]], stage: str) -> None:
    project, logs = audited
    opened = {str(project.folder / path) for path in events(logs[stage], "open")}
    original = (project.folder / "dvc.yaml").read_text()
    try:
        for dep in declared(project.folder, stage)["deps"]:
            document = yaml.safe_load(original)
            document["stages"][stage]["deps"].remove(dep)
            (project.folder / "dvc.yaml").write_text(yaml.safe_dump(document))
            missed = undeclared_files(project, stage, opened)
            assert missed
            assert all(lies_below(path, dep) for path in missed)
            if dep.split("/")[0] in PACKAGES:
                assert wrong_code_deps(project.folder, stage) == {path for path in missed if path.endswith(".py")}
    finally:
        (project.folder / "dvc.yaml").write_text(original)


@pytest.mark.parametrize("stage", STAGES)
def test_every_parameter_that_is_taken_out_is_missed(audited: tuple[Project, dict[str, list[str]]], stage: str) -> None:
    project, logs = audited
    read = events(logs[stage], "pipeline.read_param")
    for key in read:
        assert undeclared_params(project.folder, stage, read - {key}) == {key}


@pytest.mark.parametrize("stage", STAGES)
def test_stage_checks_exactly_the_groups_that_are_declared(
    audited: tuple[Project, dict[str, list[str]]], stage: str
) -> None:
    project, logs = audited
    assert declared_groups(project.folder, stage) == events(logs[stage], "pipeline.pinned_versions")


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "download"])  # Its results are checked by md5.
def test_groups_hold_every_package_that_can_change_results(stage: str) -> None:
    groups = declared_groups(ROOT, stage)
    assert untracked_packages(ROOT, stage, groups) == set()
    for group in groups:
        assert untracked_packages(ROOT, stage, groups - {group}), f"{group} is needed"


def test_every_stage_has_a_description_and_every_metric_stays_in_git() -> None:
    for stage in STAGES:
        entry = declared(ROOT, stage)
        assert entry["desc"]
        outputs = entry.get("metrics", []) + entry.get("plots", [])
        text = [output for output in outputs if not str(output).endswith(".png")]
        assert all(next(iter(output.values()))["cache"] is False for output in text)
