"""What all exchanges of one worker share: rules, limits, connections, rows, log, metrics, clock."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Final

import msgspec

from beyond_gateway import errors
from beyond_gateway.admit import Admitted, admit
from beyond_gateway.dialer import Dialer
from beyond_gateway.ledger import PromptBudget
from beyond_gateway.metrics.cells import held_bytes
from beyond_gateway.metrics.process import resident_bytes
from beyond_gateway.rules import build_rules, next_rules

if TYPE_CHECKING:
    from beyond_gateway.asked import Asked
    from beyond_gateway.client_protocol import ClientConnection
    from beyond_gateway.config import Config
    from beyond_gateway.deny.entries import DenySet
    from beyond_gateway.errors import Refusal
    from beyond_gateway.host.shared import Shared
    from beyond_gateway.log import Log
    from beyond_gateway.metrics.worker import WorkerMetrics
    from beyond_gateway.upstream_protocol import UpstreamConnection
    from beyond_gateway.usage_rows import LineWriter

TICK_S: Final = 0.25
"""How often timeouts are looked at: counting quiet ticks costs a relayed byte one store, a timer of its own more."""
LEAST_SPARE_FILES: Final = 32
"""Descriptors that clients do not get, or an eighth of the limit where that is more: providers, files and probes need
some, and a gateway that can accept but not connect serves nobody."""
HELD_STEP_BYTES: Final = 1024 * 1024
"""How far what a worker holds may differ from what it has told: bodies are small, and a look at all workers is not."""
FIXED: Final = (
    *("listen", "metrics_listen", "workers", "nats_url", "nats_creds", "nats_creds_file"),
    *("config_bucket", "snapshot_path"),
)
"""Settings that a running gateway cannot change: sockets and processes exist, the deny-set is being watched."""


class Gateway:
    """One worker's state. Made by `app.serve`; everything in it belongs to one event loop."""

    def __init__(
        self,
        config: Config,
        loop: asyncio.AbstractEventLoop,
        *,
        rows: LineWriter,
        log: Log,
        shared: Shared,
        metrics: WorkerMetrics,
        denied: DenySet,
        open_files: int = 1024,
        plain_text: frozenset[str] = frozenset(),
    ) -> None:
        self.config: Config = config
        self.loop = loop
        self.rows = rows
        self.log = log
        self.now = loop.time
        self.stopwatch = time.perf_counter
        self.metrics = metrics
        self.rules = build_rules(config, shared, denied)
        self.dialer = Dialer(self, config, plain_text)
        self.clients: set[ClientConnection] = set()
        self.upstreams: set[UpstreamConnection] = set()
        self.prompts = PromptBudget()
        self.in_flight = 0
        self.buffered_bytes = 0
        self._told_bytes = 0
        self._may_hold = True
        self.draining = False
        self.nothing_in_flight = asyncio.Event()
        self.nobody_connected = asyncio.Event()
        self._shared = shared
        self._slots = shared.all_metrics()
        self._most_files = open_files - max(LEAST_SPARE_FILES, open_files // 8)
        self._step_bytes = min(HELD_STEP_BYTES, config.max_buffered_body_bytes // 8)
        self._ticked_at = self.now()
        # Ids only need to differ; the generator seeds itself from the system once.
        self._random = random.Random()  # noqa: S311 - not a secret

    def next_request_id(self) -> str:
        """Return a new request id: 32 hexadecimal digits."""
        return f"{self._random.getrandbits(128):032x}"

    def admit(self, asked: Asked, length: int, now: float) -> Admitted | Refusal:
        """Decide one request by the rules in force and by the state of this worker."""
        if self.draining:
            return errors.DRAINING
        verdict = admit(asked, length, self.rules, now)
        if isinstance(verdict, Admitted) and verdict.identity is not None and self.rows.full:
            if verdict.probe:
                verdict.lane.breaker.give_back()
            return errors.USAGE_BACKLOG
        return verdict

    def began(self) -> None:
        """Count an exchange in."""
        self.in_flight += 1
        self.metrics.began()

    def settled(self) -> None:
        """Count an exchange out, which every exchange does once."""
        self.in_flight -= 1
        if self.draining and not self.in_flight:
            self.nothing_in_flight.set()

    @property
    def dialling(self) -> set[asyncio.Task[None]]:
        """Connections that are being opened."""
        return self.dialer.tasks

    @property
    def has_room(self) -> bool:
        """Whether another client can be served: descriptors are left for it and for its provider."""
        return len(self.clients) + len(self.upstreams) + len(self.dialling) < self._most_files

    def hold(self, size: int) -> bool:
        """Account for `size` more bytes of bodies held whole, negative for fewer; return whether they may be held.

        They may not where all workers together then hold more than the budget. They are accounted for all the same:
        whoever refuses the body gives them back. Other workers are told, and asked, in steps.
        """
        held = self.buffered_bytes = self.buffered_bytes + size
        if abs(held - self._told_bytes) >= self._step_bytes or (self._told_bytes and not held):
            self._tell_buffered()
        return self._may_hold

    def _tell_buffered(self) -> None:
        self._told_bytes = self.buffered_bytes
        self.metrics.buffered(self._told_bytes)
        self._may_hold = held_bytes(self._slots) <= self.config.max_buffered_body_bytes

    def disconnected(self, client: ClientConnection) -> None:
        """Forget a client's connection."""
        self.clients.discard(client)
        if self.draining and not self.clients:
            self.nobody_connected.set()

    # -- settings

    def adopt(self, config: Config) -> None:
        """Serve by other settings from now on; what runs goes on under the rules it was admitted by.

        Raises OperatorError for what cannot be used, and then nothing has changed.
        """
        old = self.config
        changed = [name for name in FIXED if getattr(config, name) != getattr(old, name)]
        adopted: Config = msgspec.structs.replace(config, **{name: getattr(old, name) for name in FIXED})
        same_tls = self.dialer.use(adopted)
        self.rules = next_rules(self.rules, adopted, self._shared, same_tls=same_tls)
        self.config = adopted
        self._step_bytes = min(HELD_STEP_BYTES, adopted.max_buffered_body_bytes // 8)
        for name in changed:
            self.log.warning("a changed setting waits for a restart", key=name)

    # -- time and end

    def tick(self, seconds: float = TICK_S) -> None:
        """Let every connection count its quiet time, and tell the metrics how this worker is."""
        now = self.now()
        self.metrics.loop_lag(max(0.0, now - self._ticked_at - seconds))
        self._ticked_at = now
        for client in list(self.clients):
            client.tick(seconds)
        for upstream in list(self.upstreams):
            upstream.tick(seconds)
        metrics = self.metrics
        metrics.connections(len(self.clients), len(self.upstreams))
        metrics.rows_waiting(self.rows.pending)
        metrics.deny_set_size(len(self.rules.denied))
        metrics.resident(resident_bytes())
        self._tell_buffered()

    def drain(self) -> None:
        """Take no more requests; connections close as their exchanges end."""
        self.draining = True
        if not self.in_flight:
            self.nothing_in_flight.set()
        if not self.clients:
            self.nobody_connected.set()
        for client in list(self.clients):
            client.drain()
        for upstream in list(self.upstreams):
            upstream.drain()

    def cut(self) -> None:
        """End what still runs."""
        for client in list(self.clients):
            client.cut()

    def abandon(self) -> None:
        """Drop connections and what waits on them to be taken: the event loop does not end before the last of them."""
        for client in list(self.clients):
            client.abort(hard=True)
        for upstream in list(self.upstreams):
            upstream.end(reusable=False)

    def __repr__(self) -> str:
        idle = sum(len(lane.idle) for lane in self.rules.lanes.values())
        return (
            f"<Gateway in_flight={self.in_flight} clients={len(self.clients)} upstreams={len(self.upstreams)} "
            f"idle={idle} dialling={len(self.dialling)} rows={self.rows.pending}>"
        )
