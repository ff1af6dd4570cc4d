"""The one test on the real data, from wherever this machine can get it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT, create_project


@pytest.mark.network
def test_demo_learns_real_mnist_in_one_epoch(tmp_path: Path) -> None:
    project = create_project(tmp_path)
    (project.folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (project.folder / "data/checksums.txt").write_bytes((ROOT / "data/checksums.txt").read_bytes())
    project.set_param("recipes.demo.epochs", 1)
    environment = project.environment(MNIST_DIR=os.environ.get("MNIST_DIR", ""))
    subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=project.folder, env=environment, check=True)
    metrics = json.loads((project.folder / "metrics/evaluate.json").read_text())
    assert metrics["test_accuracy"] >= 0.95
