"""The demo's server tells its own page what the network says of a picture, and nobody else anything."""

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import UserError
from tests.tools.test_image import draw_seven
from tests.tools.test_predict import write_model
from tools.digit.classifier import Classifier
from tools.digit.image import to_mnist_form
from tools.digit.server import HOST, LARGEST_PICTURE, Server, listen


@contextmanager
def serving(folder: Path, port: int | None = None) -> Iterator[Server]:
    """A server of an untrained network, in this process."""
    with chdir(folder):
        write_model()
        server = listen(Classifier(), port)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


def ask(
    server: Server, method: str, path: str, content: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """The status and the content of an answer, which is JSON where the page is not asked for."""
    connection = HTTPConnection(HOST, server.server_port, timeout=10)
    connection.request(method, path, content, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    is_json = answer.headers["Content-Type"] == "application/json"
    return answer.status, json.loads(content) if is_json else content.decode()


def encode(image: Image.Image) -> bytes:
    content = BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def test_picture_gets_the_networks_probabilities_and_what_it_saw(server: Server) -> None:
    status, said = ask(server, "POST", "/classify", encode(draw_seven()))
    digit = to_mnist_form(draw_seven())
    assert status == 200
    assert said["probabilities"] == pytest.approx(server.classifier.probabilities(digit[None])[0], abs=1e-6)
    kind, _, content = said["seen"].partition(",")
    assert kind == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(BytesIO(base64.b64decode(content)))), digit)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (encode(Image.new("L", (200, 200), 255)), "the picture shows no single digit"),
        (encode(Image.new("1", (9500, 9500))), "the picture has too many pixels"),
        (encode(draw_seven())[:200], "the picture is damaged"),
        (b"GIF", "the picture is no "),
        (b"", "the picture is empty"),
    ],
    ids=["blank", "too many pixels", "cut short", "no image", "empty"],
)
def test_picture_without_a_digit_gets_the_reason(server: Server, content: bytes, reason: str) -> None:
    status, said = ask(server, "POST", "/classify", content)
    assert status == 422
    assert said["error"].startswith(reason)
    assert "expected" not in said["error"], "of one who draws nobody expects a file"


@pytest.mark.parametrize(
    ("length", "status"), [(str(LARGEST_PICTURE + 1), 413), ("9" * 5000, 411), ("-1", 411), ("", 411)]
)
def test_length_out_of_bounds_is_refused_before_anything_is_read(server: Server, length: str, status: int) -> None:
    assert ask(server, "POST", "/classify", headers={"Content-Length": length})[0] == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": HOST},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_foreign_page_is_refused(server: Server, headers: dict[str, str]) -> None:
    headers = {name: value.format(port=server.server_port) for name, value in headers.items()}
    for method, path, content in (("GET", "/", None), ("POST", "/classify", encode(draw_seven()))):
        refused = {"error": f"this server answers only its own page, {server.address}/"}
        assert ask(server, method, path, content, headers) == (403, refused)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_own_page_is_answered_under_both_names(server: Server, name: str) -> None:
    host = f"{name}:{server.server_port}"
    status, page = ask(server, "GET", "/?from=editor", headers={"Host": host})
    assert (status, page[:15]) == (200, "<!doctype html>")
    headers = {"Host": host, "Origin": f"http://{host}"}
    assert ask(server, "POST", "/classify", encode(draw_seven()), headers)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/favicon.ico", 404),
        ("GET", "/server.py", 404),
        ("GET", "/../../params.yaml", 404),
        ("POST", "/upload", 404),
        ("GET", "/classify", 405),
        ("POST", "/", 405),
        ("DELETE", "/", 405),
        ("BREW", "/", 501),
    ],
)
def test_nothing_else_is_there(server: Server, method: str, path: str, status: int) -> None:
    found, said = ask(server, method, path)
    assert (found, list(said)) == (status, ["error"])


def test_connection_that_asks_nothing_keeps_nobody_waiting(server: Server) -> None:
    with socket.create_connection((HOST, server.server_port)):
        assert ask(server, "GET", "/page.js")[0] == 200


def test_browser_that_goes_away_is_not_reported(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    for error, is_reported in ((ConnectionResetError(), False), (BrokenPipeError(), False), (KeyError("bug"), True)):
        try:
            raise error
        except (OSError, KeyError):
            server.handle_error(None, (HOST, 1))
        assert bool(capsys.readouterr().err) == is_reported


def test_first_free_port_is_taken(server: Server, tmp_path: Path) -> None:
    with serving(tmp_path) as other:
        assert other.server_port > server.server_port >= 7860


def test_port_that_cannot_be_used_says_what_to_do(server: Server) -> None:
    for port in (server.server_port, 99_999, -1):
        with pytest.raises(UserError, match=f"^port {port} cannot be used; name another with --port"):
            listen(server.classifier, port)
