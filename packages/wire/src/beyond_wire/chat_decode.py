"""Chat Completions answers decoded: a stream chunk by chunk, a whole body at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.accumulate import accumulate
from beyond_wire.chat_answer import AnswerEvents
from beyond_wire.chat_read import DONE, chunk_facts, read_answer, read_chunk, read_text
from beyond_wire.errors import SseBadJson, SseBadUtf8, StreamTruncated, WireError
from beyond_wire.provider_errors import provider_error
from beyond_wire.sse import SseParser
from beyond_wire.types import TextDelta

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_wire.chat_shapes import Chunk
    from beyond_wire.sse import SseEvent
    from beyond_wire.types import StreamEvent, TokenUsage, Turn


class ChatDecoder:
    """Events of one streamed answer, the same for every way to cut its bytes. A `StreamDecoder`.

    Usage comes in a chunk of its own, after the finish reason. So usage and stop are held back until `[DONE]`, which
    ends the stream, or until the end of the body, because some providers send no `[DONE]`.

    A fault ends the stream: it is raised with the events before it, and further calls raise it again without events.
    After `[DONE]` all bytes are ignored.
    """

    __slots__ = ("_answer", "_fault", "_finished", "_frames")

    def __init__(self) -> None:
        self._frames = SseParser()
        self._answer = AnswerEvents()
        self._fault: WireError | None = None
        self._finished = False

    def __repr__(self) -> str:
        fault = None if self._fault is None else self._fault.code
        return f"<ChatDecoder {self._answer!r} fault={fault} finished={self._finished}>"

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
        """Events that the end of the body completes. Raises `StreamTruncated` where no finish reason was seen.

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
                raise StreamTruncated("Chat stream ended inside an event") from error
            if not self._answer.done:
                self._end(events)
        except WireError as error:
            self._fail(error, events)
            raise
        return events

    def _decode(self, frames: Sequence[SseEvent], events: list[StreamEvent]) -> None:
        """Append the events of these frames, up to the end of the answer."""
        answer = self._answer
        text = answer.text
        for frame in frames:
            # Nearly every chunk is only more text of an open block; it is spared the rest.
            if text is not None and not frame.event and (more := read_text(frame.data)):
                events.append(TextDelta(index=text, text=more))
                continue
            self._read(frame, events)
            if answer.done:
                return
            text = answer.text

    def _read(self, frame: SseEvent, events: list[StreamEvent]) -> None:
        data = frame.data
        if frame.event == "error" and (fault := provider_error(data, named=True)) is not None:
            raise fault
        if data.strip() == DONE:
            self._end(events)
        elif (chunk := read_chunk(data)) is not None:
            self._take(chunk, events)

    def _take(self, chunk: Chunk, events: list[StreamEvent]) -> None:
        answer = self._answer
        facts = chunk_facts(chunk)
        if chunk.choices is None and facts is None:
            return
        answer.start(events)
        answer.note_facts(facts)
        for choice in chunk.choices or ():
            if choice.index:
                continue
            if choice.delta is not None:
                answer.take(choice.delta, events)
            if choice.finish_reason:
                answer.end(choice.finish_reason, events)

    def _end(self, events: list[StreamEvent]) -> None:
        if not self._answer.stopped:
            raise StreamTruncated("Chat stream ended before finish_reason")
        self._answer.finish(events)

    def _fail(self, fault: WireError, events: list[StreamEvent]) -> None:
        fault.events = tuple(events)
        self._fault = fault


def decode_body(body: bytes) -> Turn:
    """Turn in a whole answer, equal to what the stream of the same answer gives.

    Raises `ProviderError` when the body is an error, `BodyInvalid` when it is neither.
    """
    choice, facts = read_answer(body)
    answer = AnswerEvents()
    events: list[StreamEvent] = []
    answer.take(choice.message, events)
    if choice.finish_reason:
        answer.end(choice.finish_reason, events)
    answer.note_facts(facts)
    answer.finish(events)
    return accumulate(events)


def _again(fault: WireError) -> WireError:
    """`fault` as a new exception without events, which the first one has handed over."""
    twin = type(fault).__new__(type(fault), *fault.args)
    twin.__dict__.update(fault.__dict__)
    twin.events = ()
    return twin
