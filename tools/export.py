"""Writes the network as an ONNX file, for programs without torch: `make export`, or `python -m tools.export`.

Reads data/model.safetensors and the test images in data/raw; writes data/model.onnx, and that only if onnxruntime
computes from it what torch does from the checkpoint.
"""

import argparse
from pathlib import Path

from mnist.paths import RAW_DATA
from pipeline.errors import UserError
from pipeline.files import write_file
from tools.command import command

ONNX_FILE = Path("data/model.onnx")
TOLERANCE = 1e-5  # Of the largest logit; torch and onnxruntime add in other orders. `demo`: 1e-6.


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.export", description=f"Write the network to {ONNX_FILE}.")
    parser.parse_args()
    with command("export"):
        print(export())


def export() -> str:
    """Write the file, and return what it is and how near it comes to the checkpoint.

    Raises:
        UserError: a package is not installed, a file is missing or damaged, or the two differ.
    """
    try:
        from tools.digit import portable  # Takes seconds, as torch does, which --help need not.
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: run `make export`") from None
    from mnist.data import load_test
    from mnist.inference import predict
    from tools.digit.classifier import load_model

    network, description = load_model()
    images = load_test(RAW_DATA, description.data).images
    content = portable.encode(network, description)
    ours, theirs = predict(network, images), portable.predict(content, images)
    difference = float((ours - theirs).abs().max() / ours.abs().max())
    if not difference <= TOLERANCE:  # Also where it is no number.
        raise UserError(f"{ONNX_FILE} was not written: its logits differ by {difference:.1e} of the largest one")
    write_file(ONNX_FILE, content)
    same = int((ours.argmax(dim=1) == theirs.argmax(dim=1)).sum())
    return (
        f"{ONNX_FILE}: epoch {description.epoch}, {len(content)} bytes; the same answer as torch for {same} of "
        f"{len(images)} test images, logits within {difference:.1e} of the largest one"
    )


if __name__ == "__main__":
    main()
