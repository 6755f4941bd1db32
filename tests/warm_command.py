"""The command `hms-dta` for scripts that type it dozens of times: each is a fork of one process with everything loaded.

It has its own process, folder, environment and open files, as when typed; only the second that Python needs to load the
modules is paid once. What stays (`serve`) and what is about starting or ending itself takes the real command.

Run as a program it is the server: it listens on the socket that its only argument names.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from command import HMS_DTA
from moulds import use_moulds

_LOADED = (
    "hms_crawler.run", "hms_federation.compiler.statement", "hms_federation.engine.run", "hms_federation.service",
    "hms_federation.writing.formats", "hms_files.adapter", "hms_formats.reading", "hms_policies.deciding",
    "hms_policies.masking", "hms_policies.roles", "hms_postgres.adapter", "hms_registry.bootstrap",
    "hms_registry.cli.output", "hms_registry.services.lineage.edges", "hms_registry.services.settings_file",
    "hms_registry.services.sources_file", "hms_s3.adapter", "hms_sqlite.adapter",
    "pyarrow.dataset", "pydantic.main", "rich.console", "rich.progress", "rich.table",
)  # fmt: skip
_CLIENT = """#!{python} -IS
import _socket, os, sys
if "serve" in sys.argv:
    os.execv({real!r}, [{real!r}, *sys.argv[1:]])
import json
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect({place!r})
asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
fds = b"".join(each.to_bytes(4, sys.byteorder) for each in (0, 1, 2))
server.sendmsg([len(asked).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)])
server.sendall(asked)
sys.exit(int(server.recv(8) or b"70"))
"""


@contextmanager
def warm_command(folder: Path) -> Iterator[Path]:
    """Load the command once, and put a `hms-dta` that asks it into a folder for PATH: a short one, as a socket's is."""
    place = folder / "s"
    command = folder / "hms-dta"
    command.write_text(_CLIENT.format(python=sys.executable, real=str(HMS_DTA), place=str(place)))
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    server = subprocess.Popen(
        [sys.executable, __file__, str(place)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": str(Path(__file__).parent)},
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield folder
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def serve(place: str) -> None:
    """Fork for each that connects, until killed."""
    for name in _LOADED:
        import_module(name)
    use_moulds()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(place)
        door.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            client, _ = door.accept()
            if os.fork() == 0:
                door.close()
                os._exit(answer(client))
            client.close()


def answer(client: socket.socket) -> int:
    """Be the command that a client typed, and tell it how that ended."""
    from hms_registry.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, ancillary, _, _ = client.recvmsg(4, socket.CMSG_SPACE(12))
    fds = array.array("i", ancillary[0][2])
    asked = bytearray()
    while len(asked) < int.from_bytes(size, "big"):
        asked += client.recv(1 << 16)
    words, folder, environ = json.loads(asked)
    for at, fd in enumerate(fds):
        os.dup2(fd, at)
        os.close(fd)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.path[1:1] = filter(None, environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = [str(HMS_DTA), *words]
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    client.sendall(str(code).encode())
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
