"""A real nats-server with JetStream, for tests of the deny-set: killed, frozen, wiped and restarted at one port.

Not named `nats`: this folder is on the path before the packages.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from stack import wait_for

if TYPE_CHECKING:
    from collections.abc import Generator

STOP_S = 10.0


def executable() -> str:
    """The server beside this Python, else the one on the path."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    assert found, "nats-server is not installed"
    return found


class NatsServer:
    """One server process on a port of its own; its store outlives the process until `wipe`.

    `settings` is text of the server's own configuration, for accounts and permissions; `jetstream` may be left out.
    """

    def __init__(self, folder: Path, *, settings: str = "", jetstream: bool = True) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._config = folder / "nats.conf"
        store = f'jetstream {{ store_dir: "{self.store}" }}' if jetstream else ""
        self._config.write_text(f"listen: 127.0.0.1:{self.port}\n{store}\n{settings}\n")
        self._log = folder / "nats.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again, and wait until it takes connections."""
        assert self.process is None
        with self._log.open("ab") as log:
            self.process = subprocess.Popen([executable(), "-c", str(self._config)], stdout=log, stderr=log)
        wait_for(self._greets, "the NATS server's greeting")

    def _greets(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self._log.read_text()
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection,
        ):
            return connection.recv(4) == b"INFO"
        return False

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it without ending it: connections stay and nothing answers."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def wipe(self) -> None:
        """Forget everything stored, while it does not run."""
        assert self.process is None
        shutil.rmtree(self.store)

    def stop(self) -> None:
        """End it, in whatever state it is."""
        if self.process is not None:
            self.thaw()
            self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(STOP_S)
        self.process = None


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def serving(*, settings: str = "", jetstream: bool = True) -> Generator[NatsServer]:
    """Give a running server with an empty store, and end it."""
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder), settings=settings, jetstream=jetstream)
        server.start()
        try:
            yield server
        finally:
            server.stop()
