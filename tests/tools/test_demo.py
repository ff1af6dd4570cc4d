"""The demo in a real browser: a digit drawn with the mouse is recognized, and the page asks no other host."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import ROOT
from tests.project import Project
from tests.tools.test_predict import write_model

STROKES = {  # In percent of the canvas.
    "0": [(50, 20), (36, 30), (32, 50), (36, 70), (50, 80), (64, 70), (68, 50), (64, 30), (50, 20)],
    "1": [(55, 15), (45, 85)],
    "7": [(30, 25), (68, 25), (45, 80)],
}

needs_gradio = pytest.mark.skipif(
    not importlib.util.find_spec("gradio"), reason="install gradio: make .venv/.installed-demo"
)


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """The address of tools.demo, running in a project's folder on a free port; Ctrl-C ends it, quietly."""
    command = [sys.executable, "-m", "tools.demo"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
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


def draw(page: Page, digit: str) -> None:
    box = page.locator("canvas").bounding_box()
    assert box is not None
    first, *others = [
        (box["x"] + box["width"] * x / 100, box["y"] + box["height"] * y / 100) for x, y in STROKES[digit]
    ]
    page.mouse.move(*first)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(x, y, steps=10)
    page.mouse.up()


@pytest.mark.network
@needs_gradio
def test_drawn_digits_are_recognized_and_nothing_leaves_the_machine(mnist_project: Project, browser: Browser) -> None:
    with demo(mnist_project.folder) as address, browser.new_page() as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        answer = page.get_by_test_id("label-output-value")
        for digit in STROKES:
            draw(page, digit)
            expect(answer).to_have_text(digit, timeout=20_000)
            page.get_by_role("button", name="Clear").click()
            expect(answer).to_have_count(0)
    assert address in requests
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []


@needs_gradio
def test_port_in_use_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_demo(tmp_path, "--port", port)
    message = f"demo: port {port} cannot be used; name another with --port, or none to take one that is free\n"
    assert (done.returncode, done.stderr) == (1, message)


@needs_gradio
def test_missing_model_says_what_to_do(tmp_path: Path) -> None:
    done = run_demo(tmp_path)
    message = "demo: data/model.safetensors is missing: run `dvc repro`, or fetch it with `dvc pull`\n"
    assert (done.returncode, done.stderr) == (1, message)


def test_missing_gradio_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "gradio.py").write_text("raise ModuleNotFoundError(name='gradio')")
    done = run_demo(tmp_path)
    assert (done.returncode, done.stderr) == (1, "demo: gradio is not installed: run `make demo`\n")


def run_demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = Project(folder).environment(PYTHONPATH=f"{folder}{os.pathsep}{ROOT}")
    command = ["python", "-m", "tools.demo", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
