"""Whether DVC's cache has all that dvc.lock records; found out in no time, as only listings of folders are read.

A disk that is full while DVC commits leaves an object out, and `dvc repro` ends with 0 all the same.
"""

from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UserError
from tools.store.listing import parse_listing
from tools.store.lock import read_lock
from tools.store.objects import reason

DVC_YAML = Path("dvc.yaml")
KINDS = ("outs", "metrics", "plots")


def declared_outputs() -> dict[str, bool]:
    """Those in dvc.yaml; see `read_declared`.

    Raises:
        UserError: the file is missing, or cannot be read.
    """
    try:
        return read_declared()
    except ValueError as error:
        raise UserError(f"{DVC_YAML} cannot be read ({error}): `git checkout HEAD {DVC_YAML}`") from None


def read_declared(folder: Path = Path()) -> dict[str, bool]:
    """The outputs of the stages in a folder's dvc.yaml, by path: whether the cache keeps them; the others git has.

    Raises:
        ValueError: the file is missing, or cannot be read; the message says why.
    """
    try:
        stages = yaml.safe_load((folder / DVC_YAML).read_text(encoding="utf-8"))["stages"].values()
        entries = [entry for stage in stages for kind in KINDS for entry in stage.get(kind, [])]
        named = [entry if isinstance(entry, dict) else {entry: {}} for entry in entries]
        return {path: options.get("cache", True) for entry in named for path, options in entry.items()}
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(reason(error)) from None


def kept_outputs(stages: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What dvc.lock, whose `stages` these are, says of the outputs that the cache keeps (md5, size, ...), by path."""
    kept, outs = declared_outputs(), [out for stage in stages.values() for out in stage["outs"]]
    return {out["path"]: out for out in outs if kept.get(out["path"], True)}


def cache_folder() -> Path:
    """Where DVC keeps objects."""
    from dvc.config import Config  # All of DVC takes ten times as long to load.

    return Path(Config(".dvc")["cache"].get("dir", ".dvc/cache")) / "files/md5"


def find_lacking() -> list[str]:
    """What of the outputs in dvc.lock the cache lacks, or has in another size than recorded, a text each."""
    cache = cache_folder()
    return [lack for path, out in kept_outputs(read_lock()).items() if (lack := _lack(cache, path, out))]


def _lack(cache: Path, path: str, out: dict[str, Any]) -> str | None:
    oids = [out["md5"]]
    try:
        if out["md5"].endswith(".dir"):
            oids = list(parse_listing(_object_path(cache, out["md5"]).read_bytes()).values())
        size = sum(_object_path(cache, oid).stat().st_size for oid in oids)
    except FileNotFoundError as error:
        return f"{path} (there is no {error.filename})"
    except ValueError as error:
        return f"{path} ({error})"
    return None if size == out["size"] else f"{path} (it has {size} bytes, recorded are {out['size']})"


def _object_path(cache: Path, oid: str) -> Path:
    return cache / oid[:2] / oid[2:]
