"""Finds where two safetensors files part: the first tensor that differs, and by how much."""

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

Array = NDArray[np.generic]


def describe_difference(one: bytes, other: bytes) -> str:
    """Say of two different files, in the order of their tensors' names, which is the first that differs, and how."""
    try:
        ours, theirs = (safetensors.numpy.load(content) for content in (one, other))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        return f"a file is none of tensors ({error})"
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours or name not in theirs:
            return f"only one of the two has {name}"
        a, b = ours[name], theirs[name]
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            return f"{name} is {a.dtype} {list(a.shape)} in one, {b.dtype} {list(b.shape)} in the other"
        if (num_different := int(np.count_nonzero(_bits(a) != _bits(b)))) > 0:
            return f"{name} differs in {num_different} of {a.size} elements, {_largest(a, b)}"
    return "all tensors are the same; what the files say of themselves differs"


def units_apart(a: Array, b: Array) -> NDArray[np.int64]:
    """How many steps from one number of their type to the next lie between the elements."""
    steps: NDArray[np.int64] = np.abs(_ranks(a) - _ranks(b))
    return steps


def _largest(a: Array, b: Array) -> str:
    """The largest difference of two tensors."""
    with np.errstate(all="ignore"):  # What is not finite has none.
        absolute = np.abs(a.astype(np.float64) - b.astype(np.float64))
    largest = f"{np.nanmax(absolute):.3g}" if np.isfinite(absolute).any() else "not finite"
    units = units_apart(a, b).max()
    return f"by {units} unit{'' if units == 1 else 's'} in the last place at most, absolute {largest}"


def _bits(values: Array) -> Array:
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")


def _ranks(values: Array) -> NDArray[np.int64]:
    """Whole numbers that follow each other as the values do; both zeros are 0."""
    if not np.issubdtype(values.dtype, np.floating):
        return values.astype(np.int64)
    bits = np.ascontiguousarray(values).view(f"i{values.dtype.itemsize}").astype(np.int64)
    lowest = np.iinfo(f"i{values.dtype.itemsize}").min
    return np.where(bits < 0, lowest - bits, bits)
