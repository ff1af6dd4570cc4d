"""The files in the workspace, every byte: DVC does not look into one whose size and time are as they were."""

from collections.abc import Iterator
from pathlib import Path

from dvc.repo import Repo

from mnist.checksums import CHECKSUMS, read_checksums
from mnist.paths import RAW_DATA
from pipeline.errors import name_some
from pipeline.links import refuse_foreign
from tools.health.fault import Fault
from tools.health.lock import recorded
from tools.store.cache import declared_outputs
from tools.store.lock import LOCK, locked_outputs
from tools.store.objects import Store, md5_of_file


def find_foreign() -> Iterator[Fault]:
    """Whether the outputs lie in the project itself, and are plain files; see `pipeline.links`."""
    refuse_foreign(map(Path, declared_outputs()))
    yield from ()


def find_changed() -> Iterator[Fault]:
    """Whether the outputs are what dvc.lock records; of folders, where the cache has their listings."""
    outs = locked_outputs(recorded())
    with Repo() as repo:
        files, _ = Store("cache", repo.cache.local).files_in(outs)
    files |= {path: md5 for path, md5 in outs.items() if not md5.endswith(".dir")}
    if missing := [path for path in sorted(outs | files) if not Path(path).exists()]:
        yield Fault(f"missing: {name_some(missing)}: `make repro` brings or makes what {LOCK} records")
    for path, md5 in files.items():
        if Path(path).is_file() and (actual := md5_of_file(Path(path))) != md5:
            what = f"{path} has md5 {actual}, recorded is {md5}"
            yield Fault(f"{what}: `rm -f {path} && dvc repro` brings the recorded one back")


def find_not_genuine() -> Iterator[Fault]:
    """Whether the files of the data set are those that were published, as far as git has their md5s."""
    published = RAW_DATA.parent / CHECKSUMS
    for name, md5 in read_checksums(published).items():
        path = RAW_DATA / name
        if path.is_file() and md5_of_file(path) != md5:
            yield Fault(f"{path} is not the file of {published}: `dvc repro --force download` brings it anew")
