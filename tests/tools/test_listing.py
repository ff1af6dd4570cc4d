"""A listing of a folder is believed only if it is well formed and stays inside the folder."""

import json

import pytest

from tools.store.listing import parse_listing

MD5 = "0123456789abcdef0123456789abcdef"


def listing(*paths: object) -> bytes:
    return json.dumps([{"md5": MD5, "relpath": path} for path in paths]).encode()


def test_files_are_returned_with_their_md5() -> None:
    assert parse_listing(listing("a", "folder/b")) == {"a": MD5, "folder/b": MD5}
    assert parse_listing(b"[]") == {}


def test_further_fields_are_allowed() -> None:
    assert parse_listing(json.dumps([{"md5": MD5, "relpath": "a", "size": 3}]).encode()) == {"a": MD5}


@pytest.mark.parametrize(
    "path",
    [
        "../a",
        "a/../../b",
        "..",
        ".",
        "",
        "/etc/passwd",
        "a//b",
        "a/",
        "./a",
        "a/./b",
        "C:/a",
        "a\\..\\b",
        "a\nb",
        "a\0b",
    ],
)
def test_path_that_leads_out_or_is_not_plain_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not inside the folder"):
        parse_listing(listing("fine", path))


@pytest.mark.parametrize("path", [None, 1, ["a"], {"a": 1}])
def test_path_that_is_no_text_is_refused(path: object) -> None:
    with pytest.raises(ValueError, match="not inside the folder"):
        parse_listing(listing(path))


@pytest.mark.parametrize(
    "md5", ["", MD5[:-1], MD5 + "0", MD5.upper(), "../" + MD5[3:], MD5 + ".dir", MD5 + "\n", 5, None]
)
def test_md5_that_is_none_is_refused(md5: object) -> None:
    with pytest.raises(ValueError, match="expected 32 hexadecimal digits"):
        parse_listing(json.dumps([{"md5": md5, "relpath": "a"}]).encode())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no JSON"),
        (b"[{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b'{"md5": "x"}', "not a list"),
        (b"5", "not a list"),
        (b"[5]", "expected md5 and relpath"),
        (b'[{"relpath": "a"}]', "expected md5 and relpath"),
        (listing("a", "b", "a"), "'a' twice"),
        (listing("a", "a/b"), "'a' both as a file and as a folder"),
        (listing("a/b/c", "a"), "'a' both as a file and as a folder"),
    ],
)
def test_malformed_listing_is_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_listing(content)


def test_message_is_short_whatever_the_content() -> None:
    with pytest.raises(ValueError, match="not inside") as raised:
        parse_listing(listing("../" * 1000))
    assert len(str(raised.value)) < 200
