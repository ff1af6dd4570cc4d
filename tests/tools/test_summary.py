"""The summary shows a person the numbers of the last run."""

import json
import re
from pathlib import Path

import pytest

from tools.summary import main, markdown_lines, summary_lines

METRICS = {
    "best_epoch": 19,
    "validation_accuracy": 0.9918,
    "validation_loss": 0.03,
    "test_accuracy": 0.9926,
    "test_accuracy_low": 0.990721,
    "test_accuracy_high": 0.994101,
    "test_loss": 0.0239,
    "test_errors": 74,
    "last_test_accuracy": 0.9925,
}


def test_numbers_are_shown_as_percent_with_interval_and_errors() -> None:
    text = "\n".join(summary_lines("demo", METRICS))
    assert "demo" in text
    assert "19" in text
    assert "99.18 %" in text
    assert "99.26 %  (95 % interval 99.07 % to 99.41 %, 74 errors)" in text


def test_run_without_validation_says_none() -> None:
    without = {name: value for name, value in METRICS.items() if not name.startswith("validation")}
    (line,) = [line for line in summary_lines("demo", without) if line.startswith("validation accuracy")]
    assert line.split() == ["validation", "accuracy", "none"]


def test_summary_is_printed_from_the_files_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["tools.summary"])
    Path("metrics").mkdir()
    Path("metrics/evaluate.json").write_text(json.dumps(METRICS), encoding="utf-8")
    lock = {"stages": {"train": {"params": {"params.yaml": {"recipe": "fast"}}, "outs": []}}}
    Path("dvc.lock").write_text(f"{json.dumps(lock)}\n", encoding="utf-8")  # JSON is YAML.
    main()
    shown = capsys.readouterr().out
    assert shown.strip("\n").splitlines() == summary_lines("fast", METRICS)


def test_markdown_has_a_row_for_each_metric_and_nothing_else() -> None:
    lines = markdown_lines("demo", METRICS)
    assert lines[:3] == ["| metric | demo |", "| --- | --- |", "| best_epoch | 19 |"]
    assert len(lines) == 2 + len(METRICS)


@pytest.mark.parametrize(
    ("lock", "metrics", "said"),
    [
        (None, "{}", "dvc.lock is missing: run `dvc repro`"),
        ("<<<<<<< HEAD\n", "{}", "dvc.lock cannot be read"),
        ("schema: '2.0'\nstages: {}\n", "<<<<<<< HEAD\n", "metrics/evaluate.json is not whole"),
        ("schema: '2.0'\nstages: {}\n", "null", "metrics/evaluate.json is not whole"),
    ],
)
def test_files_as_a_merge_leaves_them_are_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lock: str | None,
    metrics: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["tools.summary"])
    Path("metrics").mkdir()
    Path("metrics/evaluate.json").write_text(metrics, encoding="utf-8")
    if lock is not None:
        Path("dvc.lock").write_text(lock, encoding="utf-8")
    with pytest.raises(SystemExit, match="1"):
        main()
    assert re.match(f"summary: {said}", capsys.readouterr().err)


def test_missing_results_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["tools.summary"])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert capsys.readouterr().err == "summary: metrics/evaluate.json is missing: run `dvc repro`\n"
