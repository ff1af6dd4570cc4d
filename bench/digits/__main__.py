"""Measures what `tools.predict` reads and refuses: `python -m bench.digits` prints a table.

Needs data/raw and data/model.safetensors. The pictures are MNIST's 10,000 test images, as they are and changed, and
those that bench.digits makes of them; each is written to a file, as a user would hand it in.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from tqdm import tqdm

from bench.clone import ROOT
from bench.digits import no_digit, one_digit
from bench.digits.sheet import Digits, Kind
from mnist.data import DataParams, load_test
from mnist.paths import RAW_DATA

NUM_EACH_NO_DIGIT, NUM_EACH_ONE_DIGIT = 20, 15  # pictures of a kind: 200 and 120 in all
CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "plain": lambda image: image,
    "inverted": ImageOps.invert,
    "at 200x200": lambda image: image.resize((200, 200), Image.Resampling.BICUBIC),
    "inverted, at 200x200": lambda image: ImageOps.invert(image).resize((200, 200), Image.Resampling.BICUBIC),
}


def main() -> None:
    argparse.ArgumentParser(prog="python -m bench.digits", description=(__doc__ or "").splitlines()[0]).parse_args()
    examples = load_test(ROOT / RAW_DATA, DataParams(dataset="mnist", validation_size=0, split_seed=0))
    digits, labels = examples.images.squeeze(1).numpy(), examples.labels.numpy()
    rows = []
    for name, change in tqdm(CHANGES.items(), unit="change"):
        rows.append(measure(f"test images, {name}", (change(Image.fromarray(digit)) for digit in digits), labels))
    for kind in tqdm(one_digit.KINDS, unit="kind"):
        chosen = np.random.default_rng(0).permutation(len(digits))[:NUM_EACH_ONE_DIGIT]
        pictures = (draw(kind, number, digits[[index]]) for number, index in enumerate(chosen))
        rows.append(measure(describe(kind), pictures, labels[chosen]))
    for kind in tqdm((*no_digit.KINDS, no_digit.letter), unit="kind"):
        pictures = (draw(kind, number, digits) for number in range(NUM_EACH_NO_DIGIT))
        rows.append(measure(describe(kind), pictures, None))
    print("| pictures | n | refused | read right |\n|---|---|---|---|", *rows, sep="\n")


def draw(kind: Kind, number: int, digits: Digits) -> Image.Image:
    """The picture of a kind with a number, which stays the same."""
    return kind(np.random.default_rng([number, len(kind.__name__)]), digits)


def describe(kind: Kind) -> str:
    """A kind's name and what it shows."""
    return f"{kind.__name__}: {kind.__doc__}".rstrip(".")


def measure(name: str, pictures: Iterable[Image.Image], labels: NDArray[np.integer] | None) -> str:
    """Return the table's row for pictures of the digits `labels`, or of no single digit."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        paths = []
        for number, picture in enumerate(pictures):
            paths.append(str(Path(folder, f"{number:05d}.png")))
            picture.save(paths[-1])
        # Exit status 1 where a picture is refused.
        done = subprocess.run(
            [sys.executable, "-m", "tools.predict", "--json", *paths],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    answers = json.loads(done.stdout)
    num_refused = sum("error" in answer for answer in answers)
    predictions = [answer.get("prediction", -1) for answer in answers]
    num_right = "" if labels is None else int(np.equal(predictions, labels).sum())
    return f"| {name} | {len(answers):,} | {num_refused} | {num_right} |"


if __name__ == "__main__":
    main()
