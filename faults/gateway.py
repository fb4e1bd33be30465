"""The gateway under test: a real process, its configuration, the rows and diagnostics that it wrote."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from faults.admin import metrics_of
from faults.children import Child
from faults.client import PUBLIC_KEY
from faults.clock import WrongError, until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
START_S = 20.0
PIPE_BYTES = 4096
"""Room of a row pipe: one page, the least the kernel gives, so that it fills with a handful of rows."""
# Guards off, one worker: a scenario that tests one of them says so in its own lines, which come later and win.
DEFAULTS: Mapping[str, str] = {
    "upstream_tls": "false",
    "workers": "1",
    "rate_limit_rps": "0",
    "byo_rate_limit_rps": "0",
    "circuit_breaker_threshold": "0",
    "read_timeout_secs": "1",
    "write_timeout_secs": "1",
}


class Gateway:
    """One gateway process in `folder`; `providers` are names and loopback ports, `settings` lines of config.toml.

    With `piped` its rows go into a small pipe, which is read while `reading` is true; else into a file.
    """

    def __init__(
        self, folder: Path, providers: Mapping[str, int], settings: Mapping[str, str], *, piped: bool = False
    ) -> None:
        self.folder = folder
        self.providers = dict(providers)
        self.settings = {**DEFAULTS, **settings}
        self.piped = piped
        self.reading = True
        self.admin_port = 0
        self.port = 0
        self.rows_path = folder / "rows.jsonl"
        self._log_path = folder / "gateway.log"
        self._config_path = folder / "config.toml"
        self._child: Child | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def child(self) -> Child:
        """The process. WrongError before it was started."""
        if self._child is None:
            raise WrongError("the gateway was not started")
        return self._child

    def write_config(self) -> None:
        """Write config.toml from `providers` and `settings`, whole at once: a reload may come at any time."""
        lines = [f"{name} = {value}" for name, value in self.settings.items()]
        lines += ['listen = "127.0.0.1:0"', 'metrics_listen = "127.0.0.1:0"', "[provider_authorities]"]
        lines += [f'{name} = "127.0.0.1:{port}"' for name, port in self.providers.items()]
        lines += ["[pool_keys]", *(f'{name} = "sk-pool-{name}"' for name in self.providers)]
        lines += ["[signing_keys]", f'1 = "{PUBLIC_KEY}"']
        fresh = self._config_path.with_suffix(".new")
        fresh.write_text("\n".join(lines) + "\n")
        fresh.chmod(0o600)
        fresh.replace(self._config_path)

    async def start(self, before: Sequence[str] = (), module: str = "beyond_gateway") -> None:
        """Start it and wait for its address; `before` are words in front of the command."""
        self.write_config()
        command = [*before, sys.executable, "-m", module, "run", "-c", str(self._config_path)]
        with self.rows_path.open("ab") as rows, self._log_path.open("ab") as log:
            out: Any = rows
            if self.piped:
                read_end, out = os.pipe()
                _shrink(out)
                self._pump = asyncio.get_running_loop().create_task(self._read_pipe(read_end), name="rows")
            self._child = Child(command, stdout=out, stderr=log, cwd=ROOT)
            if self.piped:
                os.close(out)
        await until(self._find_address, "the gateway's address", START_S)

    async def _read_pipe(self, fd: int) -> None:
        os.set_blocking(fd, False)
        with self.rows_path.open("ab", buffering=0) as rows:
            try:
                while True:
                    try:
                        data = os.read(fd, 65536) if self.reading else None
                    except BlockingIOError:
                        data = None
                    if data == b"":
                        return
                    if data:
                        rows.write(data)
                    else:
                        await asyncio.sleep(0.002)
            finally:
                os.close(fd)

    def _find_address(self) -> int:
        if self.child.status is not None:
            raise WrongError(f"the gateway ended with {self.child.status}: {self._log_path.read_text()[-300:]}")
        for line in self.log():
            if line.get("message") == "listening":
                self.port = int(str(line["address"]).rpartition(":")[2])
                self.admin_port = int(str(line["metrics"]).rpartition(":")[2])
        return self.port

    def log(self) -> list[dict[str, Any]]:
        """Return the fields of the diagnostics so far; a line that is not JSON comes as its own message."""
        found: list[dict[str, Any]] = []
        for line in self._log_path.read_text().splitlines():
            try:
                found.append(msgspec.json.decode(line)["fields"])
            except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
                found.append({"message": line, "raw": True})
        return found

    def lines(self) -> list[dict[str, Any]]:
        """Return the usage lines written so far. WrongError where one is not whole."""
        data = self.rows_path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        try:
            return [msgspec.json.decode(line) for line in whole.splitlines()]
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            raise WrongError(f"a row is not whole: {fault}") from None

    def rows(self, tenant: int | None = None) -> list[dict[str, Any]]:
        """Return the fields of the usage rows, all or one tenant's."""
        fields = [cast("dict[str, Any]", line["fields"]) for line in self.lines()]
        return fields if tenant is None else [row for row in fields if row["tenant_id"] == tenant]

    async def serves(self) -> None:
        """Wait until every worker serves: only then is what they hold a baseline."""
        wanted, deadline = int(self.settings["workers"]), time.monotonic() + START_S
        while ((await metrics_of(self.admin_port)) or {}).get("ai_workers") != wanted:
            if time.monotonic() > deadline:
                raise WrongError(f"no {wanted} workers after {START_S:g} s")
            await asyncio.sleep(0.02)

    def terminate(self) -> None:
        """Ask it to end."""
        self.child.signal(signal.SIGTERM)

    async def stop(self) -> None:
        """End it however it is, with what reads its rows."""
        if self._child is not None:
            await self._child.stop()
        if self._pump is not None:
            self.reading = True
            await asyncio.wait([self._pump], timeout=2)
            self._pump.cancel()


def _shrink(fd: int) -> None:

    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
