"""A copy of this project in which measurements may train what they like, and how they run things there."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mnist import CPU_PROFILE
from mnist.checksums import format_checksums
from mnist.dataset import FILES, FOLDERS, TRAINING_IMAGES, TRAINING_LABELS
from mnist.idx import IMAGE_SIZE, NUM_CLASSES
from mnist.paths import RAW_DATA
from tools.store.git import environment

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable


@dataclass(frozen=True)
class Run:
    """What a process took, start-up included."""

    seconds: float
    peak_megabytes: float
    output: str


class Clone:
    """What git has of the project, and data/raw, in a folder of its own, with params.yaml to be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        images = ROOT / RAW_DATA / FOLDERS["mnist"]
        if not images.is_dir():
            sys.exit(f"bench: {images.relative_to(ROOT)} is missing: run `dvc repro download`")
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, folder], env=environment(), check=True)
        run(folder, "env", f"MNIST_DIR={images}", "dvc", "repro", "download")
        self._params: dict[str, Any] = yaml.safe_load((folder / "params.yaml").read_text())

    def choose(self, recipe: str, **values: Any) -> None:
        """Choose a recipe and change its values (`epochs` with the schedule's horizon); forget what was trained.

        Of a `network`, only the keys that are given change.
        """
        before = self._params["recipes"][recipe]
        chosen = before | values | {"network": before["network"] | values.get("network", {})}
        if "epochs" in values and "epochs" in chosen["schedule"]:
            chosen["schedule"] = chosen["schedule"] | {"epochs": values["epochs"]}
        params = self._params | {"recipe": recipe, "recipes": self._params["recipes"] | {recipe: chosen}}
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        self.forget()

    def forget(self) -> None:
        """Remove finished epochs, so that the next training is a whole one."""
        shutil.rmtree(self.folder / "data/.resume", ignore_errors=True)

    def metrics(self) -> dict[str, float]:
        """What the last evaluation wrote."""
        metrics: dict[str, float] = json.loads((self.folder / "metrics/evaluate.json").read_text())
        return metrics

    def write_synthetic_images(self, num_images: int) -> None:
        """Take the place of the training images: noise, of which 5,000 are for validation as before."""
        generator = np.random.default_rng(0)
        raw = self.folder / RAW_DATA / FOLDERS["mnist"]
        images = generator.integers(0, 256, (num_images + 5000, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
        labels = generator.integers(0, NUM_CLASSES, len(images), np.uint8)
        for name, array in ((TRAINING_IMAGES, images), (TRAINING_LABELS, labels)):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (raw / name).write_bytes(header + array.tobytes())
        files = {FOLDERS["mnist"] / name: (raw / name).read_bytes() for name in FILES}
        (self.folder / "data/checksums.txt").write_bytes(format_checksums(files))

    def run(self, *command: str) -> Run:
        """Run a command there; a failure ends the benchmark with its output."""
        return run(self.folder, *command)


def make_empty_pipeline(folder: Path, num_stages: int) -> None:
    """A DVC pipeline of stages that copy a file of a few bytes to the next one."""
    folder.mkdir()
    stages = {
        f"stage{i}": {"cmd": f"cp file{i} file{i + 1}", "deps": [f"file{i}"], "outs": [f"file{i + 1}"]}
        for i in range(num_stages)
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (folder / "file0").write_text("0\n")
    for command in (["git", "init", "--quiet"], [f"{Path(sys.executable).parent}/dvc", "init", "--quiet"]):
        subprocess.run(command, cwd=folder, env=environment(), check=True)
    run(folder, "dvc", "config", "core.analytics", "false")


def run(folder: Path, *command: str) -> Run:
    """Run a command in a folder with this environment's programs."""
    inherited = {name: value for name, value in environment().items() if name not in CPU_PROFILE}  # It slows the notes.
    own = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_SITE_CACHE_DIR": str(folder.parent / "site"),
    }
    log = folder.parent / "output"
    with log.open("w") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=inherited | own, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} failed:\n{log.read_text()}")
    return Run(seconds, usage.ru_maxrss / 1024, log.read_text())
