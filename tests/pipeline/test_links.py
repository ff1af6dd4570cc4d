"""Outputs that lie elsewhere, or are no files, are refused before anything is done to them."""

import os
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.links import refuse_foreign

OUTPUTS = [Path("data/raw"), Path("data/model.safetensors"), Path("metrics/report.html")]


@pytest.fixture(autouse=True)
def _in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with outputs of its own; `elsewhere`, beside it, holds somebody's files."""
    for folder in ("elsewhere/raw", "project/data/raw"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "images").write_bytes(b"images")
    monkeypatch.chdir(tmp_path / "project")
    Path("data/model.safetensors").write_bytes(b"model")


def refusal() -> str:
    with pytest.raises(UserError) as raised:
        refuse_foreign(OUTPUTS)
    return str(raised.value)


def test_plain_outputs_pass_whether_they_are_there_or_not() -> None:
    refuse_foreign(OUTPUTS)


def test_files_that_dvc_linked_to_its_cache_pass(tmp_path: Path) -> None:
    cached = tmp_path / "cache/files/md5" / "0a" / ("b" * 30)
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"images")
    for path in ("data/raw/images", "data/model.safetensors"):
        Path(path).unlink()
        Path(path).symlink_to(cached)
    refuse_foreign(OUTPUTS)


def test_file_whose_object_was_lost_passes(tmp_path: Path) -> None:
    Path("data/raw/images").unlink()
    Path("data/raw/images").symlink_to(tmp_path / "cache/files/md5" / "0a" / ("b" * 30))
    refuse_foreign(OUTPUTS)


def test_link_into_a_folder_that_is_named_like_an_object_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "files/md5" / "0a" / ("b" * 30) / "mine"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    Path("data/raw/images").unlink()
    Path("data/raw/images").symlink_to(mine)
    assert refusal().startswith(f"data/raw/images is a link to {mine}: ")


def test_folder_behind_a_link_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(path: Path) -> None:
        raise AssertionError(f"{path} may be a whole disk")

    os.rename("data/raw", tmp_path / "moved")
    Path("data/raw").symlink_to(tmp_path / "moved")
    monkeypatch.setattr(os, "walk", walk)
    assert refusal().startswith("data/raw is a link to ")


@pytest.mark.parametrize("path", ["data", "data/raw", "data/raw/images", "data/model.safetensors"])
def test_link_to_elsewhere_is_named_and_left_alone(tmp_path: Path, path: str) -> None:
    os.rename(path, tmp_path / "moved")
    Path(path).symlink_to(tmp_path / "moved")
    assert refusal().startswith(f"{path} is a link to {tmp_path / 'moved'}: ")
    assert Path(path).is_symlink()


def test_link_inside_a_folder_is_found() -> None:
    Path("data/raw/more").symlink_to("../../../elsewhere/raw")
    assert refusal().startswith("data/raw/more is a link to ../../../elsewhere/raw: ")


def test_link_to_nothing_is_refused() -> None:
    Path("metrics").mkdir()
    Path("metrics/report.html").symlink_to("nowhere")
    assert refusal().startswith("metrics/report.html is a link to nowhere: ")


@pytest.mark.parametrize("path", ["data/raw/pipe", "metrics"])
def test_fifo_is_refused(path: str) -> None:
    os.mkfifo(path)
    assert refusal() == f"{path} is no regular file (a FIFO, socket or device): remove it"
