"""Says which digits image files show: `python -m tools.predict IMAGE...`.

Reads data/model.safetensors. An image that cannot be used gets a line of its own on stderr; the others are predicted
all the same, and the exit status is then 1.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from tools.command import command
from tools.digit.image import ALLOWED, read_digit


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.predict", description="Say which digits image files show.", epilog=f"IMAGE is {ALLOWED}."
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="an image file")
    parser.add_argument("--json", action="store_true", help="print all ten probabilities of each image, as JSON")
    arguments = parser.parse_args()
    with command("predict"):
        digits, errors = read_digits(arguments.images)
        for name, reason in errors.items():
            print(f"predict: {printable(name)} {reason}", file=sys.stderr)
        probabilities = classify(digits) if digits else {}
        if arguments.json:
            rows = [
                describe(name, probabilities[name]) if name in digits else {"file": name, "error": errors[name]}
                for name in arguments.images
            ]
            print(json.dumps(rows, indent=2))
        else:
            width = max(len(printable(name)) for name in arguments.images)
            for name in arguments.images:
                if name in digits:
                    print(f"{printable(name):<{width}}  {summarize(probabilities[name])}")
    sys.exit(1 if errors else 0)


def read_digits(names: list[str]) -> tuple[dict[str, NDArray[np.uint8]], dict[str, str]]:
    """Return the digit in each image file, in MNIST's form, and what is wrong with the files that have none."""
    digits, errors = {}, {}
    for name in names:
        try:
            digits[name] = read_digit(Path(name))
        except UserError as error:
            errors[name] = str(error)
    return digits, errors


def classify(digits: dict[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.float64]]:
    """Return the probabilities [10] of each digit [28, 28]; raise UserError if there is no usable model."""
    from tools.digit.classifier import Classifier  # Imports torch, which --help does not need.

    probabilities = Classifier().probabilities(np.stack(list(digits.values())))
    return dict(zip(digits, probabilities, strict=True))


def describe(name: str, probabilities: NDArray[np.float64]) -> dict[str, object]:
    """Return an image's entry in the JSON; `prediction` and `confidence` as in data/predictions.csv."""
    return {
        "file": name,
        "prediction": int(probabilities.argmax()),
        "confidence": round(float(probabilities.max()), 6),
        "probabilities": [round(float(probability), 6) for probability in probabilities],
    }


def summarize(probabilities: NDArray[np.float64]) -> str:
    """Return the likeliest three digits with their probabilities."""
    first, second, third = np.argsort(-probabilities, kind="stable")[:3]
    percent = 100 * probabilities
    others = f"{second} {percent[second]:.2f} %, {third} {percent[third]:.2f} %"
    return f"{first}  {percent[first]:6.2f} %  (then {others})"


def printable(name: str) -> str:
    """A file's name in one line that any terminal can show."""
    encoding = sys.stdout.encoding or "ascii"
    return name if name.isprintable() and name.encode(encoding, "replace").decode(encoding) == name else ascii(name)


if __name__ == "__main__":
    main()
