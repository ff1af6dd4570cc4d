"""Loads the libraries of the project, but no code of the project, and forks a process for each client that connects.

`server.py LISTENER`, the file descriptor of a listening socket that lies beside the programs; it ends with its parent.
What is forked goes on as a process that Python started for the command would, up to its end.
"""

import atexit
import ctypes
import gc
import importlib
import marshal
import os
import runpy
import selectors
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SET_PARENT_DEATH_SIGNAL = 1  # of Linux' prctl
LARGEST_REQUEST = 1 << 20
# With those of their modules that are loaded only when they are used, and take time.
LIBRARIES = """
    PIL.Image altair dulwich.porcelain dvc.api dvc.cli.parser dvc.repo dvc.repo.experiments.queue.celery dvc_s3 dvc_ssh
    dvc_webdav hydra jinja2 matplotlib.backends.backend_agg matplotlib.figure narwhals._pandas_like.dataframe networkx
    numpy pandas pydantic.main pydantic.type_adapter pygit2 requests ruamel.yaml safetensors.torch scipy.ndimage tomllib
    torch torch.distributed.run torchvision.datasets tqdm vl_convert yaml
"""
status = 0  # with which this process is to end


@dataclass(frozen=True)
class Request:
    """A command, and what a process inherits; `streams` are file descriptors, `parent` is the id of who started it."""

    streams: list[int]
    program: str
    arguments: list[str]
    folder: str
    environment: dict[str, str]
    umask: int
    parent: int


def main() -> None:
    end_with_parent()
    atexit.register(end)  # The first is called last.
    gc.disable()
    for name in LIBRARIES.split():
        importlib.import_module(name)
    assert len(os.listdir("/proc/self/task")) == 1, "a process with threads must not fork"
    gc.freeze()  # Looking for garbage writes to, and so copies, all the memory that a child has in common with this.
    listener = socket.socket(fileno=int(sys.argv[1]))
    request = serve(listener)
    gc.enable()
    end_with_parent()
    sys.executable = str(Path(listener.getsockname()).with_name("python"))  # What it starts by this, is forked, too.
    take_over(request)
    run(request)


def end_with_parent() -> None:
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def serve(listener: socket.socket) -> Request:
    """Return only in forked processes: what each of them is to do."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        key = selector.select()[0][0]  # One at a time: another may be about what this one closes.
        if key.fileobj is listener:
            connection = listener.accept()[0]
            message, streams, *_ = socket.recv_fds(connection, LARGEST_REQUEST, 3)
            if message and (process_id := os.fork()) == 0:
                return Request(streams, *marshal.loads(message))
            for stream in streams:
                os.close(stream)
            if message:
                process = os.pidfd_open(process_id)
                for end in (connection, process):
                    selector.register(end, selectors.EVENT_READ, (connection, process, process_id))
        else:
            connection, process, process_id = key.data
            if key.fileobj is connection:  # It says nothing more, so its client was killed.
                os.kill(process_id, signal.SIGKILL)
            exit_status = os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1])
            with suppress(BrokenPipeError):
                connection.send(marshal.dumps(exit_status))
            for end in (connection, process):
                selector.unregister(end)
            connection.close()
            os.close(process)


def take_over(request: Request) -> None:
    """Make this process one that was started with the request's environment, folder and streams."""
    os.environ.clear()
    os.environ.update(request.environment)
    own, parent_of = os.getpid(), os.getppid
    os.getppid = lambda: request.parent if os.getpid() == own else parent_of()
    os.umask(request.umask)
    os.chdir(request.folder)
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.orig_argv = [sys.executable, *request.arguments]
    python_path = [path for path in request.environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:1] = [str(Path(sys.executable).parent) if request.program == "dvc" else request.folder, *python_path]
    if python_path:  # Python imports it at its start.
        sys.modules.pop("sitecustomize", None)
        with suppress(ModuleNotFoundError):
            importlib.import_module("sitecustomize")


def run(request: Request) -> None:
    """Do what `python -m` or `dvc` would."""
    global status
    module, arguments = "dvc", ["dvc", *request.arguments]
    if request.program == "python":
        module, arguments = request.arguments[1], ["-m", *request.arguments[2:]]
    sys.argv = arguments
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        raise
    except BaseException:
        status = 1
        raise


def end() -> None:
    """End the process when Python has done what is due at its end, but for freeing memory, which takes 0.5 s."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
