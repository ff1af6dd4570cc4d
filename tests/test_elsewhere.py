"""What docs/model-card.md says of using the network elsewhere works as it stands there, without this project."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

from mnist.dataset import TEST_IMAGES
from tests import ROOT
from tests.project import Project

CARD = (ROOT / "docs/model-card.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", CARD, flags=re.MULTILINE | re.DOTALL)
METADATA = re.findall(r"^`(json\.loads\(safe_open[^`]*)`", CARD, flags=re.MULTILINE)
GET = re.findall(r"^dvc .*get <this repository>.*$", CARD, flags=re.MULTILINE)
(TAG,) = re.findall(r"^git tag .*$", CARD, flags=re.MULTILINE)
# -I: nothing is importable but what is installed. `images` are there, as the page says.
SCRIPT = """
import importlib.util, json, sys, torch
from safetensors import safe_open
assert importlib.util.find_spec("mnist") is None
content = bytearray(open(sys.argv[1], "rb").read()[16:])
images = torch.frombuffer(content, dtype=torch.uint8).reshape(-1, 1, 28, 28)
{python}
print(digits.tolist())
print({metadata}["network"]["name"])
"""


def test_lines_of_the_model_card_give_the_pipelines_predictions(trained_template: Project, tmp_path: Path) -> None:
    data = trained_template.folder / "data"
    (tmp_path / "model.safetensors").write_bytes((data / "model.safetensors").read_bytes())
    (tmp_path / "script.py").write_text(SCRIPT.format(python=PYTHON[0], metadata=METADATA[0]))
    command = [sys.executable, "-I", "script.py", str(data / "raw/MNIST/raw" / TEST_IMAGES)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    digits, network = done.stdout.splitlines()
    assert digits == str(pd.read_csv(data / "predictions.csv")["prediction"].tolist())
    assert network == "two_layer"


def test_lines_of_the_model_card_need_safetensors_and_torch_alone() -> None:
    statements = ast.parse(PYTHON[0]).body
    modules = [statement.module for statement in statements if isinstance(statement, ast.ImportFrom)]
    assert modules == ["collections", "safetensors.torch", "torch"]
    assert len(statements) == len(modules) + 3


def test_network_is_got_from_a_bare_clone(project: Project, tmp_path: Path) -> None:
    project.run("dvc", "remote", "add", "--default", "share", str(tmp_path / "remote"))
    project.commit()
    project.run("dvc", "push", "data/model.safetensors")
    project.run(*TAG.split())
    project.run("git", "clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    expected = (project.folder / "data/model.safetensors").read_bytes()
    assert [line.split()[1] for line in GET] == ["get", "artifacts"]
    for line in GET:
        elsewhere = Project(tmp_path / line.split()[1] / "elsewhere")
        elsewhere.folder.mkdir(parents=True)
        elsewhere.run(*line.replace("<this repository>", str(tmp_path / "bare.git")).split())
        assert {path.name: path.read_bytes() for path in elsewhere.folder.iterdir()} == {"model.safetensors": expected}
