"""What runs after which change: the real `dvc` on tiny data."""

import json
from collections.abc import Callable

import pandas as pd
import pytest

from tests.project import NUM_EPOCHS, STAGES, Project, stages_run


def edit_param(key: str, value: object) -> Callable[[Project], None]:
    return lambda project: project.set_param(key, value)


def leave_scratch_files(project: Project) -> None:
    for folder in ("pipeline", "mnist", "stages/train"):
        (project.folder / folder / "__pycache__").mkdir(exist_ok=True)
        for name in ("__pycache__/other.cpython-311.pyc", "model.py~", ".model.py.swp", ".#model.py", ".DS_Store"):
            (project.folder / folder / name).write_text("")


def edit_file(path: str) -> Callable[[Project], None]:
    comment = "\n<!-- edited -->\n" if path.endswith((".md", ".jinja")) else "\n# edited\n"
    return lambda project: project.append(path, comment)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        pytest.param(lambda project: None, [], id="nothing"),
        pytest.param(edit_file("README.md"), [], id="README.md"),
        pytest.param(edit_file("tools/summary.py"), [], id="a tool"),
        pytest.param(edit_file("tests/tiny.py"), [], id="a test"),
        pytest.param(edit_param("recipes.notes.batch_size", 16), [], id="a key of another recipe"),
        pytest.param(edit_file("stages/download/sources.py"), ["download"], id="library file of download"),
        pytest.param(edit_file("stages/train/schedule.py"), ["train"], id="library file of train"),
        pytest.param(edit_file("stages/evaluate/statistics.py"), ["evaluate"], id="library file of evaluate"),
        pytest.param(edit_file("mnist/model.py"), ["train", "evaluate", "illustrate"], id="library file of three"),
        pytest.param(edit_file("stages/evaluate/__main__.py"), ["evaluate"], id="evaluate.py"),
        pytest.param(edit_file("stages/illustrate/pictures.py"), ["illustrate"], id="library file of illustrate"),
        pytest.param(edit_file("stages/report/charts.py"), ["report"], id="library file of report"),
        pytest.param(edit_file("stages/report/report.html.jinja"), ["report"], id="the report's template"),
        pytest.param(edit_file("pipeline/files.py"), STAGES, id="library file of all"),
        pytest.param(edit_file("stages/illustrate/new.py"), ["illustrate"], id="a new module"),
        pytest.param(leave_scratch_files, [], id="what Python and editors leave"),
    ],
)
def test_change_reruns_only_what_it_affects(
    project: Project, edit: Callable[[Project], None], expected: list[str]
) -> None:
    edit(project)
    assert project.repro() == expected


def test_run_leaves_nothing_for_git_but_its_lock_and_metrics(project: Project) -> None:
    assert project.run("git", "status", "--porcelain").stdout == ""
    project.set_param("data.split_seed", 1)
    assert project.repro() == STAGES[1:]
    assert project.run("git", "diff", "--cached", "--name-only").stdout == "", "staging could hide an edit from git"
    changed = {line[3:] for line in project.run("git", "status", "--porcelain").stdout.splitlines()}
    assert {"dvc.lock", "params.yaml"} < changed
    assert all(path.startswith("metrics/") for path in changed - {"dvc.lock", "params.yaml"})


def test_run_in_a_fresh_clone_gives_the_committed_bytes(project: Project) -> None:
    project.run("git", "clone", "--quiet", ".", "../clone")
    clone = Project(project.folder.parent / "clone").fresh()
    assert clone.repro() == STAGES
    assert clone.run("git", "status", "--porcelain").stdout == ""
    assert clone.results() == project.results()


def test_key_of_the_chosen_recipe_reruns_all_and_its_old_value_is_restored_from_the_run_cache(project: Project) -> None:
    before = project.results()
    project.set_param("recipes.demo.batch_size", 16)
    assert project.repro() == STAGES[1:]
    assert project.results() != before
    project.set_param("recipes.demo.batch_size", 32)
    assert project.repro() == []
    assert project.results() == before


def test_experiment_switches_the_recipe_and_commits_are_compared(project: Project) -> None:
    output = project.run("dvc", "exp", "run", "-S", "recipe=notes").stdout
    assert stages_run(output) == STAGES[1:]
    assert project.read_params()["recipe"] == "notes"
    assert project.repro() == []
    project.commit()
    metrics = project.run("dvc", "metrics", "diff", "HEAD~1", "--all").stdout
    assert "test_accuracy" in metrics
    assert "CPU x86_64" in metrics, "the environment is shown"
    parameters = project.run("dvc", "params", "diff", "HEAD~1").stdout.split()
    assert parameters[-4:] == ["params.yaml", "recipe", "demo", "notes"]


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("recipes.demo.batch_size", 0, "recipes.demo.batch_size is 0"),
        ("recipes.demo.epoch", 5, "recipes.demo.epoch (here 5) is not a known key"),
        ("recipes.demo.optimizer.learning_rate", "1e-3", "recipes.demo.optimizer.learning_rate"),
        ("recipe", "dmo", "recipes.dmo"),
        ("data.validation_size", 600, "data.validation_size is 600"),
        ("data.dataset", "imagenet", "data.dataset is 'imagenet'"),
        ("device", "gpu", "device is 'gpu'; input should be 'cpu' or 'cuda'"),
    ],
)
def test_bad_parameter_is_refused_in_one_line_before_any_training(
    project: Project, key: str, value: object, complaint: str
) -> None:
    project.set_param(key, value)
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert len([line for line in done.stdout.splitlines() if complaint in line]) == 1, done.stdout
    assert "epoch 1/" not in done.stdout
    assert "Traceback" not in done.stdout


def test_table_of_epochs_that_is_none_is_one_clear_line(project: Project) -> None:
    for content in ("", "epoch,sha256\n", "<<<<<<< HEAD\nepoch,sha256\n1,x\n", "epoch,sha256\none,x\n"):
        (project.folder / "metrics/train.csv").write_text(content)
        done = project.run("python", "-m", "stages.evaluate", check=False)
        assert done.returncode == 1
        assert done.stdout == (
            "evaluate: metrics/train.csv is no table of epochs: `git checkout HEAD metrics/train.csv` restores it\n"
        )


def test_altered_source_file_is_refused_and_data_left_alone(project: Project) -> None:
    source = project.folder.parent / "source/t10k-labels-idx1-ubyte"
    content = bytearray(source.read_bytes())
    content[100] ^= 1
    source.write_bytes(content)
    raw = {path: path.read_bytes() for path in (project.folder / "data/raw").rglob("*ubyte")}
    done = project.run("python", "-m", "stages.download", check=False)
    assert done.returncode != 0
    assert str(source) in done.stdout
    assert {path: path.read_bytes() for path in (project.folder / "data/raw").rglob("*ubyte")} == raw
    assert len(raw) == 4


def test_shared_run_is_taken_not_repeated(project: Project) -> None:
    project.run("dvc", "remote", "add", "--default", "share", str(project.folder.parent / "remote"))
    project.run("dvc", "push", "--run-cache")
    project.commit()
    project.run("git", "clone", "--quiet", ".", "../clone")
    clone = Project(project.folder.parent / "clone")
    assert clone.repro("--pull") == []
    assert clone.results() == project.results()


def test_evaluation_repeats_the_validation_numbers_of_training_to_the_byte(project: Project) -> None:
    tables = [pd.read_csv(project.folder / f"metrics/{name}.csv", dtype=str) for name in ("train", "checkpoints")]
    columns = ["epoch", "validation_loss", "validation_accuracy"]
    assert tables[0][columns].equals(tables[1][columns])
    assert len(tables[0]) == NUM_EPOCHS


def test_without_validation_images_the_last_epoch_is_taken_and_the_page_says_why(project: Project) -> None:
    project.set_param("data.validation_size", 0)
    project.repro()
    metrics = json.loads((project.folder / "metrics/evaluate.json").read_text())
    assert metrics["best_epoch"] == NUM_EPOCHS
    assert "validation_accuracy" not in metrics
    page = " ".join((project.folder / "metrics/report.html").read_text().split())
    assert "was chosen as the last one, as there are no validation images" in page
    assert ">nan<" not in page.lower()
