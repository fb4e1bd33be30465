"""`serve` and `attach` as real processes, over pipes and sockets, against a model over HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from agent_serve_client import Line

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from beyond_agent_core.testing import ModelServer

KEY = "bai_v1_e2e_key_0123456789"
PROVIDER_KEY = "sk-provider-0123456789abcdef"
COMMAND = (sys.executable, "-m", "beyond_agent")
WAIT_S = 60.0


class Program:
    """One process. Its stderr goes to a file, for the message of a test that fails."""

    def __init__(self, folder: Path, model: ModelServer | None, *argv: str, command: tuple[str, ...] = COMMAND) -> None:
        self.work = folder / "work"
        self.work.mkdir(exist_ok=True)
        self.errors = folder / f"stderr-{time.monotonic_ns()}"
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
            "AI_AGENT_KEY": KEY,
            "AI_API_KEY": PROVIDER_KEY,
            "AI_AGENT_MODEL": "claude-opus-4-8",
            "AI_GATEWAY_URL": model.url if model is not None else "http://127.0.0.1:9",
        }
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                (*command, *argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self.work,
                env=environ,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def talk(self) -> Line:
        return Line(self.stdout, self.stdin)

    def ended(self) -> int:
        """Return the exit status of a process that ends by itself."""
        return self.process.wait(WAIT_S)

    def said(self) -> str:
        return self.errors.read_text(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_S)
        for file in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                file.close()


@contextlib.contextmanager
def stdio(folder: Path, model: ModelServer | None, *argv: str, **more: Any) -> Generator[tuple[Program, Line]]:
    """Give `serve` on pipes, and a client of it that was greeted."""
    with Program(folder, model, "serve", *argv, **more) as program:
        talk = program.talk()
        talk.until(lambda frame: frame["type"] == "ready")
        yield program, talk


@contextlib.contextmanager
def listening(folder: Path, model: ModelServer | None, *argv: str, **more: Any) -> Generator[tuple[Program, str]]:
    """Give `serve` on a socket, and the path of that."""
    path = str(folder / "s.sock")
    with Program(folder, model, "serve", "--listen-uds", path, *argv, **more) as program:
        until = time.monotonic() + WAIT_S
        while not answers(path):
            assert program.process.poll() is None, program.said()
            assert time.monotonic() < until
            time.sleep(0.01)
        yield program, path


def answers(path: str) -> bool:
    """Whether somebody listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True


@contextlib.contextmanager
def client(path: str) -> Generator[Line]:
    """Give a client of a socket that was greeted."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        with connection.makefile("rb") as readable, connection.makefile("wb") as writable:
            talk = Line(readable, writable)
            talk.until(lambda frame: frame["type"] == "ready")
            try:
                yield talk
            finally:
                connection.shutdown(socket.SHUT_RDWR)
                talk.joined()
