"""The device is a parameter: DVC keeps the runs of both apart, and none is taken for the other's.

But for the last test there need be no GPU: what the CPU gave stands in, in checkpoints that say they are a GPU's.
"""

import json
import shutil
from contextlib import chdir

import pandas as pd
import pytest
import torch

from mnist.checkpoint import encode, load
from mnist.determinism import RECORDED_DEVICE
from mnist.paths import ENVIRONMENT_JSON, EVALUATE_JSON, MODEL, TRAIN_CSV, checkpoint_path
from pipeline.deps import read_deps
from pipeline.files import sha256_of
from pipeline.stage import note_path
from tests.project import STAGES, Project

GPU = "GPU NVIDIA H200"
WITHOUT_GPU = {"CUDA_VISIBLE_DEVICES": ""}
REFUSAL = "params.yaml: device is 'cuda'; torch finds no usable GPU here: set it to cpu, or run this where there is one"


def write_checkpoints_of_a_gpu(project: Project) -> None:
    """Have checkpoints, and the files that go with them, say that a GPU made them; each has other bytes then."""
    project.edit(str(ENVIRONMENT_JSON), RECORDED_DEVICE, GPU)
    trained = pd.read_csv(project.folder / TRAIN_CSV, dtype=str, index_col="epoch")
    for epoch in trained.index:
        path = project.folder / checkpoint_path(int(epoch))
        network, description = load(path)
        environment = description.environment | {"device": GPU}
        path.write_bytes(encode(network, description.model_copy(update={"environment": environment})))
        trained.loc[epoch, "sha256"] = sha256_of(path.read_bytes())
    trained.to_csv(project.folder / TRAIN_CSV)


def record_run_on_a_gpu(project: Project) -> None:
    """Have DVC record, of every stage, a run with `device: cuda`, as it would where there is a GPU."""
    write_checkpoints_of_a_gpu(project)
    best = json.loads((project.folder / EVALUATE_JSON).read_text())["best_epoch"]
    shutil.copy(project.folder / checkpoint_path(best), project.folder / MODEL)
    project.append("metrics/augmented.png", "a GPU's")
    project.set_param("device", "cuda")
    with chdir(project.folder):
        for name in STAGES[1:]:
            note = json.loads(note_path(name).read_text())
            note["deps"] = read_deps(name).hashes()
            if "device" in note["params"]["params.yaml"]:
                note["params"]["params.yaml"]["device"] = "cuda"
            note_path(name).write_text(json.dumps(note))
    project.run("dvc", "commit", "--force")


@pytest.mark.parametrize("stage", ["train", "evaluate", "illustrate"])
def test_gpu_that_is_not_there_is_refused_in_one_line_before_any_work(project: Project, stage: str) -> None:
    before = project.results()
    project.set_param("device", "cuda")
    done = project.run("python", "-m", f"stages.{stage}", check=False, **WITHOUT_GPU)
    assert (done.returncode, done.stdout) == (1, f"{stage}: {REFUSAL}\n")
    assert project.results() == before


def test_experiment_on_a_gpu_ends_in_a_clone_where_there_is_none(project: Project) -> None:
    project.run("git", "clone", "--quiet", ".", "../clone")
    clone = Project(project.folder.parent / "clone")
    done = clone.run("dvc", "exp", "run", "-S", "device=cuda", check=False, **WITHOUT_GPU)
    assert done.returncode != 0
    assert f"train: {REFUSAL}\n" in done.stdout
    assert "epoch 1/" not in done.stdout
    assert "Traceback" not in done.stdout


def test_runs_on_both_devices_lie_side_by_side_in_the_run_cache(project: Project) -> None:
    results = {"cpu": project.results()}
    record_run_on_a_gpu(project)
    results["cuda"] = project.results()
    different = {path for path, sha256 in results["cpu"].items() if sha256 != results["cuda"][path]}
    assert {str(checkpoint_path(1)), str(MODEL), "metrics/augmented.png"} < different
    for device in ("cpu", "cuda", "cpu"):
        project.set_param("device", device)
        assert project.repro(**WITHOUT_GPU) == []
        assert project.results() == results[device]
        assert project.run("python", "-m", "tools.verify", "--outputs").stdout.endswith(" 0 problems found\n")


def test_checkpoints_of_a_gpu_that_are_recorded_as_the_cpus_end_evaluate(project: Project) -> None:
    write_checkpoints_of_a_gpu(project)
    project.run("dvc", "commit", "--force", "train")
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "evaluate: the checkpoints were trained with another device than params.yaml has: " in done.stdout
    assert "Traceback" not in done.stdout


def test_commit_of_a_gpu_is_not_verified_where_there_is_none(project: Project) -> None:
    record_run_on_a_gpu(project)
    project.commit()
    done = project.run("python", "-m", "tools.verify", check=False, **WITHOUT_GPU)
    assert done.returncode == 1
    assert f"train: {REFUSAL}\n" in done.stdout


def test_dvc_shows_the_device_among_the_parameters_of_the_stages(project: Project) -> None:
    project.set_param("device", "cuda")
    shown = project.run("dvc", "params", "diff", "--deps").stdout.split()
    assert shown[-4:] == ["params.yaml", "device", "cpu", "cuda"]
    status = json.loads(project.run("dvc", "status", "--json").stdout)
    assert [stage for stage in STAGES if '"device": "modified"' in json.dumps(status.get(stage))] == STAGES[1:4]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_the_same_training_gives_the_same_bytes(project: Project) -> None:
    project.set_param("device", "cuda")
    assert project.fresh().repro() == STAGES[1:]
    results = project.results()
    assert '"device": "GPU ' in (project.folder / ENVIRONMENT_JSON).read_text()
    shutil.rmtree(project.folder / "data/.resume")
    assert project.fresh().repro("--force") == STAGES
    assert project.results() == results
