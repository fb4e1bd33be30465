"""What every streamed answer has in common: frames in, events out, one fault, one end.

A dialect says what a frame means (`_decode`) and what the end of the body means (`_end_of_body`); when each may be
called, and what is raised again, is settled here once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from beyond_wire.errors import SseBadJson, SseBadUtf8, StreamTruncated, WireError
from beyond_wire.sse import SseParser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_wire.sse import SseEvent
    from beyond_wire.types import StreamEvent, TokenUsage


class Answer(Protocol):
    """What a dialect has gathered of one answer."""

    done: bool

    @property
    def usage(self) -> TokenUsage:
        """Usage known so far; zero where nothing is known."""
        ...


A = TypeVar("A", bound=Answer)


class FramedDecoder(Generic[A]):
    """Events of one streamed answer, the same for every way to cut its bytes. A `StreamDecoder`.

    A fault ends the stream: it is raised with the events before it, and further calls raise it again without events.
    After the terminal event all bytes are ignored.
    """

    __slots__ = ("_answer", "_fault", "_finished", "_frames")

    def __init__(self, answer: A) -> None:
        self._frames = SseParser()
        self._answer = answer
        self._fault: WireError | None = None
        self._finished = False

    def __repr__(self) -> str:
        fault = None if self._fault is None else self._fault.code
        return f"<{type(self).__name__} {self._answer!r} fault={fault} finished={self._finished}>"

    @property
    def usage(self) -> TokenUsage:
        """Usage known so far, also after a fault; zero where nothing is known."""
        return self._answer.usage

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Events that `chunk` completes, in order; empty when it completes none.

        Raises `WireError` with what the chunk gave before the fault in `.events`; `RuntimeError` after `finish`.
        """
        if self._finished:
            raise RuntimeError("feed() after finish()")
        if self._answer.done:
            return []
        if self._fault is not None:
            raise _again(self._fault)
        try:
            frames, fault = self._frames.feed(chunk), None
        except WireError as error:
            frames, fault = error.events, error
        events: list[StreamEvent] = []
        try:
            self._decode(frames, events)
            if fault is not None and not self._answer.done:
                raise fault
        except WireError as error:
            self._fail(error, events)
            raise
        return events

    def finish(self) -> list[StreamEvent]:
        """Events that the end of the body completes. Raises `StreamTruncated` where the answer is not complete.

        An event that only the end of the body ends, and that cannot be read, was cut: that too is `StreamTruncated`.
        """
        self._finished = True
        if self._answer.done:
            return []
        if self._fault is not None:
            raise _again(self._fault)
        events: list[StreamEvent] = []
        try:
            try:
                self._decode(self._frames.finish(), events)
            except (SseBadJson, SseBadUtf8) as error:
                raise self._truncated() from error
            if not self._answer.done:
                self._end_of_body(events)
        except WireError as error:
            self._fail(error, events)
            raise
        return events

    def _decode(self, frames: Sequence[SseEvent], events: list[StreamEvent]) -> None:
        """Append the events of these frames, up to the end of the answer. Raises `WireError`."""
        raise NotImplementedError

    def _truncated(self) -> StreamTruncated:
        """Return the fault of a stream that ends too early, which names what the dialect misses."""
        raise NotImplementedError

    def _end_of_body(self, events: list[StreamEvent]) -> None:  # noqa: ARG002 - one dialect may end here
        """Complete the answer with the end of the body, or raise that it is cut: nearly always the latter."""
        raise self._truncated()

    def _fail(self, fault: WireError, events: list[StreamEvent]) -> None:
        fault.events = tuple(events)
        self._fault = fault


def _again(fault: WireError) -> WireError:
    """`fault` as a new exception without events, which the first one has handed over."""
    twin = type(fault).__new__(type(fault), *fault.args)
    twin.__dict__.update(fault.__dict__)
    twin.events = ()
    return twin
