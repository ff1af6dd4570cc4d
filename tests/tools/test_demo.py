"""The demo recognizes drawn digits, asks no other host, and keeps nothing; what it needs and lacks is said first."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests import ROOT
from tests.project import Project
from tests.tools.test_image import draw_seven
from tests.tools.test_page import STROKES, draw, open_page, picture


@contextmanager
def demo(folder: Path, **variables: str) -> Iterator[str]:
    """The address of tools.demo, running in a project's folder on a free port; Ctrl-C ends it, quietly."""
    with subprocess.Popen(
        [sys.executable, "-m", "tools.demo"],
        cwd=folder,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            line = server.stdout.readline()
            found = re.fullmatch(r"draw at (http://127\.0\.0\.1:\d+/)  \(Ctrl-C ends it\)\n", line)
            assert found, line
            yield found[1]
        finally:
            server.send_signal(signal.SIGINT)
            rest = server.stdout.read()
        assert (server.wait(), rest) == (-signal.SIGINT, "")


@pytest.mark.network
def test_drawn_digits_are_recognized_and_nothing_leaves_the_machine_or_is_kept(
    mnist_project: Project, browser: Browser, tmp_path: Path
) -> None:
    folder = mnist_project.folder
    files = set(folder.rglob("*"))
    variables = {"TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    with demo(folder, **variables) as address, open_page(browser, address) as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.reload()
        for digit, strokes in STROKES.items():
            draw(page, strokes)
            expect(page.get_by_role("status")).to_have_text(re.compile(f"{digit}, with "))
            page.get_by_role("button", name="Clear").click()
        page.locator("input").set_input_files(picture(draw_seven()))
        expect(page.get_by_role("status")).to_have_text(re.compile("7, with "))
    assert {address, f"{address}classify"} <= set(requests)
    assert [url for url in requests if not url.startswith((address, "data:"))] == []
    assert [*tmp_path.iterdir(), *set(folder.rglob("*")) - files] == []


def test_missing_model_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.demo"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    message = "demo: data/model.safetensors is missing: run `dvc repro`, or fetch it with `dvc pull`\n"
    assert (done.returncode, done.stderr) == (1, message)


def test_missing_model_is_said_before_anything_is_installed(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = subprocess.run(["make", "demo"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("demo: data/model.safetensors is missing: run `make repro`")
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]
