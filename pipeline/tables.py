"""Writes results as text with a fixed format, so that equal results are equal bytes."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.files import write_file


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table: six decimals, an empty field for NaN, no index."""
    write_file(path, table.to_csv(index=False, float_format="%.6f", lineterminator="\n").encode())


def write_json(path: Path, values: Mapping[str, float | str]) -> None:
    """Write values by name, in the order given; fractions rounded to six decimals."""
    rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}
    write_file(path, (json.dumps(rounded, indent=2, allow_nan=False) + "\n").encode())
