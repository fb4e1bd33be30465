"""The composition root of a worker: builds it from a configuration, serves until told to stop, drains, ends.

Nothing else constructs connections' surroundings. `serve` returns when the last exchange is settled and every row is
written, or when the grace period is over. One process alone and each of several workers live by the same function; what
differs is the `Place` they are put in and who tells them of new settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_gateway.client_protocol import ClientConnection
from beyond_gateway.deny.entries import DenySet
from beyond_gateway.errors import OperatorError
from beyond_gateway.gateway import TICK_S, Gateway
from beyond_gateway.host.notify import Notifier
from beyond_gateway.host.shared import Shared
from beyond_gateway.host.sockets import BACKLOG, address_of, listen
from beyond_gateway.log import LINES_PER_SECOND, Log
from beyond_gateway.metrics.exposition import Exposition
from beyond_gateway.metrics.listener import Admin
from beyond_gateway.metrics.worker import WorkerMetrics
from beyond_gateway.providers import build_table
from beyond_gateway.usage_rows import RETRY_S, LineWriter

if TYPE_CHECKING:
    import socket

    from beyond_gateway.config import Config
    from beyond_gateway.deny.watch import DenyWatch

DIAGNOSTICS_KEPT: Final = 1000
"""Diagnostic lines that wait for a stalled stderr before further ones are dropped."""
LAST_BYTES_S: Final = 1.0
"""Seconds that a shutdown waits for the last answers to leave; a client that reads nothing is not waited for."""
ROWS_OUT_S: Final = 5.0
"""Seconds that a shutdown waits for a stalled stdout to take the last rows."""

Reload = Callable[[Callable[[], "Config"]], None]
"""What a worker does when settings have changed; the argument gives them or raises OperatorError."""


class Place(NamedTuple):
    """Where a worker lives: its listening socket, the host's admin socket and memory, its slot in that."""

    listener: socket.socket
    admin: socket.socket
    shared: Shared
    slot: int = 0
    open_files: int = 1024

    @property
    def alone(self) -> bool:
        """Whether this worker is all of the host, so that it speaks for it."""
        return self.shared.workers == 1


def place_alone(config: Config, open_files: int) -> tuple[Place, Callable[[], None]]:
    """Return the place of a process that is the only worker, and what closes its sockets. Raises OperatorError."""
    sockets = listen(config, 1)
    shared = Shared(1)
    shared.register(row.name for row in build_table(config).values())
    return Place(sockets.clients[0], sockets.admin, shared, open_files=open_files), sockets.close


async def serve(
    config: Config,
    place: Place,
    *,
    stop: asyncio.Event,
    attach: Callable[[Reload], None] | None = None,
    ready: Callable[[Place], None] | None = None,
    notifier: Notifier | None = None,
    rows_fd: int = 1,
    log_fd: int = 2,
    plain_text: frozenset[str] = frozenset(),
    make_rows: Callable[..., LineWriter] = LineWriter,
) -> int:
    """Serve until `stop` is set; return the number of usage rows that could not be written, 0 in health.

    `ready` is called once it serves. `attach` is given what to call when settings have changed. `plain_text` names
    providers that are spoken to without TLS, which only an embedded one may be. Raises OperatorError where the
    configuration cannot be served.
    """
    loop = asyncio.get_running_loop()
    log = Log(
        LineWriter(log_fd, loop, limit=DIAGNOSTICS_KEPT, dropping=True),
        loop.time,
        max(1, LINES_PER_SECOND // place.shared.workers),
    )
    rows = make_rows(rows_fd, loop, alone=place.alone)
    metrics = WorkerMetrics(place.shared.metrics(place.slot))
    rows.on_written = metrics.rows_written
    watch = _deny_watch(config, log, metrics, place)
    gateway = Gateway(
        config,
        loop,
        rows=rows,
        log=log,
        shared=place.shared,
        metrics=metrics,
        denied=DenySet() if watch is None else watch.denied,
        open_files=place.open_files,
        plain_text=plain_text,
    )
    admin = _admin(gateway, place.shared)
    server = await loop.create_server(lambda: ClientConnection(gateway), sock=place.listener, backlog=BACKLOG)
    probes = await loop.create_server(admin.connection, sock=place.admin, backlog=BACKLOG)
    following = None if watch is None else loop.create_task(watch.run(), name="deny-set")
    notifier = notifier or Notifier()
    if place.alone:
        _say_listening(log, config, place)
    reload = partial(_reload, gateway, notifier)
    if attach is None:
        loop.add_signal_handler(signal.SIGHUP, log.warning, "nothing to reload: the settings came with the command")
    else:
        attach(reload)
    _spare_the_collector()
    clock = _Clock(gateway, admin, notifier)
    notifier.ready()
    if ready is not None:
        ready(place)
    try:
        await stop.wait()
        notifier.stopping()
        server.close()
        await _drain(gateway)
    finally:
        clock.stop()
        server.close()
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
        probes.close()
        admin.close()
    log.info("stopped")
    lost = await _write_out(gateway.rows)
    log.close()
    return lost


def _deny_watch(config: Config, log: Log, metrics: WorkerMetrics, place: Place) -> DenyWatch | None:
    """Return what keeps the deny-set, None where no store is configured: then nobody pays for its client either."""
    if config.nats_url is None:
        return None
    from beyond_gateway.deny.watch import DenyWatch  # noqa: PLC0415 - 100 ms and 8 MB that only this needs

    return DenyWatch(
        config,
        log,
        connected=lambda up: metrics.nats(connected=up),
        writes_snapshot=place.slot == 0,
    )


def _admin(gateway: Gateway, shared: Shared) -> Admin:
    def breakers() -> dict[str, bool]:
        now = gateway.now()
        return {name: lane.breaker.state(now) != "closed" for name, lane in gateway.rules.lanes.items() if lane.index}

    release = version("beyond-ai")
    exposition = Exposition(shared.all_metrics(), version=release, providers=shared.names, breakers=breakers)
    return Admin(version=release, ready=lambda: not gateway.draining, metrics=exposition.render)


def _say_listening(log: Log, config: Config, place: Place) -> None:
    for line in config.warnings():
        log.warning(line)
    log.info("listening", address=address_of(place.listener), metrics=address_of(place.admin))


def _reload(gateway: Gateway, notifier: Notifier, read: Callable[[], Config]) -> None:
    """Take new settings, or say why not: a mistake in a file must not end what runs. None are taken at the end."""
    if gateway.draining:
        return
    notifier.reloading()
    try:
        gateway.adopt(read())
    except OperatorError as error:
        gateway.log.warning("reload refused; the settings stay as they were", error=str(error))
    else:
        gateway.log.info("settings reloaded")
    notifier.ready()


def _spare_the_collector() -> None:
    """Keep the garbage collector from walking what was imported, and from running for every few requests.

    An exchange is freed by reference counts when it ends; the collector is there for what we overlooked, and looking at
    ten thousand allocations at a time finds that as well as looking at seven hundred.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


class _Clock:
    """Ticks every connection, and tells the service manager that the loop is not stuck."""

    def __init__(self, gateway: Gateway, admin: Admin, notifier: Notifier) -> None:
        self._gateway = gateway
        self._admin = admin
        self._notifier = notifier
        self._timer = gateway.loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._timer = self._gateway.loop.call_later(TICK_S, self._tick)
        self._gateway.tick()
        self._admin.tick(TICK_S)
        if self._notifier.watchdog_s is not None:
            self._notifier.alive()

    def stop(self) -> None:
        """Tick no more."""
        self._timer.cancel()


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
    gateway.abandon()


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
