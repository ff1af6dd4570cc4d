"""idx files are read to the byte; what is not one is refused, with the file's name and what was expected."""

import numpy as np
import pytest

from mnist.idx import parse_images, parse_labels
from pipeline.errors import UserError
from tests.tiny import idx_images, idx_labels

IMAGES = np.arange(3 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28)
LABELS = np.array([0, 9, 5], np.uint8)


def test_images_are_read_exactly() -> None:
    images = parse_images(idx_images(IMAGES), "images")
    assert images.dtype == np.uint8
    assert images.shape == (3, 28, 28)
    assert images.tobytes() == IMAGES.tobytes()


def test_labels_are_read_exactly() -> None:
    labels = parse_labels(idx_labels(LABELS), "labels", 3)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [0, 9, 5]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not an idx file"),
        (b"\0\0\x08", "not an idx file"),
        (idx_images(IMAGES)[:10], "is 10 bytes long; its header alone asks for 16"),
        (b"\x1f\x8b" + idx_images(IMAGES), "starts with '1f8b0000'; expected '00000803'"),
        (b"\0\0\x09\x03" + idx_images(IMAGES)[4:], "starts with '00000903'; expected '00000803'"),
        (b"\0\0\x08\x02" + idx_images(IMAGES)[4:], "starts with '00000802'; expected '00000803'"),
        (idx_labels(LABELS), "starts with '00000801'; expected '00000803'"),
        (idx_images(IMAGES)[:16], "is 16 bytes long; its header (3, 28, 28) asks for 2368"),
        (idx_images(IMAGES)[:-1], "is 2367 bytes long; its header (3, 28, 28) asks for 2368"),
        (idx_images(IMAGES) + b"\0", "is 2369 bytes long; its header (3, 28, 28) asks for 2368"),
        (idx_images(IMAGES)[:4] + b"\xff" * 12, "is 16 bytes long"),
        (idx_images(IMAGES[:, 1:]), "3 x 27 x 28 pixels; expected N x 28 x 28"),
        (idx_images(IMAGES[:, :, 1:]), "3 x 28 x 27 pixels; expected N x 28 x 28"),
        (idx_images(IMAGES[:0]), "0 x 28 x 28 pixels; expected N x 28 x 28, N at least 1"),
    ],
)
def test_malformed_images_are_refused(content: bytes, expected: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_images(content, "train-images")
    assert str(raised.value).startswith("train-images ")
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not an idx file"),
        (idx_labels(LABELS)[:7], "is 7 bytes long; its header alone asks for 8"),
        (idx_images(IMAGES), "starts with '00000803'; expected '00000801'"),
        (idx_labels(LABELS)[:-1], "is 10 bytes long; its header (3,) asks for 11"),
        (idx_labels(LABELS) + b"\0", "is 12 bytes long; its header (3,) asks for 11"),
        (idx_labels(LABELS[:2]), "holds 2 labels for 3 images"),
        (idx_labels(LABELS[:0]), "holds 0 labels for 3 images"),
        (idx_labels(np.array([0, 10, 5], np.uint8)), "holds the label 10; expected 0 to 9"),
        (idx_labels(np.array([0, 255, 5], np.uint8)), "holds the label 255; expected 0 to 9"),
    ],
)
def test_malformed_labels_are_refused(content: bytes, expected: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_labels(content, "train-labels", 3)
    assert str(raised.value).startswith("train-labels ")
    assert expected in str(raised.value)
