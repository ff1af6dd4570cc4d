"""Results are written with a fixed format: equal results are equal bytes."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.tables import write_csv, write_json


def test_csv_has_six_decimals_and_empty_fields_for_nan(tmp_path: Path) -> None:
    path = tmp_path / "metrics/table.csv"
    table = pd.DataFrame({"epoch": [1, 2], "loss": [1 / 3, float("nan")], "sha256": ["00ff", "é"]}, index=[7, 8])
    write_csv(path, table)
    assert path.read_bytes() == "epoch,loss,sha256\n1,0.333333,00ff\n2,,é\n".encode()


def test_csv_can_be_read_back(tmp_path: Path) -> None:
    table = pd.DataFrame({"epoch": [1, 2], "loss": [0.25, 0.125]})
    write_csv(tmp_path / "table.csv", table)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "table.csv"), table)


def test_json_keeps_order_and_rounds_to_six_decimals(tmp_path: Path) -> None:
    path = tmp_path / "metrics/values.json"
    write_json(path, {"best_epoch": 7, "accuracy": 0.99260000004, "a_loss": 2 / 3})
    assert path.read_bytes() == b'{\n  "best_epoch": 7,\n  "accuracy": 0.9926,\n  "a_loss": 0.666667\n}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_never_holds_what_is_no_json(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "values.json", {"loss": value})
    assert list(tmp_path.iterdir()) == []
