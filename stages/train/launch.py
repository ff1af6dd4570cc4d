"""Hands a training over to torchrun's workers, if torchrun's own variables ask for it, and sees to it that all end.

torchrun alone does not: killed, it leaves its workers running, and without a network it may wait for ever.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys
import time

from pipeline.errors import UserError
from stages.train.reports import FOLDER, GO_ON, clear, first_reason

IS_FIRST, STORE_FILE, PARENT = "TRAIN_IS_FIRST", "TRAIN_STORE_FILE", "TRAIN_PARENT"  # For torchrun and the workers.
WORKERS, MACHINES, ENDPOINT, ADDRESS = "PET_NPROC_PER_NODE", "PET_NNODES", "PET_RDZV_ENDPOINT", "PET_LOCAL_ADDR"
STANDALONE = "PET_STANDALONE"  # It would undo `_on_this_machine`, which is as good.
SEPARATE_STORE = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"  # "1": the workers do not meet at torchrun's own store.
INTERFACE, NCCL_INTERFACE = "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"
GET_INTERFACE_ADDRESS = 0x8915  # of Linux' ioctl
GRACE_SECONDS = 10  # For torchrun to end, after the first worker has said why it ends.
JOIN_SECONDS = 600  # For people to start all machines.


def wants_workers() -> bool:
    """Whether torchrun's variables ask for more than one worker; UserError if one of them is no such number."""
    return max(_number(WORKERS), _number(MACHINES)) > 1


def is_worker() -> bool:
    """Whether this process is a worker that torchrun started for `launch`."""
    return IS_FIRST in os.environ


def launch(is_first: bool) -> None:
    """Run the workers of this machine until all epochs are there; `is_first` where they are to be written.

    Raises:
        UserError: one of them failed, or was ended, here or elsewhere; all of this machine have ended then.
    """
    options, variables = _on_this_machine() if _number(MACHINES) == 1 else _on_several_machines(is_first)
    numbers = [f"--nnodes={_number(MACHINES)}", f"--nproc-per-node={_number(WORKERS)}"]
    always = ["--max-restarts=0", f"--log-dir={FOLDER}", "--shutdown-timeout=5", "--rdzv-backend=c10d"]
    own = {IS_FIRST: "yes" if is_first else "", PARENT: str(os.getpid()), STANDALONE: "0"}
    clear()
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.train.launcher", *always, *numbers, *options, "--module", "stages.train"],
        env=os.environ | variables | own,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = float("inf")
    try:
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
            if deadline == float("inf") and first_reason():
                deadline = time.monotonic() + GRACE_SECONDS
    finally:
        process.kill()  # Its workers end with it, and so does one that is stopped.
        process.wait()
    if process.returncode != 0:
        raise UserError(first_reason() or f"torchrun ended with status {process.returncode}: {GO_ON}")


def _number(name: str) -> int:
    text = os.environ.get(name) or "1"
    if not text.isdecimal() or int(text) == 0:
        raise UserError(f"{name} is {text!r}; expected a whole number above 0")
    return int(text)


def _on_this_machine() -> tuple[list[str], dict[str, str]]:
    """Options for torchrun, and variables: the processes meet in files, and listen on the loopback interface only."""
    options = [f"--rdzv-endpoint={FOLDER / 'rendezvous'}", "--rdzv-conf=store_type=file"]
    private = {SEPARATE_STORE: "1", STORE_FILE: str(FOLDER / "store")}
    return options, {INTERFACE: "lo", NCCL_INTERFACE: "=lo"} | private


def _on_several_machines(is_first: bool) -> tuple[list[str], dict[str, str]]:
    """The same where they meet at PET_RDZV_ENDPOINT, which is on the first machine."""
    if not os.environ.get(ENDPOINT):
        raise UserError(f"{MACHINES} is {os.environ[MACHINES]}; name the first of them, too: {ENDPOINT}=HOST:PORT")
    interface = os.environ.get(INTERFACE, "")
    address = _address(interface)  # Also where another one is named: gloo listens on the interface.
    options = [
        f"--rdzv-conf=is_host={is_first},join_timeout={JOIN_SECONDS}",
        f"--local-addr={os.environ.get(ADDRESS) or address}",
    ]
    return options, {NCCL_INTERFACE: os.environ.get(NCCL_INTERFACE) or f"={interface}", SEPARATE_STORE: "0"}


def _address(interface: str) -> str:
    """The IPv4 address of a network interface; UserError if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, GET_INTERFACE_ADDRESS, struct.pack("256s", interface.encode()[:15]))
        except OSError:
            names = ", ".join(name for _, name in socket.if_nameindex())
            raise UserError(
                f"{INTERFACE} is {interface!r}; expected the network interface by which this machine reaches the "
                f"others, one of {names}"
            ) from None
    return socket.inet_ntoa(answer[20:24])
