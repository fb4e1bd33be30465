"""What all exchanges of one worker share: rules, limits, lanes, rows, log, clock; and the dialling of providers."""

from __future__ import annotations

import asyncio
import random
import ssl
from typing import TYPE_CHECKING, Final

from beyond_gateway import errors
from beyond_gateway.admit import Admitted, Rules, admit
from beyond_gateway.asked import Heads
from beyond_gateway.endpoints import Endpoints
from beyond_gateway.lane import Lane
from beyond_gateway.ledger import PromptBudget
from beyond_gateway.managed_key import keyring
from beyond_gateway.providers import build_table
from beyond_gateway.retry import CONNECT_ATTEMPTS
from beyond_gateway.upstream_protocol import UpstreamConnection
from beyond_gateway.verified import VerifiedKeys

if TYPE_CHECKING:
    from beyond_gateway.asked import Asked
    from beyond_gateway.client_protocol import ClientConnection
    from beyond_gateway.config import Config
    from beyond_gateway.errors import Refusal
    from beyond_gateway.exchange import Exchange
    from beyond_gateway.log import Log
    from beyond_gateway.usage_rows import LineWriter

TICK_S: Final = 0.25
"""How often timeouts are looked at: counting quiet ticks costs a relayed byte one store, a timer of its own more."""


class Gateway:
    """One worker's state. Made by `app.serve`; everything in it belongs to one event loop."""

    def __init__(
        self, config: Config, loop: asyncio.AbstractEventLoop, rows: LineWriter, log: Log, plain_text: frozenset[str]
    ) -> None:
        self.config = config
        self.loop = loop
        self.rows = rows
        self.log = log
        self.now = loop.time
        self.rules = build_rules(config)
        self.clients: set[ClientConnection] = set()
        self.upstreams: set[UpstreamConnection] = set()
        self.dialling: set[asyncio.Task[None]] = set()
        self.prompts = PromptBudget()
        self.in_flight = 0
        self.buffered_bytes = 0
        self.draining = False
        self.nothing_in_flight = asyncio.Event()
        self.nobody_connected = asyncio.Event()
        self._plain_text = plain_text
        self._ssl = _client_context(config) if config.upstream_tls else None
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
            return errors.USAGE_BACKLOG
        return verdict

    def began(self) -> None:
        """Count an exchange in."""
        self.in_flight += 1

    def settled(self) -> None:
        """Count an exchange out, which every exchange does once."""
        self.in_flight -= 1
        if self.draining and not self.in_flight:
            self.nothing_in_flight.set()

    def disconnected(self, client: ClientConnection) -> None:
        """Forget a client's connection."""
        self.clients.discard(client)
        if self.draining and not self.clients:
            self.nobody_connected.set()

    # -- providers

    def dial(self, exchange: Exchange, lane: Lane) -> None:
        """Open a connection for `exchange`, which is told how it went if it still waits by then."""
        task = self.loop.create_task(self._dial(exchange, lane), name=f"dial {lane.provider.name}")
        self.dialling.add(task)
        task.add_done_callback(self.dialling.discard)

    async def _dial(self, exchange: Exchange, lane: Lane) -> None:
        provider = lane.provider
        context = None if provider.name in self._plain_text else self._ssl
        for _ in range(CONNECT_ATTEMPTS):
            if not exchange.waits:
                return
            try:
                async with asyncio.timeout(self.config.connect_timeout_secs):
                    _, upstream = await self.loop.create_connection(
                        lambda: UpstreamConnection(self, lane),
                        provider.host,
                        provider.port,
                        ssl=context,
                        server_hostname=provider.host if context else None,
                    )
            except (OSError, TimeoutError) as error:
                self.log.warning("provider cannot be reached", provider=provider.name, error=type(error).__name__)
                continue
            if exchange.waits:
                exchange.attach(upstream)
            else:
                upstream.spare()
            return
        if exchange.waits:
            exchange.dial_failed()

    # -- time and end

    def tick(self, seconds: float = TICK_S) -> None:
        """Let every connection count its quiet time."""
        for client in list(self.clients):
            client.tick(seconds)
        for upstream in list(self.upstreams):
            upstream.tick(seconds)

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

    def __repr__(self) -> str:
        idle = sum(len(lane.idle) for lane in self.rules.lanes.values())
        return (
            f"<Gateway in_flight={self.in_flight} clients={len(self.clients)} upstreams={len(self.upstreams)} "
            f"idle={idle} dialling={len(self.dialling)} buffered={self.buffered_bytes} rows={self.rows.pending}>"
        )


def build_rules(config: Config) -> Rules:
    """Return what admission reads, from a configuration. Raises OperatorError for what cannot be used."""
    providers = build_table(config)
    lanes = {row.name: Lane(row, config.pool_keys.get(row.name, ())) for row in providers.values()}
    heads = Heads(providers, Endpoints(config.managed_endpoints))
    return Rules(heads, lanes, VerifiedKeys(keyring(config.signing_keys)))


def _client_context(config: Config) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if config.upstream_ca_file is not None:
        try:
            context.load_verify_locations(cafile=config.upstream_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise errors.OperatorError(
                f"upstream_ca_file: cannot read certificates from {config.upstream_ca_file}: {error.strerror or error}",
                key="upstream_ca_file",
            ) from None
    if not config.upstream_verify_cert:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
