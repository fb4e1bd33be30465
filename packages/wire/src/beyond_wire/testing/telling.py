"""A dialect's decoder run over bytes, and bytes cut where their events end: what the rules of a dialect look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from beyond_wire.errors import WireError
from beyond_wire.sse import SseParser
from beyond_wire.types import MessageStop

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beyond_wire.sse import SseEvent
    from beyond_wire.testing.recorded import RecordedTurn, Tables
    from beyond_wire.types import Dialect, StreamEvent, TokenUsage


class Told(NamedTuple):
    """What a decoder made of a stream: its events, those of a fault included; the fault; the usage known at the end."""

    events: tuple[StreamEvent, ...]
    fault: WireError | None
    usage: TokenUsage

    @property
    def code(self) -> str | None:
        """Code of the fault, None for a clean end."""
        return None if self.fault is None else self.fault.code

    def begins(self, turn: RecordedTurn) -> bool:
        """Whether the events are the first ones of `turn`."""
        return self.events == turn.events[: len(self.events)]


def told(dialect: Dialect, chunks: Iterable[bytes]) -> Told:
    """Return what a new decoder makes of these chunks and the end of the body behind them."""
    decoder = dialect.decoder()
    events: list[StreamEvent] = []
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        events += decoder.finish()
    except WireError as fault:
        return Told((*events, *fault.events), fault, decoder.usage)
    return Told(tuple(events), None, decoder.usage)


def fed(dialect: Dialect, chunk: bytes) -> Told:
    """Return what a new decoder makes of one chunk, with more to come."""
    decoder = dialect.decoder()
    try:
        return Told(tuple(decoder.feed(chunk)), None, decoder.usage)
    except WireError as fault:
        return Told(fault.events, fault, decoder.usage)


def is_whole(dialect: Dialect, stream: bytes) -> bool:
    """Whether the answer is complete before the body ends, so that nothing behind it counts."""
    return any(isinstance(event, MessageStop) for event in fed(dialect, stream).events)


def frames(stream: bytes) -> list[bytes]:
    """Return a stream cut behind each of its events."""
    parser = SseParser()
    pieces: list[bytes] = []
    start = 0
    for at in range(len(stream)):
        if parser.feed(stream[at : at + 1]):
            pieces.append(stream[start : at + 1])
            start = at + 1
    return [*pieces, stream[start:]] if start < len(stream) else pieces


def ends(tables: Tables, stream: bytes) -> bool:
    """Whether an event in `stream` completes the answer, the last one also without its blank line."""
    parser = SseParser()
    try:
        events: list[SseEvent] = [*parser.feed(stream), *parser.finish()]
    except WireError as fault:
        events = list(fault.events)
    return any(tables.ends(_fields(event.data)) for event in events)


def unfinished(tables: Tables, turn: RecordedTurn) -> list[bytes]:
    """Return the frames of `turn` before the one that completes it."""
    pieces: list[bytes] = []
    for piece in frames(turn.stream):
        if ends(tables, piece):
            break
        pieces.append(piece)
    return pieces


def _fields(data: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
