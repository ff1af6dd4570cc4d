"""What tests share: tiny data in MNIST's format, and a copy of the project that learns it in seconds."""

import mnist  # isort: skip  # noqa: F401  (before torch, for the CPU profile)

import fcntl
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, sync_playwright

from mnist.determinism import make_deterministic
from tests import ROOT
from tests.forks import FORKS, fork_server
from tests.project import STAGES, Once, Project, create_project
from tests.remotes import SERVERS, Server
from tests.sweeps import downloaded, run_four_by_hand
from tests.tiny import checksums, write_tiny_dataset

LONGEST = (
    "test_workers.py",
    "test_sweep.py",
    "test_hosts.py",
    "test_joined.py",
    "test_group_cache.py",
    "test_crash.py",
    "test_verify.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fresh", action="store_true", help="load all libraries anew in each process that a test starts")


def pytest_configure(config: pytest.Config) -> None:
    """Start the fork server; the processes that run tests, where there are several, inherit the way to it."""
    if "PYTEST_XDIST_WORKER" not in os.environ and not config.getoption("fresh") and sys.platform == "linux":
        server = ExitStack()
        os.environ[FORKS] = str(server.enter_context(fork_server()))
        config.add_cleanup(server.close)


@pytest.hookimpl(tryfirst=True)  # pytest-xdist, which reads the groups, would come before.
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give what is costly to set up to one of the processes that run tests; begin with the longest tests.

    Were those last, one process would still be at work on one when the others have ended.
    """
    shared = ("mnist_project", "servers", "audited", "two_commits", "browser")
    fixtures = {
        item: next((name for name in shared if name in getattr(item, "fixturenames", ())), "") for item in items
    }
    items.sort(key=lambda item: item.path.name not in LONGEST and fixtures[item] != "servers")
    for item, fixture in fixtures.items():
        if fixture:
            item.add_marker(pytest.mark.xdist_group(fixture))


@pytest.fixture(autouse=True)
def _torch_settings_restored() -> Iterator[None]:
    """Give the next test torch as this one found it."""
    num_threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    yield
    torch.set_num_threads(num_threads)
    torch.set_deterministic_debug_mode(mode)
    torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


@pytest.fixture
def deterministic() -> None:
    """Torch as the stages set it up on the CPU, with one thread."""
    make_deterministic(1, "cpu")


@pytest.fixture(scope="session")
def tiny_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like data/raw, with MNIST/raw below it and checksums.txt beside it; to be read, not written."""
    raw = tmp_path_factory.mktemp("tiny") / "raw"
    write_tiny_dataset(raw / "MNIST/raw")
    (raw.parent / "checksums.txt").write_text(checksums(raw / "MNIST/raw"))
    return raw


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """A function that has a project made in a folder by the first process that asks for it, for all that run tests."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def project(name: str, make: Callable[[Project], None]) -> Project:
        with (shared / f"{name}.lock").open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.seek(0)
            if not lock.read():
                shutil.rmtree(shared / name, ignore_errors=True)  # What a process left that failed.
                make(create_project(shared / name))
                lock.write("made")
        return Project(shared / name / "project")

    return project


@pytest.fixture(scope="session")
def trained_template(once: Once) -> Project:
    """A project in which `dvc repro` has run and its results are committed; to be copied, not changed."""

    def make(project: Project) -> None:
        assert project.repro() == STAGES
        project.commit()
        # Half the files of a project are git's loose objects, and it is copied often.
        project.run("git", "gc", "--quiet")

    return once("template", make)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """A function that returns a server of a kind, with an empty place for a remote; it runs until the tests end."""
    running: dict[str, Server] = {}
    number = itertools.count(1)

    def serve(kind: str) -> Server:
        if kind not in running:
            server = SERVERS[kind](tmp_path_factory.mktemp(kind))
            server.start()
            running[kind] = server
        return running[kind].at(f"remote{next(number)}")

    yield serve
    for server in running.values():
        server.stop()


@pytest.fixture
def project(trained_template: Project, tmp_path: Path) -> Project:
    """A project of the test's own, trained and committed."""
    return trained_template.copy(tmp_path / "copy")


@pytest.fixture
def four_by_hand(once: Once, tmp_path: Path) -> Project:
    """A project of the test's own, in which four trials were run by hand; see tests/sweeps.py."""
    return once("four", run_four_by_hand).copy(tmp_path / "copy")


@pytest.fixture
def four(four_by_hand: Project) -> Project:
    """The same, where only git knows of them, and the cache only the data."""
    four_by_hand.run("git", "clean", "-dffqx")
    shutil.copytree(downloaded(four_by_hand), four_by_hand.folder / ".dvc/cache")
    return four_by_hand


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real browser, without a window; it is not let out to the network for its own purposes."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs a browser: apt-get install chromium")
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, chromium_sandbox=False, args=["--disable-gpu", *quiet]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def mnist_project(once: Once) -> Project:
    """A project in which `demo` was trained on the real MNIST for one epoch, for tests marked `network`; read-only."""

    def make(project: Project) -> None:
        for name in ("params.yaml", "data/checksums.txt"):
            (project.folder / name).write_bytes((ROOT / name).read_bytes())
        project.set_param("recipes.demo.epochs", 1)
        project.set_param("recipes.demo.threads", 1)  # Two would wait for each other while other tests run.
        environment = project.environment(MNIST_DIR=os.environ.get("MNIST_DIR", ""))
        # No time limit, as `Project.run` has one: the download may be slow.
        subprocess.run(["dvc", "repro"], cwd=project.folder, env=environment, check=True)

    return once("mnist", make)
