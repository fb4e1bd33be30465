"""A play without a script: clients, providers, the network and the clock move in any order, and `check` must hold.

A move takes small numbers and is always possible: one that makes no sense as things stand does nothing. So a move list
can be drawn by hypothesis or read out of an input's bytes, and a shorter list is still one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fake_transport import FakeTransport
from playbook import Play

from beyond_gateway.admit import Admitted
from beyond_gateway.client_protocol import ClientConnection
from fuzz.client_view import Response, responses
from fuzz.moves import Answer, Ask, answer, ask

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Self

    from beyond_gateway.asked import Asked
    from beyond_gateway.errors import Refusal

SIZES = (1, 7, 60, 200, 3_000, 70_000, 300_000)
SECONDS = (0.25, 1.5, 20.0, 61.0, 301.0)
LIFETIME_S = 300.0
BREAKER_S = 15.0
CLIENTS = 2
"""Connections open at one time: enough for one to be served what is another's."""


class Wire(FakeTransport):
    """A fake transport that remembers whether it was closed in good order, and reads on as late as an event loop."""

    aborted = False

    def resume_reading(self) -> None:
        # Callbacks that are ready come before the next bytes: a loop polls its sockets behind them.
        if self.reading:
            self.faults.append("resumed twice")
        self.reading = True
        self._loop.call_soon(self._loop.call_soon, self._deliver)

    def abort(self) -> None:
        self.aborted = True
        super().abort()


class Peer:
    """One client: its connection, what it has asked on it, and the bytes that it has still to send."""

    def __init__(self, play: Play) -> None:
        self.connection = ClientConnection(play.gateway)
        self.wire = Wire(play.loop, self.connection)
        self.asks: list[Ask] = []
        self.unsent = b""
        self.left = False


class Told(NamedTuple):
    """What a provider says to one request on one connection, how much of it is said, and whether any was read."""

    answer: Answer
    said: int = 0
    heard: bool = False


class FreePlay(Play):
    """Moves of everybody around one gateway, and what must be true after each of them."""

    def __init__(self, *, instant: bool, breaks: bool, **settings: Any) -> None:
        """`instant`: providers are connected at once, else each attempt waits for `dialled`.

        `breaks`: a provider's first failure opens its circuit breaker.
        """
        breaker = {"circuit_breaker_threshold": int(breaks), "circuit_breaker_reset_secs": BREAKER_S}
        super().__init__(request_max_secs=LIFETIME_S, **breaker, **settings)
        self._instant = instant
        self.peers: list[Peer] = []
        self.asked: dict[int, tuple[Peer, Ask]] = {}
        self.told: dict[tuple[int, int], Told] = {}
        self.dials: list[asyncio.Future[None]] = []
        self.admitted: list[str] = []

    def __enter__(self) -> Self:
        super().__enter__()
        gateway = self.gateway
        vars(self.loop)["create_connection"] = self._connected
        admit = gateway.admit

        def admitting(asked: Asked, length: int, now: float) -> Admitted | Refusal:
            verdict = admit(asked, length, now)
            if isinstance(verdict, Admitted) and verdict.identity is not None:
                self.admitted.append(f"{vars(gateway)['_ids']:032x}")
            return verdict

        vars(gateway)["admit"] = admitting
        return self

    def client_connects(self) -> Self:
        """Open a client's connection, unless there are enough of them."""
        if len(self.open_peers) < CLIENTS and not self.gateway.draining:
            peer = Peer(self)
            self.peers.append(peer)
            self.clients.append(peer.wire)
            self.client, self.connection = peer.wire, peer.connection
            self._client_read = 0
        return self

    async def _connected(
        self, factory: Callable[[], asyncio.Protocol], *_: object, **__: object
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        if not self._instant:
            self.dials.append(self.loop.create_future())
            await self.dials[-1]
        protocol = factory()
        wire = Wire(self.loop, protocol)
        self.gateway.lines.append(wire)
        return wire, protocol

    # -- moves of clients

    @property
    def open_peers(self) -> list[Peer]:
        return [peer for peer in self.peers if not peer.wire.is_closing()]

    def _peer(self, which: int) -> Peer | None:
        peers = self.open_peers
        return peers[which % len(peers)] if peers else None

    def asks(self, which: int, kind: int) -> Self:
        """Let a client have one more request to send, behind those that it has not sent yet."""
        peer = self._peer(which)
        if peer is not None and not (peer.asks and peer.asks[-1].ends):
            one = ask(kind, len(self.asked) + 1)
            self.asked[one.number] = (peer, one)
            peer.asks.append(one)
            peer.unsent += one.data
        return self

    def sends(self, which: int, size: int) -> Self:
        peer = self._peer(which)
        if peer is not None:
            size = SIZES[size % len(SIZES)]
            piece, peer.unsent = peer.unsent[:size], peer.unsent[size:]
            if piece:
                peer.wire.peer_sends(piece)
        return self.run()

    def reads(self, which: int, *, stalls: bool) -> Self:
        for peer in self.peers[which % len(self.peers) :][:1]:
            peer.wire.peer_stalls() if stalls else peer.wire.peer_catches_up()
        return self.run()

    def leaves(self, which: int, *, resets: bool) -> Self:
        peer = self._peer(which)
        if peer is not None:
            peer.left = True
            peer.wire.peer_resets() if resets else peer.wire.peer_ends()
        return self.run()

    # -- moves of providers

    @property
    def live(self) -> list[FakeTransport]:
        return [line for line in self.gateway.lines if not line.lost]

    def answers(self, which: int, kind: int, size: int) -> Self:
        """Let a provider say the next bytes of its answer to the last request that it has got."""
        asked = [line for line in self.busy if last_number(line)]
        if asked:
            line = asked[which % len(asked)]
            number = last_number(line)
            key = (self.gateway.lines.index(line), number)
            told = self.told.get(key) or Told(answer(kind, self.asked[number][1]))
            piece = told.answer.data[told.said :][: SIZES[size % len(SIZES)]]
            self.told[key] = Told(told.answer, told.said + len(piece), heard=told.heard or line.reading)
            if piece:
                line.peer_sends(piece)
            elif told.answer.closes:
                line.peer_ends()
        return self.run()

    def speaks_unasked(self, which: int) -> Self:
        idle = [line for line in self.live if line not in self.busy]
        if idle:
            idle[which % len(idle)].peer_sends(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return self.run()

    def upstream_reads(self, which: int, *, stalls: bool) -> Self:
        for line in self.live[which % max(len(self.live), 1) :][:1]:
            line.peer_stalls() if stalls and line in self.busy else line.peer_catches_up()
        return self.run()

    def upstream_goes(self, which: int, *, resets: bool) -> Self:
        for line in self.live[which % max(len(self.live), 1) :][:1]:
            line.peer_resets() if resets else line.peer_ends()
        return self.run()

    def dialled(self, which: int, how: int) -> Self:
        """End one attempt to connect: twice out of four it succeeds."""
        self.dials = [dial for dial in self.dials if not dial.done()]
        if self.dials:
            dial = self.dials[which % len(self.dials)]
            fault = (None, None, ConnectionRefusedError(), TimeoutError())[how % 4]
            dial.set_result(None) if fault is None else dial.set_exception(fault)
        return self.run()

    def time_passes(self, how: int) -> Self:
        return self.ticks(SECONDS[how % len(SECONDS)])

    def drains(self) -> Self:
        self.gateway.drain()
        return self.run()

    def cuts(self) -> Self:
        self.gateway.drain()
        self.gateway.cut()
        return self.run()

    # -- what must be true

    def everybody_leaves(self) -> Self:
        for peer in self.open_peers:
            peer.left = True
        for wire in [*self.clients, *self.gateway.lines]:
            if not wire.lost:
                wire.peer_resets()
        return self.run()

    def view(self, peer: Peer) -> list[Response]:
        return responses(bytes(peer.wire.out), peer.asks)


def last_number(line: FakeTransport) -> int:
    """Return the number of the newest request that a provider has got on `line`, 0 for none."""
    at = line.out.rfind(b"?m=")
    return int(bytes(line.out[at + 3 : line.out.find(b" ", at)])) if at >= 0 else 0
