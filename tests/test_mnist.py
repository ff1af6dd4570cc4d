"""Training on the real data, from wherever this machine can get it."""

import json

import pytest

from tests.project import Project


@pytest.mark.network
def test_demo_learns_real_mnist_in_one_epoch(mnist_project: Project) -> None:
    metrics = json.loads((mnist_project.folder / "metrics/evaluate.json").read_text())
    assert metrics["test_accuracy"] >= 0.95
