"""README and docs name only what is there: links, commands, options, targets, files."""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests import ROOT

README = ROOT / "README.md"
CHANGELOG = ROOT / "docs/CHANGELOG.md"  # It names what was, too: only its links must lead somewhere.
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
NAMES = {page: page.relative_to(ROOT).as_posix() for page in PAGES}
CURRENT = [pytest.param(page, id=name) for page, name in NAMES.items() if page != CHANGELOG]
FENCED = re.compile(r"^```\w*\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
MODULE = re.compile(r"python -m ((?:bench|stages|tools)[\w.]*)")
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
SUFFIXES = (".py", ".md", ".yaml", ".toml", ".jinja", ".lock", ".txt")


def code(page: Path) -> Iterator[str]:
    """What stands in blocks, line by line, and between backticks."""
    text = page.read_text(encoding="utf-8")
    for block in FENCED.findall(text):
        yield from block.splitlines()
    for span in re.findall(r"`([^`]+)`", FENCED.sub("", text)):
        yield " ".join(span.split())


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def help_of(*command: str) -> str:
    """What a command of tools/ or bench/ says of itself."""
    line = [sys.executable, "-m", *command, "--help"]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def subcommands(module: str) -> list[str]:
    found = re.search(r"\{([\w,]+)\} \.\.\.", help_of(module))
    return found[1].split(",") if found else []


@cache
def repository() -> tuple[set[str], set[str]]:
    """The files that git tracks or would track, and their folders, by path; and the last parts of the files' paths."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    parents = {parent.as_posix() for file in files for parent in Path(file).parents}
    return {*files, *parents}, {Path(file).name for file in files}


def is_there(path: str) -> bool:
    """Whether git knows a file or folder, a bare name anywhere; or ignores it, as it does what a run writes."""
    paths, names = repository()
    known = path in paths or ("/" not in path and path in names)
    return known or subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False).returncode == 0


def looks_like_ours(word: str) -> bool:
    """Whether a word names something in this repository: below one of its folders, or with a suffix of its files."""
    paths, _ = repository()
    if PATH.fullmatch(word) is None:
        return False
    first, slash, _ = word.partition("/")
    return first in paths if slash else word.endswith(SUFFIXES)


def test_readme_is_read_in_one_sitting() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 200


def test_readme_leads_to_every_page() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in LINK.findall(README.read_text(encoding="utf-8"))}
    assert set(PAGES) - {README} <= linked


@pytest.mark.parametrize("page", PAGES, ids=NAMES.values())
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert is_there(target.relative_to(ROOT).as_posix()), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", CURRENT)
def test_every_command_and_option_is_known(page: Path) -> None:
    for line in code(page):
        for match in MODULE.finditer(line):
            module = match[1]
            file = ROOT / module.replace(".", "/")
            assert file.with_suffix(".py").is_file() or (file / "__main__.py").is_file(), line
            words = line[match.end() :].partition("#")[0].split()
            if module.startswith("stages"):
                assert not words, f"a stage takes no arguments: {line}"
                continue
            known = help_of(module)
            if words and (others := subcommands(module)):
                assert words[0] in others, line
                known += help_of(module, words[0])
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert options <= set(re.findall(r"--[\w-]+", known)), line


@pytest.mark.parametrize("page", CURRENT)
def test_every_option_without_its_command_is_known_to_a_tool(page: Path) -> None:
    modules = {match[1] for line in code(page) for match in MODULE.finditer(line) if match[1].startswith("tools.")}
    known = {option for module in modules for option in re.findall(r"--[\w-]+", help_of(module))}
    assert {line.split()[0] for line in code(page) if line.startswith("--")} <= known


@pytest.mark.parametrize("page", CURRENT)
def test_every_target_of_make_exists(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for line in code(page):
        assert set(re.findall(r"(?<!\S)make ([a-z-]+)", line.partition("#")[0])) <= set(targets), line


@pytest.mark.parametrize("page", CURRENT)
def test_every_path_of_the_repository_exists(page: Path) -> None:
    named = {word.strip(",;:()") for line in code(page) for word in line.split()}
    assert [word for word in sorted(named) if looks_like_ours(word) and not is_there(word.rstrip("/"))] == []


def test_the_checks_see_what_the_pages_name() -> None:
    lines = [line for page in PAGES for line in code(page)]
    assert "python -m tools.share push" in {line.partition("#")[0].strip() for line in lines}
    assert looks_like_ours("tools/none.py")
    assert not is_there("tools/none.py")
    assert is_there("data/model.safetensors")
    assert not looks_like_ours("/mnt/team/mnist")
    assert {"push", "pull"} <= set(subcommands("tools.share"))
    assert "a-skeleton" in anchors(ROOT / "docs/CONTRIBUTING.md")
