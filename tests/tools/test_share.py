"""Whatever is wrong on a remote, it is named, nothing is lost, and after the repair the next try succeeds."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import s3fs
import yaml
from dvc.repo import Repo
from dvc_objects.fs.errors import RemoteMissingDepsError

from pipeline.errors import UserError
from tests.project import NUM_EPOCHS, STAGES, Project, stages_run
from tests.remotes import KEY, SECRET, SERVERS, Server, clone, share
from tools.store.remote import open_remote
from tools.store.run_cache import LARGEST_BYTES, entry_of

CORRUPTED, MISSING, UNCHECKED = 1, 2, 4
OBJECTS_BEFORE_THE_END = 2
OTHER_BYTES = 300_000


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
        [url] = server.replacements.values()
        self._root = url.removeprefix("s3://")
        self._fs: Any = None
        if server.kind == "s3":
            endpoint = f"http://127.0.0.1:{server.port}"
            self._fs = s3fs.S3FileSystem(key=KEY, secret=SECRET, endpoint_url=endpoint, use_listings_cache=False)

    def entries(self) -> list[str]:
        return self._find("runs")

    def objects(self) -> list[str]:
        return self._find("files")

    def damaged(self) -> list[str]:
        return self._find("damaged", "*")

    def _find(self, folder: str, files: str = "*/*/*") -> list[str]:
        root = f"{self._root}/{folder}"
        found: list[str] = []
        if self._fs is None:
            found = [str(path) for path in Path(root).glob(files)]
        else:
            with contextlib.suppress(FileNotFoundError):  # Before the first push there is no bucket.
                found = self._fs.find(root)
        return sorted(path.removeprefix(f"{self._root}/") for path in found)

    def read(self, path: str) -> bytes:
        if self._fs:
            return bytes(self._fs.cat_file(f"{self._root}/{path}"))
        return Path(self._root, path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        if self._fs:
            self._fs.pipe_file(f"{self._root}/{path}", content)
        else:
            Path(self._root, path).unlink(missing_ok=True)
            Path(self._root, path).parent.mkdir(parents=True, exist_ok=True)
            Path(self._root, path).write_bytes(content)

    def remove(self, path: str) -> None:
        if self._fs:
            self._fs.rm_file(f"{self._root}/{path}")
        else:
            Path(self._root, path).unlink()


@pytest.fixture(scope="module", params=["folder", "s3"])
def shared(
    request: pytest.FixtureRequest,
    trained_template: Project,
    tmp_path_factory: pytest.TempPathFactory,
    servers: Callable[[str], Server],
) -> tuple[Project, Server]:
    """A project that was pushed to a server; each test leaves both as they were."""
    server = servers(request.param)
    project = trained_template.copy(tmp_path_factory.mktemp("shared") / "copy")
    server.configure(project)
    share(project, server, "push")
    return project, server


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
    for problem, what in (
        ("corrupted", f"data/checkpoints ({locked_md5(project, 'data/checkpoints')}): has md5"),
        ("corrupted", f"data/predictions.csv ({locked_md5(project, 'data/predictions.csv')}): has md5"),
        ("missing", f"data/model.safetensors ({locked_md5(project, 'data/model.safetensors')}): is not there"),
        ("warning", f"run-cache entry {entry.removeprefix('runs/')}: its content belongs to"),
    ):
        assert f"{problem:<10} remote share {what}" in output
    assert snapshot(other) == before
    assert len(list((other.folder / ".dvc/tmp/share/aside").iterdir())) == 2
    assert share(other, server, "pull", "--optional", expected=CORRUPTED)
    assert snapshot(other) == before
    verify(project, server, expected=CORRUPTED | MISSING)

    share(project, server, "push")
    share(other, server, "pull")
    assert other.results() == project.results()
    verify(other, server)


def altered_run(project: Project) -> tuple[str, bytes]:
    """The path on a remote and the content of a run that gives other predictions for the inputs in dvc.lock."""
    stage = yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]["evaluate"]
    [predictions] = [out for out in stage["outs"] if out["path"] == "data/predictions.csv"]
    predictions["md5"] = "0" * 32
    return f"runs/{entry_of(stage).name}", yaml.safe_dump(stage, sort_keys=False).encode()


def test_foreign_file_among_the_runs_is_warned_of_and_removed_by_push(shared: tuple[Project, Server]) -> None:
    project, server = shared
    store, other = Store(server), clone(project, "foreign")
    entry = store.entries()[0]
    places = [f"runs/{digit * 2}/{digit * 64}/{digit * 64}" for digit in "abc"]
    whys = ["it is no run-cache entry", "it is no run-cache entry", "its content belongs to"]
    foreign = dict(zip(places, [b"thumbs", bytes(2 * LARGEST_BYTES), store.read(entry)], strict=True))
    for path, content in foreign.items():
        store.write(path, content)
    output = share(other, server, "pull")
    for path, why in zip(places, whys, strict=True):
        line = f"warning    remote share run-cache entry {path.removeprefix('runs/')}: {why}"
        [said] = [text for text in output.splitlines() if text.startswith(line)]
        assert said.endswith("; it is not used, and `push` removes it")
    assert other.results() == project.results()
    assert output.count("warning") == share(other, server, "pull", "--optional").count("warning") == len(foreign)

    output = share(other, server, "push")
    assert output.count("it was moved into the remote's folder `damaged`") == len(foreign)
    assert set(foreign.values()) <= {store.read(path) for path in store.damaged()}
    assert not foreign.keys() & set(store.entries())
    assert "warning" not in share(other, server, "pull")


def test_run_that_gives_other_results_is_an_error_until_a_push_removes_it(shared: tuple[Project, Server]) -> None:
    project, server = shared
    store, other = Store(server), clone(project, "altered")
    path, content = altered_run(project)
    store.write(path, content)
    output = share(other, server, "pull", expected=CORRUPTED)
    name, why = path.removeprefix("runs/"), "for the inputs in dvc.lock it restores another data/predictions.csv"
    assert f"corrupted  remote share run-cache entry {name}: {why}; set aside as " in output
    output = share(project, server, "push")
    assert f"warning    remote share run-cache entry {name}: {why}; it was moved into" in output
    assert path not in store.entries()
    share(other, server, "pull")
    assert other.results() == project.results()


def test_lost_history_is_filled_by_a_pull_and_a_whole_one_is_not_spoken_of(shared: tuple[Project, Server]) -> None:
    project, server = shared
    other = clone(project, "forgetful")
    history = other.folder / "data/.resume"
    share(other, server, "pull")
    whole = {path: path.read_bytes() for path in history.glob("*/*")}
    assert share(other, server, "pull") == "share: all is there and right; files fetched from remote share: 0\n"
    shutil.rmtree(history)
    assert f"share: {NUM_EPOCHS} epochs, trained elsewhere, are now kept here" in share(other, server, "pull")
    assert {path: path.read_bytes() for path in history.glob("*/*")} == whole


def test_pull_leaves_what_a_killed_run_made_and_repro_records_it(shared: tuple[Project, Server]) -> None:
    project, server = shared
    other = clone(project, "killed")
    share(other, server, "pull")
    other.set_param("recipes.demo.seed", 7)
    other.run("python", "-m", "stages.train")
    before = other.results()
    output = share(other, server, "pull", expected=UNCHECKED)
    assert "the workspace was left as it is, for what is nowhere else: " in output
    assert "data/optimizer/epoch_001.safetensors" in output
    assert share(other, server, "pull", "--optional") == output
    assert other.results() == before
    assert "all 3 epochs are there, nothing to train" in other.run("dvc", "repro", "train").stdout


def test_pull_with_a_table_of_another_run_is_a_success_that_says_so(shared: tuple[Project, Server]) -> None:
    project, server = shared
    other = clone(project, "edited")
    other.append("metrics/train.csv", "\n")
    output = share(other, server, "pull")
    assert "metrics/train.csv is not what dvc.lock records" in output
    assert "a training with another `epochs` will start anew: metrics/train.csv is missing or not the one" in output


def test_push_from_an_empty_cache_is_no_success(shared: tuple[Project, Server]) -> None:
    project, server = shared
    output = share(clone(project, "empty"), server, "push", expected=MISSING)
    assert f"missing    cache data/raw ({locked_md5(project, 'data/raw')}): is not there" in output


def test_rotten_object_of_the_cache_is_fetched_anew(shared: tuple[Project, Server]) -> None:
    project, server = shared
    other = clone(project, "rotten")
    share(other, server, "pull")
    path = other.folder / ".dvc/cache" / object_path(project, "data/model.safetensors")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1])
    path.chmod(0o444)
    assert "files fetched from remote share: 1" in share(other, server, "pull")
    assert path.read_bytes() == content


def test_missing_remote_and_credentials_are_said_in_one_line(trained_template: Project, tmp_path: Path) -> None:
    project = trained_template.copy(tmp_path / "copy")
    nowhere = Server("folder", tmp_path)
    expected = "no remote is configured: `dvc remote add --default share URL`\n"
    for command in ("push", "pull"):
        assert share(project, nowhere, command, expected=UNCHECKED) == f"share: {expected}"
    assert f"unchecked  remote: {expected}" in verify(project, nowhere, expected=UNCHECKED)
    project.run("dvc", "remote", "add", "--default", "share", "s3://bucket/mnist")
    project.run("dvc", "remote", "modify", "share", "endpointurl", "http://127.0.0.1:9")
    home = replace(nowhere, variables={"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)})
    output = share(project, home, "pull", expected=UNCHECKED)
    assert output.splitlines() == [output.strip()]
    assert "credentials" in output


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (".dvc/cache", "lies in the cache"),
        ("data/raw/share", "lies in an output"),
        ("params.yaml", "is a file; name a folder"),
    ],
)
def test_folder_that_cannot_keep_what_is_shared_is_refused(project: Project, url: str, said: str) -> None:
    project.run("dvc", "remote", "add", "--default", "share", str(project.folder / url))
    before = snapshot(project)
    for command in ("push", "pull"):
        output = share(project, Server("folder", project.folder), command, expected=UNCHECKED)
        assert output.startswith(f"share: remote share: {project.folder / url} {said}")
        assert output.count("\n") == 1
    assert snapshot(project) == before


def test_package_that_a_remote_needs_is_named_in_one_line(trained_template: Project, tmp_path: Path) -> None:
    project = trained_template.copy(tmp_path / "copy")
    project.run("dvc", "remote", "add", "--default", "share", "gs://bucket/mnist")
    for command in ("push", "pull"):
        assert share(project, Server("folder", tmp_path), command, expected=UNCHECKED) == (
            "share: remote share needs a package: gs is supported, but requires 'dvc-gs' to be installed; "
            "for S3, SSH and WebDAV run `pip install -r requirements/remotes.txt`\n"
        )


def test_package_that_a_plugin_needs_is_named() -> None:
    def get_remote_odb(name: str) -> None:
        raise RemoteMissingDepsError(cast(Any, None), "s3", "s3://bucket", ["s3fs", "boto3"])

    repo = SimpleNamespace(config={"core": {}}, cloud=SimpleNamespace(get_remote_odb=get_remote_odb))
    with pytest.raises(UserError, match="remote share needs a package: s3fs, boto3; for S3"):
        open_remote(cast(Repo, repo), "share")


def test_remote_that_nobody_pushed_to_holds_nothing_wherever_it_is_named(project: Project, tmp_path: Path) -> None:
    project.run("dvc", "remote", "add", "share", str(tmp_path / "unmounted"))
    for arguments in (("pull", "--remote", "share"), ("--remote", "share", "pull")):
        output = share(project, Server("folder", tmp_path), *arguments, expected=UNCHECKED)
        assert output == "share: remote share holds nothing: nobody has pushed to it, or its URL is wrong\n"


def verify(project: Project, server: Server, expected: int = 0) -> str:
    """Read workspace, cache and the default remote."""
    done = project.run("python", "-m", "tools.verify", "--outputs", "--remote", check=False, **server.variables)
    assert done.returncode == expected, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


@contextmanager
def dying_proxy(port: int, has_enough: Callable[[], bool]) -> Iterator[int]:
    """A port that leads to another, until that has got enough; from then on it drops every connection."""
    listener, open_sockets, is_over, one_at_a_time = socket.create_server(("127.0.0.1", 0)), [], False, threading.Lock()

    def pump(source: socket.socket, target: socket.socket, is_looked_at: bool) -> None:
        nonlocal is_over
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                if is_looked_at:
                    with one_at_a_time:
                        is_over = is_over or has_enough()
                if is_over:
                    break
                target.sendall(chunk)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while not is_over:
                client = listener.accept()[0]
                open_sockets.append(client)
                server = socket.create_connection(("127.0.0.1", port))
                open_sockets.append(server)
                for ends in ((client, server, True), (server, client, False)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()
        for end in open_sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        listener.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        for end in (listener, *open_sockets):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def test_push_to_a_server_that_dies_on_the_way_is_completed_by_the_next(
    project: Project, servers: Callable[[str], Server]
) -> None:
    server = servers("s3")
    store = Store(server)
    with dying_proxy(server.port, lambda: len(store.objects()) >= OBJECTS_BEFORE_THE_END) as port:
        server.configure(project, **{"https://s3.example.org": f"http://127.0.0.1:{port}"})
        push = project.run("python", "-m", "tools.share", "push", check=False, **server.variables)
    assert push.returncode & MISSING, push.stdout
    assert "push again" in push.stdout
    assert "Traceback" not in push.stdout
    assert 0 < len(store.objects()) < len(list((project.folder / ".dvc/cache/files").glob("*/*/*")))
    project.run("dvc", "remote", "modify", "share", "endpointurl", f"http://127.0.0.1:{server.port}")
    project.commit()
    share(project, server, "push")
    other = clone(project)
    share(other, server, "pull")
    assert other.results() == project.results()


def test_push_to_a_folder_that_is_killed_on_the_way_is_completed_by_the_next(
    project: Project, servers: Callable[[str], Server]
) -> None:
    server = servers("folder")
    server.configure(project)
    [remote] = map(Path, server.replacements.values())
    num_objects = len(list((project.folder / ".dvc/cache/files").glob("*/*/*")))
    command = [sys.executable, "-m", "tools.share", "push"]
    push = subprocess.Popen(command, cwd=project.folder, env=project.environment(), stdout=subprocess.DEVNULL)
    while push.poll() is None and len(list(remote.glob("files/*/*/*"))) < 3:
        pass
    push.kill()
    assert push.wait() == -signal.SIGKILL
    assert len(Store(server).objects()) < num_objects
    share(project, server, "push")
    other = clone(project)
    share(other, server, "pull")
    assert other.results() == project.results()


def entries(runs: Path) -> set[Path]:
    """The entries of a run-cache."""
    return {path.relative_to(runs) for path in runs.glob("*/*/*")}


def small_disk(folder: Path, size: str, *options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", ",".join([*options, f"size={size}"]), "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"needs the right to mount a small disk: {done.stderr.strip()}")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
@pytest.mark.parametrize(("kind", "error"), [("folder", "No space left on device"), ("s3", "internal error")])
def test_full_disk_is_reported_and_the_next_push_completes(
    project: Project, tmp_path: Path, kind: str, error: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    small_disk(disk, "1200k")
    server = SERVERS[kind](disk).at("remote")
    try:
        server.start()
        server.configure(project)
        (disk / "other data").write_bytes(bytes(OTHER_BYTES))
        output = share(project, server, "push", expected=MISSING)
        assert error in output
        assert "push again" in output
        other = clone(project)
        share(other, server, "pull", expected=MISSING)
        small_disk(disk, "40m", "remount")
        share(project, server, "push")
        share(other, server, "pull")
        assert other.results() == project.results()
    finally:
        server.stop()
        subprocess.run(["umount", str(disk)], check=True)


def test_colleagues_run_is_restored_and_made_longer_by_the_new_epochs_only(
    project: Project, servers: Callable[[str], Server]
) -> None:
    server = servers("folder")
    server.configure(project)
    run = ("dvc", "exp", "run", "--name", "notes", "-S", "recipe=notes")
    assert stages_run(project.run(*run).stdout) == STAGES[1:]
    of_seed, runs = project.results(), entries(project.folder / ".dvc/cache/runs")
    project.append("stages/report/charts.py", "# Other code, in a folder that dvc.yaml lists.\n")
    assert project.repro("report") == ["report"]
    [of_other_code] = entries(project.folder / ".dvc/cache/runs") - runs
    project.run("git", "checkout", "--quiet", "HEAD", "--", ".")
    project.run("dvc", "checkout", "--quiet")
    share(project, server, "push")
    [remote] = map(Path, server.replacements.values())
    assert entries(remote / "runs") == runs
    (remote / "runs" / of_other_code).parent.mkdir(parents=True)
    shutil.copy(project.folder / ".dvc/cache/runs" / of_other_code, remote / "runs" / of_other_code)
    other = clone(project)
    share(other, server, "pull")
    assert entries(other.folder / ".dvc/cache/runs") == runs
    other.set_param("recipes.demo.epochs", NUM_EPOCHS + 1)
    assert f"continuing at epoch {NUM_EPOCHS + 1} of" in other.run("dvc", "repro", "train").stdout
    longer = other.results()
    other.run("git", "checkout", "--quiet", "HEAD", "--", ".")
    assert stages_run(other.run(*run).stdout) == []
    assert other.results() == of_seed
    project.set_param("recipes.demo.epochs", NUM_EPOCHS + 1)
    project.repro("train")
    trained_here = project.results()
    for path in (
        f"data/optimizer/epoch_00{NUM_EPOCHS + 1}.safetensors",
        "metrics/train.csv",
        f"data/checkpoints/epoch_00{NUM_EPOCHS + 1}.safetensors",
    ):
        assert longer[path] == trained_here[path]
