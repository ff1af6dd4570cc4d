"""The workflow that users copy calls only make, and what it calls works without a remote or its credentials."""

import re

import yaml

from tests import ROOT
from tests.project import Project
from tests.remotes import MAKE

WORKFLOW = ROOT / ".github/workflows/ci.yml"


def test_workflow_calls_only_targets_of_the_makefile() -> None:
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["test"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {command.split()[1] for command in commands} <= set(targets)
    assert all(command.split()[0] == "make" for command in commands)


def test_results_that_are_not_the_commits_fail(project: Project) -> None:
    assert project.run(*MAKE, "restore").stdout == "", "no remote is set"
    assert "\n| test_accuracy | " in project.run(*MAKE, "metrics").stdout
    project.run(*MAKE, "unchanged")
    project.edit("metrics/evaluate.json", '"test_errors": ', '"test_errors": 1')
    project.commit()
    done = project.run(*MAKE, "unchanged", check=False)
    assert done.returncode != 0
    assert '\n-  "test_errors": 1' in done.stdout
    project.commit()
    project.append("stages/evaluate/statistics.py", "# edited\n")
    done = project.run(*MAKE, "unchanged", check=False)
    assert done.returncode != 0
    assert "\n+      md5: " in done.stdout
