"""A real NATS server with JetStream that can be killed, frozen, restarted and robbed of its store."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from faults.children import Child
from faults.clock import WrongError, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PORTS = (15_000, 30_000)
"""Below net.ipv4.ip_local_port_range on Linux: a restarted server must find its port free."""
BUCKET = "ai-gateway"
"""The default of config_bucket (gw contract, deny-set)."""


def _free_port() -> int:
    """Return a port that nothing listens on, below those that the kernel gives to connections in the meantime."""
    while True:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", random.randrange(*PORTS))) as probe:
            return int(probe.getsockname()[1])


class NatsServer:
    """One server on one port with one store; entries of a bucket that it makes live for `ttl_s`, for ever with None."""

    def __init__(self, folder: Path, ttl_s: float | None = None) -> None:
        self._ttl_s = ttl_s
        self._store = folder / "nats"
        self._log = folder / "nats.log"
        self._child: Child | None = None
        self.port = _free_port()

    @property
    def url(self) -> str:
        """Where the gateway finds it."""
        return f"nats://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it on its port and store, and wait until it answers."""
        beside = Path(sys.executable).parent / "nats-server"
        program = str(beside) if beside.exists() else shutil.which("nats-server")
        if program is None:
            raise WrongError("nats-server is not installed")
        command = [program, "-js", "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(self._store)]
        with self._log.open("ab") as log:
            self._child = Child(command, stdout=log, stderr=log, cwd=self._store.parent)
        before = self._log.read_text().count("Server is ready")
        await until(lambda: self._log.read_text().count("Server is ready") > before, "the NATS server", 10)

    def kill(self) -> None:
        """End it at once."""
        if self._child is not None:
            self._child.kill()

    def wipe(self) -> None:
        """Take its store away, while it is down."""
        shutil.rmtree(self._store, ignore_errors=True)

    def freeze(self) -> None:
        """Stop it without closing a connection."""
        if self._child is not None:
            self._child.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._child is not None:
            self._child.signal(signal.SIGCONT)

    async def deny(self, tenant: int, reason: str = "spend") -> None:
        """Write a deny entry, into a new bucket where there is none."""
        await self._with_bucket(lambda bucket: bucket.put(f"blackhole.{tenant}", reason.encode()))

    async def allow(self, tenant: int) -> None:
        """Delete a deny entry."""
        await self._with_bucket(lambda bucket: bucket.delete(f"blackhole.{tenant}"))

    async def make_bucket(self) -> None:
        """Make the bucket where there is none."""
        await self._with_bucket(lambda bucket: bucket.status())

    async def _with_bucket(self, do: Callable[[Any], Awaitable[object]]) -> None:
        import nats  # noqa: PLC0415 - only these scenarios need it

        library = cast("Any", nats)
        async with asyncio.timeout(5):
            connection = await library.connect(self.url, allow_reconnect=False)
            try:
                await do(await connection.jetstream().create_key_value(bucket=BUCKET, ttl=self._ttl_s))
            finally:
                await connection.close()
