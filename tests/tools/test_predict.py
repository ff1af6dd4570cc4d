"""tools.predict says what the pipeline's network says, of images in any form; a bad file spoils none of the others."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image, ImageOps

from mnist.checkpoint import Description, encode
from mnist.data import DataParams
from mnist.model import TwoLayer, TwoLayerParams
from tests import ROOT
from tests.project import Project
from tests.tools.test_image import draw_seven
from tools import predict
from tools.digit.image import ALLOWED

NUM_IMAGES = 200


def write_model(dataset: Any = "mnist", weights_times: float = 1) -> None:
    """An untrained network as data/model.safetensors of the current folder, and a dvc.lock that records it."""
    torch.manual_seed(0)
    network = TwoLayer()
    with torch.no_grad():
        for weights in network.parameters():
            weights.mul_(weights_times)
    description = Description(
        epoch=1,
        network=TwoLayerParams(name="two_layer"),
        threads=1,
        training={},
        data=DataParams(dataset=dataset, validation_size=0, split_seed=0),
        environment={},
    )
    Path("data").mkdir(exist_ok=True)
    record_model(encode(network, description))


def record_model(content: bytes) -> None:
    """Write data/model.safetensors, and a dvc.lock as of a run that wrote it."""
    Path("data/model.safetensors").write_bytes(content)
    out = {"path": "data/model.safetensors", "md5": hashlib.md5(content, usedforsecurity=False).hexdigest()}
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": {"evaluate": {"outs": [out]}}}))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a model and the picture seven.png."""
    monkeypatch.chdir(tmp_path)
    write_model()
    draw_seven().save("seven.png")
    return tmp_path


def put_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["predict", *arguments])
    with pytest.raises(SystemExit) as ended:
        predict.main()
    return ended.value.code


def predict_test_images(project: Project, folder: Path, change: Callable[[Image.Image], Image.Image]) -> pd.DataFrame:
    """What tools.predict says of the first real test images, written as PNG files after a change."""
    content = (project.folder / "data/raw/MNIST/raw/t10k-images-idx3-ubyte").read_bytes()
    images = np.frombuffer(content, np.uint8, NUM_IMAGES * 28 * 28, offset=16).reshape(-1, 28, 28)
    paths = [folder / f"{index:03d}.png" for index in range(NUM_IMAGES)]
    for path, image in zip(paths, images, strict=True):
        change(Image.fromarray(image)).save(path)
    return pd.DataFrame(json.loads(project.run("python", "-m", "tools.predict", "--json", *map(str, paths)).stdout))


def read_predictions(project: Project) -> pd.DataFrame:
    return pd.read_csv(project.folder / "data/predictions.csv").head(NUM_IMAGES)


@pytest.mark.network
def test_mnist_images_get_the_pipelines_own_predictions(mnist_project: Project, tmp_path: Path) -> None:
    found = predict_test_images(mnist_project, tmp_path, lambda image: image)
    expected = read_predictions(mnist_project)
    assert found["prediction"].tolist() == expected["prediction"].tolist()
    assert np.abs(found["confidence"] - expected["confidence"]).max() < 1e-5


@pytest.mark.network
@pytest.mark.parametrize(
    "change",
    [
        ImageOps.invert,
        lambda image: ImageOps.colorize(image, "khaki", "darkblue"),
        lambda image: image.resize((200, 200), Image.Resampling.BICUBIC),
        lambda image: ImageOps.expand(image.resize((200, 200)), (310, 20, 90, 180)),
    ],
    ids=["inverted", "in colour", "200x200", "off-centre on a larger canvas"],
)
def test_changed_images_are_still_read(
    mnist_project: Project, tmp_path: Path, change: Callable[[Image.Image], Image.Image]
) -> None:
    found = predict_test_images(mnist_project, tmp_path, change)
    assert (found["prediction"] == read_predictions(mnist_project)["label"]).mean() >= 0.95


def test_bad_files_get_a_line_each_and_the_others_are_predicted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.png").touch()
    Path("notes\n.png").write_text("seven")
    Image.fromarray(np.tile(np.asarray(draw_seven()), 2)).save("77.png")
    assert run_main(monkeypatch, "empty.png", "seven.png", "notes\n.png", "none.png", "77.png") == 1
    shown, errors = capsys.readouterr()
    assert [line.split()[0] for line in shown.splitlines()] == ["seven.png"]
    assert errors.splitlines() == [
        f"predict: empty.png is empty (0 bytes); expected {ALLOWED}",
        rf"predict: 'notes\n.png' is no PNG, JPEG, WebP, GIF or BMP image; expected {ALLOWED}",
        f"predict: none.png cannot be read (No such file or directory); expected {ALLOWED}",
        f"predict: 77.png shows no single digit: it has 2 separate shapes of a digit's size; expected {ALLOWED}",
    ]


def test_line_has_the_likeliest_three_digits() -> None:
    probabilities = np.array([0, 0.9, 0.02, 0, 0, 0, 0, 0.07, 0.01, 0])
    assert predict.summarize(probabilities) == "1   90.00 %  (then 7 7.00 %, 2 2.00 %)"


def test_json_has_all_probabilities_and_the_errors(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "--json", "seven.png", "none.png") == 1
    seven, none = json.loads(capsys.readouterr().out)
    assert seven["file"] == "seven.png"
    assert seven["prediction"] == np.argmax(seven["probabilities"])
    assert seven["confidence"] == max(seven["probabilities"])
    assert sum(seven["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert none == {
        "file": "none.png",
        "error": f"cannot be read (No such file or directory); expected {ALLOWED}",
    }


def test_name_is_shown_as_the_terminal_can(monkeypatch: pytest.MonkeyPatch) -> None:
    assert predict.printable("é.png") == "é.png"
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert predict.printable("é.png") == r"'\xe9.png'"


def test_interruption_while_torch_loads_leaves_no_traceback(folder: Path) -> None:
    command = [sys.executable, "-m", "tools.predict", str(folder / "seven.png")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while "/libtorch" not in Path(f"/proc/{process.pid}/maps").read_text():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == b""
    assert process.returncode == -signal.SIGINT


def test_good_files_end_with_status_0(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_main(monkeypatch, "seven.png", "seven.png") == 0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda model: model.unlink(), "is missing: run `dvc repro`, or fetch it with `dvc pull`"),
        (lambda model: record_model(b""), "is not a checkpoint of this project"),
        (lambda model: write_model("kmnist"), "was trained on kmnist, which has no digits"),
        (lambda model: write_model(weights_times=1e30), "gives probabilities that are not finite, as its weights are"),
        (put_a_fifo, "is no regular file: remove it, and `dvc checkout` or"),
    ],
    ids=["missing", "empty", "of another data set", "of huge weights", "a FIFO"],
)
def test_model_that_cannot_be_used_says_what_to_do(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], object],
    message: str,
) -> None:
    spoil(folder / "data/model.safetensors")
    assert run_main(monkeypatch, "--json", "seven.png") == 1
    shown, said = capsys.readouterr()
    assert (shown, said.count("\n")) == ("", 1)
    assert said.startswith(f"predict: data/model.safetensors {message}")
