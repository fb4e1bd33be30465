"""The composition root: builds a worker from a configuration, serves until told to stop, drains, ends.

Nothing else constructs connections' surroundings. `serve` returns when the last exchange is settled and every row is
written, or when the grace period is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from typing import TYPE_CHECKING, Final

from beyond_gateway.client_protocol import ClientConnection
from beyond_gateway.errors import OperatorError
from beyond_gateway.gateway import TICK_S, Gateway
from beyond_gateway.log import Log
from beyond_gateway.usage_rows import RETRY_S, LineWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_gateway.config import Config

BACKLOG: Final = 4096
"""Connections that may wait to be accepted; the kernel lowers it to net.core.somaxconn."""
DIAGNOSTICS_KEPT: Final = 1000
"""Diagnostic lines that wait for a stalled stderr before further ones are dropped."""
LAST_BYTES_S: Final = 1.0
"""Seconds that a shutdown waits for the last answers to leave; a client that reads nothing is not waited for."""
ROWS_OUT_S: Final = 5.0
"""Seconds that a shutdown waits for a stalled stdout to take the last rows."""


async def serve(
    config: Config,
    *,
    stop: asyncio.Event,
    ready: Callable[[str], None] | None = None,
    rows_fd: int = 1,
    log_fd: int = 2,
    plain_text: frozenset[str] = frozenset(),
    make_rows: Callable[[int, asyncio.AbstractEventLoop], LineWriter] = LineWriter,
) -> int:
    """Serve until `stop` is set; return the number of usage rows that could not be written, 0 in health.

    `ready` is called with the address, host:port, once it listens. `plain_text` names providers that are spoken to
    without TLS, which only an embedded one may be. Raises OperatorError where the configuration cannot be served.
    """
    loop = asyncio.get_running_loop()
    log = Log(LineWriter(log_fd, loop, limit=DIAGNOSTICS_KEPT, dropping=True), loop.time)
    gateway = Gateway(config, loop, make_rows(rows_fd, loop), log, plain_text)
    server = await _listen(gateway)
    for line in config.warnings():
        log.warning(line)
    host, port = server.sockets[0].getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    log.info("listening", address=address)
    if ready is not None:
        ready(address)
    loop.add_signal_handler(signal.SIGHUP, log.warning, "reload is not in this version: restart to change settings")
    _spare_the_collector()
    clock = loop.call_later(TICK_S, _tick, gateway)
    try:
        await stop.wait()
        server.close()
        await _drain(gateway)
    finally:
        clock.cancel()
        server.close()
    log.info("stopped")
    lost = await _write_out(gateway.rows)
    log.close()
    return lost


async def _listen(gateway: Gateway) -> asyncio.Server:
    address = gateway.config.listen
    try:
        return await gateway.loop.create_server(
            lambda: ClientConnection(gateway), address.host, address.port, backlog=BACKLOG, reuse_address=True
        )
    except OSError as error:
        raise OperatorError(
            f"cannot listen on {address.host}:{address.port}: {error.strerror or error}; "
            "choose another with listen, AI_LISTEN or dev's --listen",
            key="listen",
        ) from None


def _spare_the_collector() -> None:
    """Keep the garbage collector from walking what was imported, and from running for every few requests.

    An exchange is freed by reference counts when it ends; the collector is there for what we overlooked, and looking at
    ten thousand allocations at a time finds that as well as looking at seven hundred.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _tick(gateway: Gateway) -> None:
    gateway.tick()
    gateway.loop.call_later(TICK_S, _tick, gateway)


async def _drain(gateway: Gateway) -> None:
    """Let running exchanges end, up to the grace period; then end them."""
    gateway.log.info("draining", in_flight=gateway.in_flight)
    gateway.drain()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(gateway.config.shutdown_grace_period_secs):
            await gateway.nothing_in_flight.wait()
    gateway.cut()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_BYTES_S):
            await gateway.nobody_connected.wait()


async def _write_out(rows: LineWriter) -> int:
    for _ in range(int(ROWS_OUT_S / RETRY_S)):
        if rows.flush_now():
            break
        await asyncio.sleep(RETRY_S)
    return rows.close()


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set `stop` at SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
