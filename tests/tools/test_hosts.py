"""Two hosts that share nothing but a network, made of namespaces, train one sweep through git and DVC remotes."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import ROOT
from tests.project import Project
from tests.remotes import MAKE, SSHD, SSHD_CONFIG
from tests.sweeps import FOUR, SECONDS_TO_WAIT, trees
from tools.trials.address import HOW_TO

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(
        os.geteuid() != 0 or SSHD is None or shutil.which("ip") is None,
        reason="needs root, for network namespaces, and openssh-server and iproute2",
    ),
]
SSH_PORT, LINK = 2222, "veth-sweep"
# Makes a host's name, and hides the other host's folder.
ENTER = 'hostname "$1" && mount --make-rprivate / && mount -t tmpfs tmpfs "$2" && shift 2 && exec "$@"'


@dataclass(frozen=True)
class Host:
    """A host with a network, a name and a home of its own; `project` is its clone, once there is one."""

    name: str
    address: str
    home: Path
    other_home: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def project(self) -> Project:
        return Project(self.home / "project", is_fresh=True)

    def command(self, *command: str) -> list[str]:
        enter = ["ip", "netns", "exec", self.name, "unshare", "--mount", "--uts"]
        return [*enter, "sh", "-ec", ENTER, "sh", self.name, str(self.other_home), *command]

    def environment(self) -> dict[str, str]:
        key = self.home / "key"
        ssh = f"ssh -F none -i {key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        return self.project.environment(HOME=str(self.home), GIT_SSH_COMMAND=ssh)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the project, or at home where there is none yet."""
        folder = self.project.folder if self.project.folder.exists() else self.home
        done = subprocess.run(
            self.command(*command),
            cwd=folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done

    def start(self, *command: str, ready: str) -> subprocess.Popen[str]:
        """Start a command, and wait for a line that begins so."""
        with (self.home / "log").open("a") as log:
            process = subprocess.Popen(
                self.command(*command),
                cwd=self.project.folder,
                env=self.environment(),
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.started.append(process)
        start = time.monotonic()
        while not re.search(f"^{ready}", (self.home / "log").read_text(), flags=re.MULTILINE):
            assert process.poll() is None, (self.home / "log").read_text()
            assert time.monotonic() - start < SECONDS_TO_WAIT, (self.home / "log").read_text()
            time.sleep(0.1)
        return process

    def stop(self) -> None:
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run_or_skip(*command: str) -> None:
    """Run a command that a container may not be allowed."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"needs the right to make network namespaces: {done.stderr.strip()}")


@pytest.fixture
def hosts(six: Project, tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts; on the first an SSH server with a git remote and a DVC remote, on both a clone that names them."""
    homes = tmp_path / "a", tmp_path / "b"
    names = f"mnist-a-{os.getpid()}", f"mnist-b-{os.getpid()}"
    first, second = (Host(names[i], f"10.213.0.{i + 1}", homes[i], homes[1 - i]) for i in (0, 1))
    with ExitStack() as stack:
        for host in (first, second):
            shutil.copytree(six.folder.parent / "source", host.home / "source")
        for host in (first, second):
            run_or_skip("ip", "netns", "add", host.name)
            stack.callback(subprocess.run, ["ip", "netns", "delete", host.name], check=True)
            stack.callback(host.stop)
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
        six.folder.rename(first.home / "project")
        first.start(str(SSHD), "-D", "-e", "-f", str(first.home / "sshd"), ready="Server listening")
        server = f"ssh://root@{first.address}:{SSH_PORT}{first.home}"
        first.run("git", "init", "--quiet", "--bare", "--initial-branch", "main", "../mnist.git")
        first.run("git", "remote", "add", "origin", f"{server}/mnist.git")
        first.run("git", "push", "--quiet", "origin", "main")
        second.run("git", "clone", "--quiet", f"{server}/mnist.git", "project")
        for host in (first, second):
            host.run("dvc", "remote", "add", "--local", "--default", "share", f"{server}/dvc")
            host.run("dvc", "remote", "modify", "--local", "share", "keyfile", str(host.home / "key"))
        first.run("sh", "-ec", HOW_TO.partition(" && scp ")[0])
        shutil.copytree(first.home / ".sweep", second.home / ".sweep")
        yield first, second


def lines_of_page(first: Host) -> list[list[str]]:
    """What docs/sweep.md has one run for several machines: the scheduler, a worker, the sweep."""
    page = (ROOT / "docs/sweep.md").read_text()
    block = re.findall(r"^```\n(python -m tools.sweep scheduler .*?)^```$", page, flags=re.MULTILINE | re.DOTALL)[0]
    lines = block.replace("host.example.org", first.address).replace("--recipe demo --seeds 5", " ".join(FOUR))
    return [line.split() for line in lines.splitlines()]


def test_two_hosts_train_one_sweep_to_the_bytes_of_one(hosts: tuple[Host, Host]) -> None:
    first, second = hosts
    scheduler, worker, sweep = lines_of_page(first)
    first.start(*scheduler, ready="sweep: a scheduler listens")
    for host in hosts:
        host.start(*MAKE, "-o", ".venv/.installed-sweep", *worker[1:], "WORKERS=1", ready="sweep: 1 workers")
    output = first.run(*sweep).stdout
    machines = re.findall(r"^trial \d/4: .*: done: trained on (\S+) in \d+ s, ", output, flags=re.MULTILINE)
    assert len(machines) == 4, output
    assert set(machines) == {first.name, second.name}
    assert len(trees(first.project, "sweep")) == 4
    assert set(trees(first.project, "sweep")) < set(trees(first.project, "hand"))
    assert first.run("git", "status", "--porcelain").stdout == ""
    assert second.run(*sweep).stdout.startswith("sweep: 4 trials, 4 of them are there\n")
    assert trees(second.project, "sweep") == trees(first.project, "sweep")
    first.run("git", "commit", "--quiet", "--allow-empty", "--message", "not pushed")
    done = first.run(*sweep, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"sweep: the git remote origin does not have the commit \w{12}: `git push` it\n", done.stdout)
