"""Anthropic answers decoded: a stream event by event, a whole body at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.accumulate import accumulate
from beyond_wire.anthropic_answer import AnswerEvents
from beyond_wire.anthropic_read import read_answer, read_event
from beyond_wire.anthropic_shapes import Closed, Done, Ended, Grown, Opened, Started, TextMore
from beyond_wire.errors import StreamTruncated, WireError
from beyond_wire.provider_errors import provider_error
from beyond_wire.sse import SseParser
from beyond_wire.types import TextDelta
from beyond_wire.usage import usage_from_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_wire.anthropic_shapes import Event
    from beyond_wire.sse import SseEvent
    from beyond_wire.types import StreamEvent, TokenUsage, Turn


class AnthropicDecoder:
    """Events of one streamed answer, the same for every way to cut its bytes. A `StreamDecoder`.

    A fault ends the stream: it is raised with the events before it, and further calls raise it again without events.
    After `message_stop` all bytes are ignored.
    """

    __slots__ = ("_answer", "_fault", "_finished", "_frames")

    def __init__(self) -> None:
        self._frames = SseParser()
        self._answer = AnswerEvents()
        self._fault: WireError | None = None
        self._finished = False

    def __repr__(self) -> str:
        fault = None if self._fault is None else self._fault.code
        return f"<AnthropicDecoder {self._answer!r} fault={fault} finished={self._finished}>"

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
        return self._decode(frames, fault)

    def finish(self) -> list[StreamEvent]:
        """Events that the end of the body completes. Raises `StreamTruncated` before `message_stop`."""
        self._finished = True
        if self._answer.done:
            return []
        if self._fault is not None:
            raise _again(self._fault)
        try:
            frames, fault = self._frames.finish(), StreamTruncated("Anthropic stream ended before message_stop")
        except WireError as error:
            frames, fault = error.events, error
        return self._decode(frames, fault)

    def _decode(self, frames: Sequence[SseEvent], fault: WireError | None) -> list[StreamEvent]:
        """Events of these frames; then `fault`, unless the answer was complete before it."""
        events: list[StreamEvent] = []
        answer = self._answer
        texts = answer.texts
        try:
            for frame in frames:
                data = frame.data
                if frame.event == "error" and (refusal := provider_error(data, named=True)) is not None:
                    raise refusal
                event = None if data == "[DONE]" else read_event(data)
                if isinstance(event, Grown):
                    # Nearly every event is text of an open block; it is spared a call.
                    delta = event.delta
                    if isinstance(delta, TextMore) and (index := texts.get(event.index)) is not None:
                        events.append(TextDelta(index=index, text=delta.text))
                    else:
                        answer.grow(event.index, delta, events)
                elif event is not None:
                    self._take(event, events)
                    if answer.done:
                        return events
            if fault is not None:
                raise fault
        except WireError as error:
            error.events = tuple(events)
            self._fault = error
            raise
        return events

    def _take(self, event: Event, events: list[StreamEvent]) -> None:
        answer = self._answer
        match event:
            case Opened():
                answer.open(event.index, event.content_block, events)
            case Closed():
                answer.close(event.index, events)
            case Started():
                answer.start(events)
                answer.note_usage(None if event.message is None else event.message.usage)
            case Ended():
                answer.note_usage(event.usage)
                if event.delta is not None:
                    answer.end(event.delta)
            case Done():
                answer.finish(events)
            case _:
                pass


def decode_body(body: bytes) -> Turn:
    """Turn in a whole answer, equal to what the stream of the same answer gives.

    Raises `ProviderError` when the body is an error, `BodyInvalid` when it is neither.
    """
    stop, blocks = read_answer(body)
    answer = AnswerEvents()
    events: list[StreamEvent] = []
    for at, block in enumerate(blocks):
        answer.open(at, block, events)
        answer.close(at, events)
    answer.note_facts(usage_from_body("anthropic", body))
    answer.end(stop)
    answer.finish(events)
    return accumulate(events)


def _again(fault: WireError) -> WireError:
    """`fault` as a new exception without events, which the first one has handed over."""
    twin = type(fault).__new__(type(fault), *fault.args)
    twin.__dict__.update(fault.__dict__)
    twin.events = ()
    return twin
