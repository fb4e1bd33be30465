"""A gateway between a client and providers that a test plays by hand: this goes in, that must come out.

The gateway, its connections, rules, rows and log are the real ones; only transports, clock and request ids are not.
Every byte that comes out must be asked for and the end must be looked at, or leaving the `with` block fails.
"""

from __future__ import annotations

import asyncio
import difflib
import re
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
from fake_transport import FakeTransport

from beyond_gateway.admit import Admitted
from beyond_gateway.client_protocol import ClientConnection
from beyond_gateway.config import Config
from beyond_gateway.deny.entries import DenySet
from beyond_gateway.framing import ChunkedReader
from beyond_gateway.gateway import Gateway
from beyond_gateway.host.shared import Shared
from beyond_gateway.log import Log
from beyond_gateway.managed_key import mint, signing_key
from beyond_gateway.metrics.worker import WorkerMetrics
from beyond_gateway.providers import build_table
from beyond_gateway.redact import Secret
from beyond_gateway.upstream_protocol import UpstreamConnection
from beyond_gateway.usage_rows import LineWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from beyond_gateway.asked import Asked
    from beyond_gateway.errors import Refusal
    from beyond_gateway.lane import Lane

SEED = bytes([7]) * 32
KEY = mint(SEED, 1, 1, 1).encode()
BYO = b"sk-byo-0123456789"
POOL = b"sk-pool-S3CR3T"
PUBLIC = signing_key(SEED).verify_key.encode()
IDS = [b"%032x" % number for number in range(1, 9)]


def play_config(**changes: Any) -> Config:
    """Settings of a playbook's gateway: one signing key, one pool key each for openai and anthropic, no TLS."""
    keys = (Secret(POOL.decode()),)
    given: dict[str, Any] = {"pool_keys": {"openai": keys, "anthropic": keys}, "signing_keys": {1: PUBLIC}}
    given |= {"rate_limit_rps": 0, "byo_rate_limit_rps": 0}
    return Config(upstream_tls=False, **(given | changes))


def play_shared(config: Config) -> Shared:
    """Memory for one worker that knows the providers of a configuration."""
    shared = Shared()
    shared.register(row.name for row in build_table(config).values())
    return shared


class PlayedGateway(Gateway):
    """A gateway that dials fake transports, reads the playbook's clock and counts what must balance."""

    def __init__(self, config: Config, loop: asyncio.AbstractEventLoop, rows: LineWriter, log: Log) -> None:
        shared = play_shared(config)
        self.cells = shared.metrics(0)
        metrics = WorkerMetrics(self.cells)
        super().__init__(config, loop, rows=rows, log=log, shared=shared, metrics=metrics, denied=DenySet())
        self.lines: list[FakeTransport] = []
        # Whether dialling succeeds; None keeps it waiting until `dialled` is set.
        self.reachable: bool | None = True
        self.dialled = asyncio.Event()
        self.begun = 0
        self.ended = 0
        self.billable = 0
        self._ids = 0
        vars(loop)["create_connection"] = self._connected

    def next_request_id(self) -> str:
        self._ids += 1
        return f"{self._ids:032x}"

    def admit(self, asked: Asked, length: int, now: float) -> Admitted | Refusal:
        verdict = super().admit(asked, length, now)
        self.billable += isinstance(verdict, Admitted) and verdict.identity is not None
        return verdict

    def began(self) -> None:
        self.begun += 1
        super().began()

    def settled(self) -> None:
        self.ended += 1
        super().settled()

    def line(self, lane: Lane) -> UpstreamConnection:
        """Open a connection to a provider."""
        upstream = UpstreamConnection(self, lane)
        self.lines.append(FakeTransport(self.loop, upstream))
        return upstream

    async def _connected(
        self, factory: Callable[[], asyncio.Protocol], *_: object, **__: object
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """What the event loop does for the gateway when it opens a connection."""
        if self.reachable is None:
            await self.dialled.wait()
        if not self.reachable:
            raise ConnectionRefusedError
        protocol = factory()
        self.lines.append(FakeTransport(self.loop, protocol))
        return self.lines[-1], protocol


class Seen(NamedTuple):
    """What came out of an exchange: bytes at the provider, bytes at the client, usage rows without their times."""

    upstream: bytes
    client: bytes
    rows: list[dict[str, Any]]


class Play:
    """One playbook: a `with` block. Every method plays one step, lets the event loop run dry and returns the play."""

    def __init__(self, *, warm: str | None = None, **settings: Any) -> None:
        self._settings = settings
        self._warm = warm
        self.finished = False

    def __enter__(self) -> Self:
        self.loop = asyncio.new_event_loop()
        self.clock = 1000.0
        self._files = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]
        rows, lines = (LineWriter(file.fileno(), self.loop) for file in self._files)
        config = play_config(**self._settings)
        self.gateway = PlayedGateway(config, self.loop, rows, Log(lines, lambda: self.clock))
        self.gateway.now = self.gateway.stopwatch = lambda: self.clock
        self.clients: list[FakeTransport] = []
        self.client_connects()
        self._upstream_read = 0
        if self._warm:
            lane = self.gateway.rules.lanes[self._warm]
            lane.idle.give_back(self.gateway.line(lane))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                assert self.finished, "the playbook ends without a look at its usage rows"
                assert not self.client_rest(), "the client got what nobody asked for"
                assert not self.upstream_rest(), "a provider got what nobody asked for"
        finally:
            for task in self.gateway.dialling:
                task.cancel()
            self.run()
            self.gateway.rows.close()
            self.gateway.log.close()
            self.loop.close()
            for file in self._files:
                file.close()

    def run(self) -> Self:
        """Let the event loop run until nothing is ready."""
        ready = cast("Any", self.loop)._ready
        while ready:
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
        return self

    # -- what goes in

    def client_connects(self) -> Self:
        """A client opens a connection, which is `client` from now on."""
        self.connection = ClientConnection(self.gateway)
        self.client = FakeTransport(self.loop, self.connection)
        self.clients.append(self.client)
        self._client_read = 0
        return self

    def dialling_ends(self, *, reachable: bool) -> Self:
        self.gateway.reachable = reachable
        self.gateway.dialled.set()
        return self.run()

    def client_sends(self, *pieces: bytes) -> Self:
        for piece in pieces:
            self.client.peer_sends(piece)
            self.run()
        return self

    def upstream_sends(self, *pieces: bytes) -> Self:
        line = self.line
        for piece in pieces:
            line.peer_sends(piece)
            self.run()
        return self

    def client_leaves(self) -> Self:
        self.client.peer_ends()
        return self.run()

    def client_resets(self) -> Self:
        self.client.peer_resets()
        return self.run()

    def upstream_ends(self) -> Self:
        self.line.peer_ends()
        return self.run()

    def upstream_dies(self) -> Self:
        self.line.peer_resets()
        return self.run()

    def ticks(self, seconds: float) -> Self:
        self.clock += seconds
        self.gateway.tick(seconds)
        return self.run()

    # -- what must come out

    @property
    def line(self) -> FakeTransport:
        """The provider's connection that serves an exchange, else the newest."""
        assert self.gateway.lines, "no provider was dialled"
        busy = self.busy
        return busy[0] if busy else self.gateway.lines[-1]

    @property
    def busy(self) -> list[FakeTransport]:
        """The providers' connections that serve an exchange."""
        return [line for line in self.gateway.lines if "busy" in repr(line.protocol) and not line.lost]

    def client_rest(self) -> bytes:
        """What the client got since the last look."""
        start, self._client_read = self._client_read, len(self.client.out)
        return bytes(self.client.out[start:])

    def upstream_rest(self) -> bytes:
        """What providers got since the last look, in the order of their connections."""
        data = b"".join(bytes(line.out) for line in self.gateway.lines)
        start, self._upstream_read = self._upstream_read, len(data)
        return data[start:]

    def client_gets(self, *pieces: bytes) -> Self:
        _equal("client", self.client_rest(), b"".join(pieces))
        return self

    def client_gets_error(self, status: int, message: str) -> Self:
        head, _, body = self.client_rest().partition(b"\r\n\r\n")
        assert int(head[9:12]) == status
        assert msgspec.json.decode(body)["error"]["message"] == message
        return self

    def upstream_gets(self, *pieces: bytes) -> Self:
        _equal("provider", self.upstream_rest(), b"".join(pieces))
        return self

    def client_closes(self) -> Self:
        assert self.client.is_closing()
        return self

    def client_stays(self) -> Self:
        assert not self.client.is_closing()
        return self

    def upstream_closes(self) -> Self:
        assert self.line.is_closing()
        return self

    def idle(self, number: int) -> Self:
        assert sum(len(lane.idle) for lane in self.gateway.rules.lanes.values()) == number
        return self

    def rows(self) -> list[dict[str, Any]]:
        """Every usage row's fields so far."""
        self.finished = True
        self.gateway.rows.flush_now()
        return _fields(self._files[0])

    def no_row(self) -> Self:
        assert self.rows() == []
        return self.balanced()

    def one_row(self, **fields: object) -> Self:
        rows = self.rows()
        assert len(rows) == 1, f"not one row: {rows}"
        differing = {name: (rows[0].get(name), value) for name, value in fields.items() if rows[0].get(name) != value}
        assert not differing, f"the row differs (got, wanted): {differing}"
        return self.balanced()

    def balanced(self) -> Self:
        """Nothing is left over: every gauge is at zero and every connection is idle or gone."""
        gateway = self.gateway
        assert (gateway.in_flight, gateway.buffered_bytes) == (0, 0)
        assert gateway.begun == gateway.ended
        assert len(self.rows()) == gateway.billable
        idle = [connection for lane in gateway.rules.lanes.values() for connection in lane.idle.idle()]
        for line in gateway.lines:
            kept = line.protocol in idle
            assert kept is not line.is_closing(), "a provider's connection is either reusable or closed"
            assert line.reading or line.is_closing()
        self.clean()
        return self

    def clean(self) -> Self:
        """No transport was used against its rules so far."""
        faults = [fault for end in [*self.clients, *self.gateway.lines] for fault in end.faults]
        assert not faults, faults
        return self

    def diagnostics(self) -> list[dict[str, Any]]:
        """Every diagnostic line's fields so far."""
        self.gateway.log.close()
        return _fields(self._files[1])


def _equal(who: str, got: bytes, wanted: bytes) -> None:
    def lines(data: bytes) -> list[str]:
        return [repr(line) for line in data.splitlines(keepends=True)]

    if got != wanted:
        diff = difflib.unified_diff(lines(wanted), lines(got), "wanted", "got", lineterm="")
        raise AssertionError(f"the {who} got something else:\n" + "\n".join(diff))


def _fields(file: Any) -> list[dict[str, Any]]:
    file.seek(0)
    return [msgspec.json.decode(line)["fields"] for line in file.read().splitlines()]


_HEAD = re.compile(rb"HTTP/1\.1 .*?\r\n\r\n", re.DOTALL)


def payload(response: bytes) -> tuple[bytes, bytes]:
    """Head and body of one response, the body without its chunks."""
    match = _HEAD.match(response)
    assert match, response
    body = response[match.end() :]
    if b"transfer-encoding: chunked" not in match[0].lower():
        return match[0], body
    pieces: list[bytes] = []
    reader = ChunkedReader()
    assert reader.feed(body, 0, pieces) == len(body)
    assert reader.done
    return match[0], b"".join(pieces)


def seen(play: Play) -> Seen:
    """What came out of a finished playbook, without the fields that tell times."""
    rows = [{name: value for name, value in row.items() if not name.endswith("_ms")} for row in play.rows()]
    return Seen(play.upstream_rest(), play.client_rest(), rows)
