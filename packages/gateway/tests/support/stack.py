"""A real gateway process before a real provider process, for tests that open sockets.

`Stack` starts both, knows their ports, gives raw sockets and SDK base URLs, and reads rows and diagnostics. A test may
ask the provider what it received.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Generator

SEED = b"\x07" * 32
PUBLIC_KEY = "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="
KEY = (
    "bai_v1.1.AQAAAAAAAAABAAAAAAAAAA."
    "WrWcPbklu91PS-4WuR6GnBNF3h4nROpH0EQQlfJf06f7_lEnlQOCSBimhH2JMwXFJgw40BniTB7-yIdFnpldDw"
)
POOL_KEYS = {"openai": "sk-pool-openai-S3CR3T", "anthropic": "sk-ant-pool-S3CR3T", "groq": "gsk-pool-S3CR3T"}
# One process on free ports, and no limit that a test in a hurry would meet; `config` overrides.
DEFAULTS = {
    "listen": '"127.0.0.1:0"',
    "metrics_listen": '"127.0.0.1:0"',
    "workers": "1",
    "rate_limit_rps": "0",
    "byo_rate_limit_rps": "0",
}
BYO_KEY = "sk-byo-0123456789"
WAIT_S = 20.0
RELOAD_ENDS = ("settings reloaded", "reload refused; the settings stay as they were")


def wait_for(condition: Any, what: str, seconds: float = WAIT_S) -> Any:
    """Return the first true value of `condition()`, or fail saying what never came."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.005)


class Provider:
    """The embedded provider as a process of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "beyond_gateway.mock", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), line
        self.port = int(line.rsplit(":", 1)[1])

    def _admin(self, method: str, page: str) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/_mock/{page}", method=method)
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:  # noqa: S310 - our own http address
            return msgspec.json.decode(answer.read() or b"null")

    def requests(self) -> list[dict[str, Any]]:
        """What it received, oldest first."""
        return self._admin("GET", "requests")["requests"]

    def forget(self) -> None:
        """Begin a new record."""
        self._admin("DELETE", "requests")

    def connections(self) -> dict[str, int]:
        """Connections open now and ever accepted, this call's own included."""
        return self._admin("GET", "connections")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(WAIT_S)
        if self.process.stdout:
            self.process.stdout.close()


class Stack:
    """A gateway in front of providers that live on `authority`, by default an embedded provider of its own."""

    def __init__(
        self,
        folder: Path,
        authority: str,
        *,
        config: str = "",
        tables: str = "",
        tls: bool = False,
        environ: dict[str, str] | None = None,
        open_files: int | None = None,
    ) -> None:
        self.rows_path = folder / "rows.jsonl"
        self.log_path = folder / "gateway.log"
        path = self.config_path = folder / "config.toml"
        authorities = "\n".join(f'{name} = "{authority}"' for name in POOL_KEYS)
        keys = "\n".join(f'{name} = "{key}"' for name, key in POOL_KEYS.items())
        settings = "".join(f"{key} = {value}\n" for key, value in DEFAULTS.items() if f"{key} =" not in config)
        path.write_text(
            f"{settings}upstream_tls = {'true' if tls else 'false'}\n{config}\n"
            f"[provider_authorities]\n{authorities}\n[pool_keys]\n{keys}\n"
            f'[signing_keys]\n1 = "{PUBLIC_KEY}"\n{tables}\n'
        )
        self._files = [self.rows_path.open("wb"), self.log_path.open("wb")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "beyond_gateway", "run", "-c", str(path)],
            stdout=self._files[0],
            stderr=self._files[1],
            env={**os.environ, "PYTHONWARNINGS": "error", "PYTHONDEVMODE": "", **(environ or {})},
            preexec_fn=None if open_files is None else lambda: _limit_files(open_files),  # noqa: PLW1509 - no threads
        )
        said = wait_for(self._listening, "the gateway's address")
        self.port, self.admin_port = (int(said[name].rsplit(":", 1)[1]) for name in ("address", "metrics"))
        self.url = f"http://127.0.0.1:{self.port}"

    def _listening(self) -> dict[str, Any]:
        assert self.process.poll() is None, self.log_path.read_text()
        for line in self.log():
            if line["fields"]["message"] == "listening":
                return line["fields"]
        return {}

    def page(self, path: str = "/metrics") -> tuple[int, str]:
        """Status and body of a page of the admin listener."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=WAIT_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float:
        """The value of one series, 0 where it is not there."""
        for family in text_string_to_metric_families(self.page()[1]):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return 0.0

    def log(self) -> list[dict[str, Any]]:
        """Diagnostics so far."""
        return [msgspec.json.decode(line) for line in self.log_path.read_text().splitlines() if line.endswith("}")]

    def rows(self, count: int = 1) -> list[dict[str, Any]]:
        """The fields of the usage rows, once there are `count`."""

        def read() -> list[dict[str, Any]]:
            lines = self.rows_path.read_text().splitlines(keepends=True)
            rows = [msgspec.json.decode(line)["fields"] for line in lines if line.endswith("\n")]
            return rows if len(rows) >= count else []

        return wait_for(read, f"{count} usage rows") if count else read()

    def forget_rows(self) -> None:
        """Begin with no rows, those included that are still on their way from what has just ended."""
        time.sleep(0.03)
        os.truncate(self.rows_path, 0)
        self._files[0].seek(0)

    def reload(self, old: str, new: str) -> None:
        """Change the configuration file and have it read again; return when the gateway has said what it made of it."""
        text = self.config_path.read_text()
        assert old in text
        self.config_path.write_text(text.replace(old, new))
        said = [len(self.said(message)) for message in RELOAD_ENDS]
        self.process.send_signal(signal.SIGHUP)
        wanted = max(1, len(self.workers()))
        wait_for(
            lambda: len(self.said(RELOAD_ENDS[0])) >= said[0] + wanted or len(self.said(RELOAD_ENDS[1])) > said[1],
            "the end of the reload",
        )

    def said(self, message: str) -> list[dict[str, Any]]:
        """The fields of the diagnostics with this message."""
        return [line["fields"] for line in self.log() if line["fields"]["message"] == message]

    def workers(self) -> list[int]:
        """Process ids of the workers, none where the gateway is one plain process."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    @contextlib.contextmanager
    def connect(self) -> Generator[socket.socket]:
        """Give a raw connection to the gateway."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield connection

    def raw(self, data: bytes) -> bytes:
        """Send bytes on a new connection; return all that comes until the gateway closes or falls silent."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_all(connection)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(WAIT_S)
        for file in self._files:
            file.close()
        return code


def _limit_files(count: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the end of the connection; a reset ends it as well."""
    parts: list[bytes] = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def read_answer(connection: socket.socket) -> bytes:
    """One answer, head and body, by its Content-Length or its last chunk; what comes behind it stays."""
    data = b""
    while True:
        head, end, body = data.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        if end and (len(body) >= int(found[1]) if found else body.endswith(b"0\r\n\r\n")):
            return data
        part = connection.recv(65536)
        assert part, f"closed after {data!r}"
        data += part


def request(
    path: str = "/openai/v1/chat/completions",
    body: bytes = b"",
    *,
    method: str = "POST",
    key: str = KEY,
    headers: tuple[str, ...] = (),
    close: bool = True,
) -> bytes:
    """A request's bytes, as a plain client sends it."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {key}", *headers]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chat(model: str = "gpt-x", text: str = "hello there", **more: Any) -> bytes:
    """The body of a Chat Completions request."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more}).encode()


@contextlib.contextmanager
def running(**options: Any) -> Generator[tuple[Stack, Provider]]:
    """Give a gateway before an embedded provider, both processes, and stop them."""
    with tempfile.TemporaryDirectory() as folder:
        provider = Provider()
        try:
            stack = Stack(Path(folder), f"127.0.0.1:{provider.port}", **options)
            try:
                yield stack, provider
            finally:
                stack.stop()
        finally:
            provider.stop()
