"""No run is recorded as made from what it was not made from, without that being said."""

import json
import shutil
from pathlib import Path

import yaml
from ruamel.yaml import YAML

from tests import ROOT
from tests.project import Project
from tools.store.run_cache import entry_of


def hook(moment: str, *edit: str) -> dict[str, str]:
    """The environment in which a stage's process edits a file of the project at a moment; see tests/hooks."""
    return {"PYTHONPATH": str(ROOT / "tests/hooks"), "EDIT": json.dumps([moment, *edit])}


def test_code_that_is_edited_while_torch_loads_is_not_what_the_results_are_recorded_for(project: Project) -> None:
    lock = (project.folder / "dvc.lock").read_text()
    shutil.rmtree(project.folder / "data/.resume")
    edit = ("mnist/checkpoint.py", "Checkpoints:", "Checkpoints: edited,")
    project.append("stages/train/schedule.py", "# So that train runs.\n")
    done = project.fresh().run("dvc", "repro", "train", check=False, **hook("load", *edit))
    assert done.returncode != 0
    assert "train: changed while the stage was running: mnist/checkpoint.py; nothing was published" in done.stdout
    assert (project.folder / "dvc.lock").read_text() == lock
    assert list(project.folder.glob("data/.resume/*/manifest.json")) == []


def test_edit_that_dvc_alone_saw_is_named_with_the_stage_to_run_again(project: Project, tmp_path: Path) -> None:
    project.append("stages/train/schedule.py", "# first\n")
    edit = hook("end", "stages/train/schedule.py", "# first", "# second")
    project.run("dvc", "repro", "train", check=True, **edit)
    project.repro()
    assert project.repro() == [], "DVC sees nothing"
    project.run("dvc", "remote", "add", "--default", "share", str(tmp_path / "remote"))
    commands = [("share", "push"), ("verify", "--outputs"), ("summary", "--check"), ("doctor", "--repair")]
    for tool, argument in commands:
        done = project.run("python", "-m", f"tools.{tool}", argument, check=False)
        assert done.returncode == 1
        assert (
            " does not record the run of train that was made: it used another stages/train; "
            "run `dvc repro --force --single-item train`\n"
        ) in done.stdout.replace("dvc.lock:", "")
    assert not (tmp_path / "remote").exists()
    project.run("dvc", "repro", "--force", "--single-item", "train")
    project.run("dvc", "repro")
    for tool, argument in commands:
        project.run("python", "-m", f"tools.{tool}", argument)


def test_parameter_that_dvc_alone_saw_ends_evaluate(project: Project) -> None:
    project.append("stages/train/schedule.py", "# edited\n")
    done = project.run("dvc", "repro", check=False, **hook("end", "params.yaml", "batch_size: 32", "batch_size: 16"))
    assert "evaluate: the checkpoints were trained with another batch_size than params.yaml has" in done.stdout


def poison(project: Project, key: str, value: object) -> str:
    """Add a record to the run-cache: that train, with another value of a parameter, gives the outputs of now."""
    stage = YAML(typ="safe").load((project.folder / "dvc.lock").read_text())["stages"]["train"]
    name = key.split(".")
    stage["params"]["params.yaml"][f"recipes.{name[1]}"][name[2]] = value
    entry = entry_of(stage).name
    path = project.folder / ".dvc/cache/runs" / entry
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(stage))
    project.set_param(key, value)
    return entry


def test_wrong_record_that_dvc_takes_from_the_run_cache_ends_evaluate(project: Project) -> None:
    poison(project, "recipes.demo.seed", 7)
    done = project.run("dvc", "repro", check=False)
    assert "Stage 'train' is cached - skipping run" in done.stdout
    assert done.returncode != 0
    assert (
        "evaluate: the checkpoints were trained with another seed than params.yaml has: "
        "DVC's record of their run is wrong; "
    ) in done.stdout
    assert "Traceback" not in done.stdout


def test_doctor_finds_a_wrong_record_and_sets_it_aside(project: Project) -> None:
    entry = poison(project, "recipes.demo.seed", 7)
    said = f"run-cache entry {entry}: it used another params.yaml: recipes.demo.seed: "
    assert said in project.run("python", "-m", "tools.doctor", check=False).stdout
    assert "repaired: a wrong record" in project.run("python", "-m", "tools.doctor", "--repair", check=False).stdout
    assert not (project.folder / ".dvc/cache/runs" / entry).exists()
    assert "train" in project.repro()


def test_wrong_record_in_the_run_cache_is_not_pushed(project: Project, tmp_path: Path) -> None:
    entry = poison(project, "recipes.demo.seed", 7)
    project.run("git", "checkout", "params.yaml")
    project.run("dvc", "remote", "add", "--default", "share", str(tmp_path / "remote"))
    project.run("python", "-m", "tools.share", "push")
    assert not (tmp_path / "remote/runs" / entry).exists()
    assert len(list((tmp_path / "remote/runs").glob("*/*/*"))) >= 5


def test_wrong_record_in_a_remotes_run_cache_is_not_taken(project: Project, tmp_path: Path) -> None:
    entry = poison(project, "recipes.demo.seed", 7)
    project.run("git", "checkout", "params.yaml")
    project.run("dvc", "remote", "add", "--default", "share", str(tmp_path / "remote"))
    project.run("dvc", "push", "--run-cache")
    shutil.rmtree(project.folder / ".dvc/cache/runs")
    done = project.run("python", "-m", "tools.share", "pull", check=False)
    assert done.returncode == 1
    assert f"run-cache entry {entry}: it used another params.yaml: recipes.demo.seed; set aside as" in done.stdout
    assert not (project.folder / ".dvc/cache/runs" / entry).exists()


def test_small_number_is_the_same_in_note_lock_and_run_cache(project: Project) -> None:
    project.set_param("recipes.demo.optimizer.learning_rate", 0.00005)
    project.run("dvc", "repro")
    assert project.run("python", "-m", "tools.verify", "--outputs").stdout.endswith(" 0 problems found\n")
