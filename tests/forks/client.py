"""Stands for `python` or `dvc` in tests: the server forks a process that runs the command, and this ends as it ends.

`client.py SOCKET python|dvc ARGUMENT...`; all but modules of the project and dvc is left to Python itself. The process
has this one's environment, current folder and standard streams, and is killed when this one is.
"""

import _socket  # `socket`, like `json` in place of `marshal`, loads longer than all else here takes.
import array
import marshal
import os
import signal
import sys

MODULES = ("bench.", "dvc", "stages.", "tools.")

address, program, *arguments = sys.argv[1:]
if arguments[:2] == ["-u", "-m"]:  # As torchrun starts workers; without a buffer, or with one that is flushed.
    del arguments[0]
is_module = len(arguments) > 1 and arguments[0] == "-m" and arguments[1].startswith(MODULES)
if program == "python" and not is_module:
    os.execv(sys.executable, [sys.executable, *arguments])
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.umask(umask := os.umask(0))
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
server.connect(address)
request = marshal.dumps((program, arguments, os.getcwd(), dict(os.environ), umask, os.getppid()))
streams = array.array("i", [0, 1, 2])
server.sendmsg([request], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
answer = server.recv(8)
if not answer:
    sys.exit(f"{program}: the fork server of the tests has ended")
status = marshal.loads(answer)
if status < 0:  # The process was killed by a signal.
    os.kill(os.getpid(), -status)
os._exit(status)
