"""Nobody reads the gateway's stdout or stderr: it serves on, and no row is lost."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING, Any

import msgspec
import pytest
from stack import KEY, POOL_KEYS, PUBLIC_KEY, WAIT_S, Provider, chat, read_all, request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e
ROWS = 200


class Piped:
    """A gateway whose output goes into two pipes of one page each, which nobody reads unless told to."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        path = folder / "config.toml"
        path.write_text(
            f'listen = "127.0.0.1:0"\nmetrics_listen = "127.0.0.1:0"\nworkers = 1\n'
            f"upstream_tls = false\nrate_limit_rps = 0\n"
            f'[provider_authorities]\nopenai = "127.0.0.1:{provider.port}"\n'
            f'[pool_keys]\nopenai = "{POOL_KEYS["openai"]}"\n[signing_keys]\n1 = "{PUBLIC_KEY}"\n'
        )
        command = [sys.executable, "-m", "beyond_gateway", "run", "-c", str(path)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        assert self.process.stdout
        assert self.process.stderr
        self.stdout: IO[bytes] = self.process.stdout
        self.stderr: IO[bytes] = self.process.stderr
        for pipe in (self.stdout, self.stderr):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
        seen = b""
        while b'"listening"' not in seen:
            seen += self.stderr.read(4096)
        self.port = int(seen.partition(b'"address":"127.0.0.1:')[2].partition(b'"')[0])

    def raw(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as client:
            client.sendall(data)
            return read_all(client)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.stdout.close()
        self.stderr.close()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Piped]:
    provider = Provider()
    try:
        piped = Piped(tmp_path, provider)
        try:
            yield piped
        finally:
            piped.stop()
    finally:
        provider.stop()


def read_lines(pipe: IO[bytes], count: int) -> list[dict[str, Any]]:
    """The next `count` lines, whole."""
    data = b""
    os.set_blocking(pipe.fileno(), False)
    deadline = time.monotonic() + WAIT_S
    while data.count(b"\n") < count and time.monotonic() < deadline:
        data += pipe.read(65536) or b""
        time.sleep(0.001)
    assert data.endswith(b"\n")
    return [msgspec.json.decode(line) for line in data.splitlines()]


def test_rows_wait_and_none_is_lost(gateway: Piped) -> None:
    """With a full stdout and a full stderr every request is served; later every row is there, once and in order."""
    for number in range(ROWS):
        assert gateway.raw(request(body=chat(f"m-{number}"))).startswith(b"HTTP/1.1 200 ")
        if number % 2:
            assert gateway.raw(request("/nobody")).startswith(b"HTTP/1.1 404 ")
    rows = read_lines(gateway.stdout, ROWS)
    assert [row["fields"]["requested_model"] for row in rows] == [f"m-{number}" for number in range(ROWS)]
    assert gateway.raw(request(body=chat("after"))).startswith(b"HTTP/1.1 200 ")
    assert read_lines(gateway.stdout, 1)[0]["fields"]["requested_model"] == "after"


def test_rows_of_a_stalled_stdout_come_at_the_end(gateway: Piped) -> None:
    """A shutdown waits for a stdout that is read at last, and ends with 0."""
    for number in range(50):
        gateway.raw(request(body=chat(f"m-{number}")))
    gateway.process.terminate()
    rows = read_lines(gateway.stdout, 50)
    assert len({row["fields"]["request_id"] for row in rows}) == 50
    os.set_blocking(gateway.stderr.fileno(), False)
    with contextlib.suppress(TypeError):
        gateway.stderr.read(65536)
    assert gateway.process.wait(WAIT_S) == 0


def test_a_stdout_that_is_gone(gateway: Piped) -> None:
    """When the reader of the rows is gone requests are served on, and the exit status says that rows were lost."""
    gateway.stdout.close()
    for _ in range(5):
        assert gateway.raw(request(body=chat(), key=KEY)).startswith(b"HTTP/1.1 200 ")
    gateway.process.terminate()
    assert gateway.process.wait(WAIT_S) == 1
