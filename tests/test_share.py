"""Whatever is wrong on a remote, it is named, nothing is lost, and after the repair the next try succeeds."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import s3fs
import yaml

from tests.project import NUM_EPOCHS, Project, stages_run
from tests.remotes import KEY, SECRET, SERVERS, Server, clone, share

CORRUPTED, MISSING, UNCHECKED = 1, 2, 4
REQUESTS_BEFORE_THE_END = 25


def locked_md5(project: Project, path: str) -> str:
    """The md5 that dvc.lock records for an output."""
    stages = yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"].values()
    [md5] = [out["md5"] for stage in stages for out in stage["outs"] if out["path"] == path]
    return str(md5)


def object_path(project: Project, path: str) -> str:
    md5 = locked_md5(project, path)
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def snapshot(project: Project) -> dict[Path, bytes]:
    """The workspace's files and their contents."""
    skipped = (".git", ".dvc", "__pycache__")
    paths = [path for path in project.folder.rglob("*") if path.is_file() and not set(path.parts) & set(skipped)]
    return {path: path.read_bytes() for path in paths}


class Store:
    """The files of a server's remote, to be damaged."""

    def __init__(self, server: Server) -> None:
        self._root = str(server.folder / "store")
        self._fs: Any = None
        if server.kind == "s3":
            self._root = "bucket/mnist"
            endpoint = server.replacements["https://s3.example.org"]
            self._fs = s3fs.S3FileSystem(key=KEY, secret=SECRET, endpoint_url=endpoint, use_listings_cache=False)

    def entries(self) -> list[str]:
        root = f"{self._root}/runs"
        found = self._fs.find(root) if self._fs else [str(path) for path in Path(root).glob("*/*/*")]
        return sorted(path.removeprefix(f"{self._root}/") for path in found)

    def read(self, path: str) -> bytes:
        if self._fs:
            return bytes(self._fs.cat_file(f"{self._root}/{path}"))
        return Path(self._root, path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        self.remove(path)
        if self._fs:
            self._fs.pipe_file(f"{self._root}/{path}", content)
        else:
            Path(self._root, path).write_bytes(content)

    def remove(self, path: str) -> None:
        if self._fs:
            self._fs.rm_file(f"{self._root}/{path}")
        else:
            Path(self._root, path).unlink()


@pytest.fixture(scope="module", params=["folder", "s3"])
def shared(
    request: pytest.FixtureRequest, trained_template: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, Server]]:
    """A project that was pushed to a server; each test leaves both as they were."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "server").mkdir()
    server = SERVERS[request.param](folder / "server")
    try:
        server.start()
        project = trained_template.copy(folder / "copy")
        server.configure(project)
        share(project, server, "push")
        yield project, server
    finally:
        server.stop()


def test_damaged_objects_and_entries_are_named_set_aside_and_mended(shared: tuple[Project, Server]) -> None:
    project, server = shared
    store, other = Store(server), clone(project, "damaged")
    predictions, model, listing = (
        object_path(project, path) for path in ("data/predictions.csv", "data/model.safetensors", "data/checkpoints")
    )
    content = bytearray(store.read(listing))
    content[-4] ^= 1
    store.write(listing, bytes(content))
    store.write(predictions, store.read(predictions)[:10])
    store.remove(model)
    entry = store.entries()[0]
    store.write(entry, store.read(entry).replace(b"exec python", b"exec  python"))
    before = snapshot(other)

    output = share(other, server, "pull", expected=CORRUPTED | MISSING)
    for problem, what in {
        "corrupted": f"data/checkpoints ({locked_md5(project, 'data/checkpoints')}): has md5",
        "corrupted ": f"data/predictions.csv ({locked_md5(project, 'data/predictions.csv')}): has md5",
        "missing": f"data/model.safetensors ({locked_md5(project, 'data/model.safetensors')}): is not there",
        "corrupted  ": f"run-cache entry {entry.removeprefix('runs/')}: its content belongs to",
    }.items():
        assert f"{problem.strip():<10} remote share {what}" in output
    assert snapshot(other) == before
    assert len(list((other.folder / ".dvc/tmp/share/aside").iterdir())) == 3
    assert share(other, server, "pull", "--optional", expected=CORRUPTED)
    assert snapshot(other) == before
    share(project, server, "status", expected=CORRUPTED | MISSING)

    share(project, server, "push")
    share(other, server, "pull")
    assert other.results() == project.results()
    share(other, server, "status")


def test_push_without_the_objects_is_no_success(shared: tuple[Project, Server]) -> None:
    project, server = shared
    other, path = clone(project, "empty"), object_path(project, "data/predictions.csv")
    assert "0 files were sent" in share(other, server, "push") or server, "the remote has all"
    content = Store(server).read(path)
    Store(server).remove(path)
    output = share(other, server, "push", expected=MISSING)
    assert "missing    " in output
    Store(server).write if False else None
    share(project, server, "push")
    assert Store(server).read(path) == content


def test_rotten_object_of_the_cache_is_fetched_anew(shared: tuple[Project, Server]) -> None:
    project, server = shared
    other = clone(project, "rotten")
    share(other, server, "pull")
    path = other.folder / ".dvc/cache" / object_path(project, "data/model.safetensors")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1])
    path.chmod(0o444)
    assert "1 files were fetched" in share(other, server, "pull")
    assert path.read_bytes() == content


def test_missing_remote_and_credentials_are_said_in_one_line(trained_template: Project, tmp_path: Path) -> None:
    project = trained_template.copy(tmp_path / "copy")
    nowhere = Server("folder", tmp_path)
    for command in ("push", "pull", "status"):
        expected = "share: no remote is configured: `dvc remote add --default share URL`\n"
        assert share(project, nowhere, command, expected=UNCHECKED) == expected
    project.run("dvc", "remote", "add", "--default", "share", "s3://bucket/mnist")
    project.run("dvc", "remote", "modify", "share", "endpointurl", "http://127.0.0.1:9")
    home = replace(nowhere, variables={"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)})
    output = share(project, home, "pull", expected=UNCHECKED)
    assert output.splitlines() == [output.strip()]
    assert "credentials" in output


def test_remote_that_nobody_pushed_to_holds_nothing(project: Project, tmp_path: Path) -> None:
    project.run("dvc", "remote", "add", "--default", "share", str(tmp_path / "unmounted"))
    output = share(project, Server("folder", tmp_path), "pull", expected=UNCHECKED)
    assert output == "share: remote share holds nothing: nobody has pushed to it, or its URL is wrong\n"


@contextmanager
def dying_proxy(target: str) -> Iterator[tuple[str, list[str]]]:
    """An HTTP proxy's URL in front of `target`; after some requests that write it answers none, until the list is emptied."""
    written: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            if self.command in ("PUT", "POST"):
                written.append(self.path)
            if len(written) > REQUESTS_BEFORE_THE_END // 5:
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = requests.request(self.command, target + self.path, headers=dict(self.headers), data=body, timeout=60)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in ("Transfer-Encoding", "Content-Encoding", "Connection"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward

        def log_message(self, format: str, *args: object) -> None:
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}", written
    finally:
        proxy.shutdown()
        proxy.server_close()


def small_disk(folder: Path, size: str, *options: str) -> None:
    options_text = ",".join([*options, f"size={size}"])
    subprocess.run(["mount", "-t", "tmpfs", "-o", options_text, "tmpfs", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
def test_full_disk_is_reported_and_the_next_push_completes(project: Project, tmp_path: Path) -> None:
    (tmp_path / "server/store").mkdir(parents=True)
    server = SERVERS["folder"](tmp_path / "server")
    server.configure(project)
    small_disk(tmp_path / "server/store", "600k")
    try:
        output = share(project, server, "push", expected=MISSING)
        assert "No space left on device" in output
        assert "push again" in output
        other = clone(project)
        share(other, server, "pull", expected=UNCHECKED if not (tmp_path / "server/store/files").exists() else MISSING)
        small_disk(tmp_path / "server/store", "20m", "remount")
        share(project, server, "push")
        share(other, server, "pull")
        assert other.results() == project.results()
    finally:
        subprocess.run(["umount", str(tmp_path / "server/store")], check=True)


def test_colleagues_run_is_restored_and_made_longer_by_the_new_epochs_only(project: Project, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    server = SERVERS["folder"](tmp_path / "server")
    server.configure(project)
    run = ("dvc", "exp", "run", "--name", "seed", "-S", "recipe=seed")
    assert stages_run(project.run(*run).stdout) == ["train", "evaluate"]
    of_seed = project.results()
    project.run("git", "checkout", "--quiet", "HEAD", "--", ".")
    project.run("dvc", "checkout", "--quiet")
    share(project, server, "push")
    other = clone(project)
    share(other, server, "pull")
    other.set_param("recipes.demo.epochs", NUM_EPOCHS + 1)
    assert f"continuing at epoch {NUM_EPOCHS + 1} of" in other.run("dvc", "repro", "train").stdout
    longer = other.results()
    other.run("git", "checkout", "--quiet", "HEAD", "--", ".")
    assert stages_run(other.run(*run).stdout) == []
    assert other.results() == of_seed
    project.set_param("recipes.demo.epochs", NUM_EPOCHS + 1)
    project.repro("train")
    trained_here = project.results()
    for path in ("data/optimizer.safetensors", "metrics/train.csv", f"data/checkpoints/epoch_00{NUM_EPOCHS + 1}.safetensors"):
        assert longer[path] == trained_here[path]
