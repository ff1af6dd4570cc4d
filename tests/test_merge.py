"""Two branches with new results are merged by the lines of docs/sharing.md, and nothing runs that one of them ran."""

import re

from tests import ROOT
from tests.project import Project, stages_run
from tests.remotes import MAKE


def test_merge_of_two_results_runs_nothing(project: Project) -> None:
    project.run("git", "checkout", "--quiet", "-b", "theirs")
    project.set_param("recipe", "notes")
    project.repro()
    project.commit()
    theirs = project.results()
    project.run("git", "checkout", "--quiet", "main")
    project.run("dvc", "checkout", "--quiet")
    project.set_param("recipes.demo.batch_size", 16)
    project.repro()
    project.commit()
    conflict = project.run("git", "merge", "theirs", check=False).stdout
    assert "CONFLICT (content): Merge conflict in dvc.lock" in conflict
    assert "Merge conflict in metrics/train.csv" in conflict
    assert "Merge conflict in params.yaml" not in conflict

    section = (ROOT / "docs/sharing.md").read_text().split("## Merge\n")[1]
    [lines] = re.findall(r"^```\n(.*?)^```$", section.split("\n## ")[0], flags=re.MULTILINE | re.DOTALL)
    assert "make repro" in lines
    output = project.run("bash", "-euc", lines.replace("make repro", " ".join([*MAKE, "repro"]))).stdout
    assert stages_run(output) == []
    assert project.run("git", "status", "--porcelain").stdout == ""
    assert project.results() == theirs, "of the merged parameters, recipe is theirs"
