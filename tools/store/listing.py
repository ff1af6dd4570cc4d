"""Checks DVC's listings of folders (objects named *.dir), which say what is written where at a checkout."""

import json
import re
from pathlib import PurePosixPath
from typing import Any

MD5 = re.compile(r"[0-9a-f]{32}")


def parse_listing(content: bytes) -> dict[str, str]:
    """Return the md5 of each file of the folder, by its path relative to the folder.

    Raises:
        ValueError: the content is no listing, or a path in it would lead out of the folder; the message says which.
    """
    try:
        entries = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("the listing is no JSON") from None
    if not isinstance(entries, list):
        raise ValueError("the listing is not a list")
    files: dict[str, str] = {}
    for entry in entries:
        path, md5 = _checked(entry)
        if path in files:
            raise ValueError(f"the listing has {path!r} twice")
        files[path] = md5
    for path in files:
        for folder in PurePosixPath(path).parents:
            if str(folder) in files:
                raise ValueError(f"the listing has {str(folder)!r} both as a file and as a folder")
    return files


def _checked(entry: Any) -> tuple[str, str]:
    if not isinstance(entry, dict) or not {"md5", "relpath"} <= entry.keys():
        raise ValueError(f"the listing has the entry {_short(entry)}; expected md5 and relpath")
    path, md5 = entry["relpath"], entry["md5"]
    if not isinstance(md5, str) or not MD5.fullmatch(md5):
        raise ValueError(f"the listing has the md5 {_short(md5)}; expected 32 hexadecimal digits")
    if not isinstance(path, str) or not _is_inside(path):
        raise ValueError(f"the listing has the path {_short(path)}, which is not inside the folder")
    return path, md5


def _is_inside(path: str) -> bool:
    """Whether it is a plain relative path: no root, no drive, no `.` or `..`, no empty part, no control character."""
    parts = path.split("/")
    return path.isprintable() and "\\" not in path and ":" not in parts[0] and not {"", ".", ".."} & set(parts)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
