"""The first tensor that differs is named, with how much it differs."""

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray

from tools.proofs.tensors import describe_difference, units_apart

WEIGHTS = np.array([[1.0, -2.0], [0.0, 3.0]], dtype=np.float32)


def file(metadata: dict[str, str] | None = None, **tensors: NDArray[np.generic]) -> bytes:
    return safetensors.numpy.save(tensors, metadata)


def test_number_of_elements_and_largest_difference_are_told() -> None:
    other = WEIGHTS.copy()
    other[0, 0] = np.nextafter(np.float32(1), np.float32(2))
    other[1, 1] = np.nextafter(np.nextafter(np.float32(3), np.float32(0)), np.float32(0))
    before, after = file(a=WEIGHTS, b=WEIGHTS, c=WEIGHTS), file(a=WEIGHTS, b=other, c=-WEIGHTS)
    assert describe_difference(before, after) == (
        "b differs in 2 of 4 elements, by 2 units in the last place at most, absolute 4.77e-07"
    )


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1.0, 1.0, 0),
        (0.0, -0.0, 0),
        (1e-45, -1e-45, 2),  # The smallest above and below zero.
        (1.0, 2.0, 2**23),
    ],
)
def test_units_are_steps_from_one_float_to_the_next(a: float, b: float, expected: int) -> None:
    assert units_apart(np.array([a], np.float32), np.array([b], np.float32)) == [expected]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (file(b=WEIGHTS), "only one of the two has a"),
        (file(a=WEIGHTS[0]), "a is float32 [2, 2] in one, float32 [2] in the other"),
        (file(a=WEIGHTS.astype(np.float64)), "a is float32 [2, 2] in one, float64 [2, 2] in the other"),
        (file({"made": "elsewhere"}, a=WEIGHTS), "all tensors are the same; what the files say of themselves differs"),
        (b"", "a file is none of tensors ("),
    ],
)
def test_whatever_differs_is_said(other: bytes, expected: str) -> None:
    assert describe_difference(file(a=WEIGHTS), other).startswith(expected)


@pytest.mark.parametrize(
    ("value", "expected"), [(np.nan, "absolute not finite"), (np.inf, "absolute not finite"), (-0.0, "absolute 0")]
)
def test_what_is_not_finite_is_told_too(value: float, expected: str) -> None:
    one, other = np.zeros((), np.float32), np.array(value, np.float32)
    described = describe_difference(file(a=one), file(a=other))
    assert described.startswith("a differs in 1 of 1 elements, by ")
    assert described.endswith(expected)


def test_counters_differ_by_whole_numbers() -> None:
    one, other = np.array(468, np.int64), np.array(470, np.int64)
    assert "by 2 units in the last place at most, absolute 2" in describe_difference(file(n=one), file(n=other))
