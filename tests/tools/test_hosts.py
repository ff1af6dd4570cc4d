"""Two hosts that share nothing but a network, made of namespaces, train one sweep through git and DVC remotes."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import ROOT
from tests.project import Project
from tests.remotes import MAKE, SSHD, SSHD_CONFIG
from tests.sweeps import started, trees
from tools.trials.address import HOW_TO

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or SSHD is None or shutil.which("ip") is None,
    reason="needs root, for network namespaces, and openssh-server and iproute2",
)
SSH_PORT, LINK = 2222, "veth-sweep"
# Makes a host's name, and hides the other host's folder.
ENTER = 'hostname "$1" && mount --make-rprivate / && mount -t tmpfs tmpfs "$2" && shift 2 && exec "$@"'


@dataclass(frozen=True)
class Host:
    """A host with a network, a name and a home of its own, and a clone in it."""

    name: str
    address: str
    home: Path
    other_home: Path
    programs: ExitStack

    @property
    def project(self) -> Project:
        return Project(self.home / "project", is_fresh=True)

    def command(self, *command: str) -> list[str]:
        enter = ["ip", "netns", "exec", self.name, "unshare", "--mount", "--uts"]
        return [*enter, "sh", "-ec", ENTER, "sh", self.name, str(self.other_home), *command]

    def variables(self) -> dict[str, str]:
        key = self.home / "key"
        ssh = f"ssh -F none -i {key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        return {"HOME": str(self.home), "GIT_SSH_COMMAND": ssh}

    def run(self, *command: str) -> str:
        return self.project.run(*self.command(*command), check=True, **self.variables()).stdout

    def start(self, *command: str, ready: str) -> None:
        """Start a command, and wait for a line that begins so."""
        self.programs.enter_context(started(self.project, *self.command(*command), ready=ready, **self.variables()))


def run_or_skip(*command: str) -> None:
    """Run a command that a container may not be allowed."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"needs the right to make network namespaces: {done.stderr.strip()}")


@pytest.fixture
def hosts(four: Project, tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts; on the first an SSH server with a git remote and a DVC remote, on both a clone that names them."""
    homes = tmp_path / "a", tmp_path / "b"
    names = f"mnist-a-{os.getpid()}", f"mnist-b-{os.getpid()}"
    with ExitStack() as stack:
        first, second = (Host(names[i], f"10.213.0.{i + 1}", homes[i], homes[1 - i], stack) for i in (0, 1))
        for host in (first, second):
            shutil.copytree(four.folder.parent / "source", host.home / "source")
        for host in (first, second):
            run_or_skip("ip", "netns", "add", host.name)
            stack.callback(subprocess.run, ["ip", "netns", "delete", host.name], check=True)
            run_or_skip(*host.command("true"))
        veth = ["link", "add", LINK, "type", "veth", "peer", LINK, "netns", second.name]
        subprocess.run(["ip", "-n", first.name, *veth], check=True)
        for host in (first, second):
            for words in (f"address add {host.address}/24 dev {LINK}", f"link set {LINK} up", "link set lo up"):
                subprocess.run(["ip", "-n", host.name, *words.split()], check=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(first.home / "host")], check=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(first.home / "key")], check=True)
        shutil.copy(first.home / "key", second.home / "key")
        config = SSHD_CONFIG.format(port=SSH_PORT, folder=first.home).replace("127.0.0.1", first.address)
        (first.home / "sshd").write_text(config.replace("user.pub", "key.pub"))
        Path("/run/sshd").mkdir(exist_ok=True)
        server = f"ssh://root@{first.address}:{SSH_PORT}{first.home}"
        four.run("git", "remote", "add", "origin", f"{server}/mnist.git")
        four.run("dvc", "remote", "add", "--local", "--default", "share", f"{server}/dvc")
        four.run("dvc", "remote", "modify", "--local", "share", "keyfile", str(first.home / "key"))
        four.folder.rename(first.project.folder)
        first.start(str(SSHD), "-D", "-e", "-f", str(first.home / "sshd"), ready="Server listening")
        first.run("git", "init", "--quiet", "--bare", "--initial-branch", "main", "../mnist.git")
        first.run("git", "push", "--quiet", "origin", "main")
        second.project.folder.mkdir()
        second.run("git", "clone", "--quiet", f"{server}/mnist.git", ".")
        settings = (first.project.folder / ".dvc/config.local").read_text()
        (second.project.folder / ".dvc/config.local").write_text(
            settings.replace(f"{first.home}/key", f"{second.home}/key")
        )
        first.run("sh", "-ec", HOW_TO.partition(" && scp ")[0])
        shutil.copytree(first.home / ".sweep", second.home / ".sweep")
        yield first, second


def lines_of_page(first: Host) -> list[list[str]]:
    """What docs/sweep.md has one run for several machines: the scheduler, a worker, the sweep."""
    page = (ROOT / "docs/sweep.md").read_text()
    block = re.findall(r"^```\n(python -m tools.sweep scheduler .*?)^```$", page, flags=re.MULTILINE | re.DOTALL)[0]
    lines = block.replace("host.example.org", first.address).replace("--seeds 5", "--seeds 2")
    return [line.split() for line in lines.splitlines()]


def test_two_hosts_train_one_sweep_to_the_bytes_of_one(hosts: tuple[Host, Host]) -> None:
    first, second = hosts
    scheduler, worker, sweep = lines_of_page(first)
    first.start(*scheduler, ready="sweep: a scheduler listens")
    for host in hosts:  # Each has its worker before there are trials: none of the two can take both.
        host.start(*MAKE, "-o", ".venv/.installed-sweep", *worker[1:], "WORKERS=1", ready="sweep: 1 workers")
    output = first.run(*sweep)
    machines = re.findall(r"^trial \d/2: .*: done: trained on (\S+) in \d+ s, ", output, flags=re.MULTILINE)
    assert sorted(machines) == [first.name, second.name], output
    assert len(trees(first.project, "sweep")) == 2
    assert set(trees(first.project, "sweep")) < set(trees(first.project, "hand"))
    assert first.run("git", "status", "--porcelain") == ""
