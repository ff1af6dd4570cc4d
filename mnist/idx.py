"""Reads idx, the file format of MNIST and its relatives, and believes nothing that it can check.

Format: the bytes 0 0 8 d (8: unsigned bytes, d: number of dimensions), d sizes as big-endian 32-bit integers, the data.
Source: the section "File formats" of LeCun's MNIST page.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

IMAGE_SIZE = 28
NUM_CLASSES = 10


def parse_images(content: bytes, name: str) -> NDArray[np.uint8]:
    """Return images [N, 28, 28]; `name` names their file in errors.

    Raises:
        UserError: the content is not an idx file of at least one 28x28 image.
    """
    images = _parse(content, name, num_dimensions=3)
    if len(images) == 0 or images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise UserError(f"{name} holds {' x '.join(map(str, images.shape))} pixels; expected N x 28 x 28, N at least 1")
    return images


def parse_labels(content: bytes, name: str, num_images: int) -> NDArray[np.uint8]:
    """Return labels [N], 0 to 9, one for each of `num_images` images.

    Raises:
        UserError: the content is not an idx file of that many labels.
    """
    labels = _parse(content, name, num_dimensions=1)
    if len(labels) != num_images:
        raise UserError(f"{name} holds {len(labels)} labels for {num_images} images; expected as many")
    if labels.max() >= NUM_CLASSES:
        raise UserError(f"{name} holds the label {labels.max()}; expected 0 to {NUM_CLASSES - 1}")
    return labels


def _parse(content: bytes, name: str, num_dimensions: int) -> NDArray[np.uint8]:
    magic = bytes([0, 0, 8, num_dimensions])
    header_length = len(magic) + 4 * num_dimensions
    if content[:4] != magic:
        raise UserError(f"{name} is not an idx file: it starts with {content[:4].hex()!r}; expected {magic.hex()!r}")
    if len(content) < header_length:
        raise UserError(f"{name} is {len(content)} bytes long; its header alone asks for {header_length}")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", num_dimensions, offset=4))
    length = header_length + int(np.prod(shape, dtype=object))
    if len(content) != length:
        raise UserError(f"{name} is {len(content)} bytes long; its header {shape} asks for {length}")
    return np.frombuffer(content, np.uint8, offset=header_length).reshape(shape)
