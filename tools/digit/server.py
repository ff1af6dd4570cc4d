"""The server of tools.demo: the page's three files, and what the network says of a picture.

It listens on 127.0.0.1 alone, answers no page but its own, and keeps nothing of what it is sent.
"""

import base64
import io
import json
import re
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from PIL import Image

from pipeline.errors import UserError
from tools.digit.classifier import Classifier
from tools.digit.image import decode_digit

HOST = "127.0.0.1"
PORTS = (*range(7860, 7960), 0)  # 0: any that is free
LARGEST_PICTURE = 10_000_000  # bytes; a phone's photo has 2 to 6 million
FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
CLASSIFY = "/classify"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    """Answers each request in a thread of its own: a browser keeps connections open on which it asks nothing."""

    def __init__(self, classifier: Classifier, port: int) -> None:
        super().__init__((HOST, port), Handler)
        self.classifier = classifier
        self.one_picture = (
            Lock()
        )  # At a time: each may take a gigabyte, and decode_digit filters all threads' warnings.
        self.hosts = (f"{HOST}:{self.server_port}", f"localhost:{self.server_port}")
        self.address = f"http://{self.hosts[0]}"

    def classify(self, picture: bytes) -> dict[str, Any]:
        """Return the digits' probabilities and what the network sees, a PNG image [28, 28] as a data: URL.

        Raises:
            UserError: the picture cannot be read, or shows no single digit.
        """
        with self.one_picture:
            digit = decode_digit(io.BytesIO(picture))
            probabilities = self.classifier.probabilities(digit[None])[0]
        png = io.BytesIO()
        Image.fromarray(digit).save(png, "PNG")
        seen = f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
        return {"probabilities": [round(float(probability), 6) for probability in probabilities], "seen": seen}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong in a request, unless it is that the browser went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    timeout = 30  # seconds without a byte

    def answer(self) -> None:
        """Send the page or what the network says; foreign pages get neither."""
        path = self.path.partition("?")[0]
        host = self.headers["Host"]
        # A name that leads here without being this machine's is a foreign page's (DNS rebinding).
        if host not in self.server.hosts or self.headers["Origin"] not in (None, f"http://{host}"):
            self.send_error(HTTPStatus.FORBIDDEN, f"this server answers only its own page, {self.server.address}/")
        elif (self.command, path) == ("POST", CLASSIFY):
            self.classify()
        elif self.command == "GET" and path in FILES:
            name, content_type = FILES[path]
            self.send(HTTPStatus.OK, content_type, Path(__file__).with_name(name).read_bytes())
        elif path == CLASSIFY or path in FILES:
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes no {self.command}")
        else:
            self.send_error(HTTPStatus.NOT_FOUND, f"there is no {path} here")

    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def classify(self) -> None:
        """Send what the network says of the picture that is the request's body, or why it says nothing."""
        length = self.headers["Content-Length"] or ""
        if not re.fullmatch("[0-9]{1,18}", length):
            self.send_error(HTTPStatus.LENGTH_REQUIRED, "the length of the picture is missing")
        elif int(length) > LARGEST_PICTURE:
            message = f"the picture has {int(length):,} bytes; allowed are {LARGEST_PICTURE:,}"
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        else:
            try:
                said = self.server.classify(self.rfile.read(int(length)))
            except UserError as error:
                # What follows says which files are allowed, and is no concern of one who draws.
                self.send_error(HTTPStatus.UNPROCESSABLE_ENTITY, f"the picture {str(error).partition(';')[0]}")
            else:
                self.send(HTTPStatus.OK, "application/json", json.dumps(said).encode())

    def send(self, status: int, content_type: str, content: bytes) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(content)), **HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send in JSON what is wrong; http.server itself does so where a request is none."""
        self.send(code, "application/json", json.dumps({"error": message}).encode())

    def log_message(self, *arguments: Any) -> None:
        """Say nothing of each request: the terminal is the user's."""


def listen(classifier: Classifier, port: int | None) -> Server:
    """Return a server that listens on a port, or on the first that is free.

    Raises:
        UserError: the port cannot be used.
    """
    for candidate in PORTS if port is None else [port]:
        try:
            return Server(classifier, candidate)
        except (OSError, OverflowError):
            pass
    raise UserError(f"port {port} cannot be used; name another with --port, or none to take one that is free")
