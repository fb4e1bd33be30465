"""Responses answers decoded: a stream event by event, a whole body at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.accumulate import accumulate
from beyond_wire.envelope import Envelope
from beyond_wire.errors import SseBadJson, SseBadUtf8, StreamTruncated, WireError
from beyond_wire.provider_errors import provider_error
from beyond_wire.responses_answer import AnswerEvents
from beyond_wire.responses_read import (
    failure,
    incomplete_reason,
    read_answer,
    read_event,
    read_streamed_item,
    whole_facts,
)
from beyond_wire.responses_shapes import (
    ArgumentsMore,
    ArgumentsWhole,
    Closed,
    Completed,
    Created,
    Failed,
    Going,
    Incomplete,
    Opened,
    RefusalMore,
    SummaryMore,
    SummaryPartEnd,
    TextMore,
    ThoughtMore,
)
from beyond_wire.sse import SseParser
from beyond_wire.types import TextDelta
from beyond_wire.usage import openai_envelope_facts, usage_from_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_wire.responses_shapes import Event
    from beyond_wire.sse import SseEvent
    from beyond_wire.types import StreamEvent, TokenUsage, Turn

_TRUNCATED = "Responses stream ended before response.completed"


class ResponsesDecoder:
    """Events of one streamed answer, the same for every way to cut its bytes. A `StreamDecoder`.

    A fault ends the stream: it is raised with the events before it, and further calls raise it again without events.
    After `response.completed` or `response.incomplete` all bytes are ignored.
    """

    __slots__ = ("_answer", "_fault", "_finished", "_frames")

    def __init__(self) -> None:
        self._frames = SseParser()
        self._answer = AnswerEvents()
        self._fault: WireError | None = None
        self._finished = False

    def __repr__(self) -> str:
        fault = None if self._fault is None else self._fault.code
        return f"<ResponsesDecoder {self._answer!r} fault={fault} finished={self._finished}>"

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
        """Events that the end of the body completes. Raises `StreamTruncated` before `response.completed`.

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
                raise StreamTruncated(_TRUNCATED) from error
            if not self._answer.done:
                raise StreamTruncated(_TRUNCATED)
        except WireError as error:
            self._fail(error, events)
            raise
        return events

    def _decode(self, frames: Sequence[SseEvent], events: list[StreamEvent]) -> None:
        """Append the events of these frames, up to the end of the answer."""
        answer = self._answer
        items = answer.open
        for frame in frames:
            data = frame.data
            if frame.event == "error" and (refusal := provider_error(data, named=True)) is not None:
                raise refusal
            event = None if data == "[DONE]" else read_event(data)
            if isinstance(event, TextMore):
                # Nearly every event is text of an open message; it is spared a call.
                item = items.get(event.output_index)
                if item is not None and item.kind == "text":
                    events.append(TextDelta(index=item.index, text=event.delta))
                else:
                    answer.say(event.output_index, event.delta, events)
            elif event is not None:
                self._take(event, events)
                if answer.done:
                    return

    def _take(self, event: Event | Envelope, events: list[StreamEvent]) -> None:
        answer = self._answer
        match event:
            case ArgumentsMore():
                answer.argue(event.output_index, event.delta, events)
            case SummaryMore() | ThoughtMore():
                answer.think(event.output_index, event.delta, events, summary=isinstance(event, SummaryMore))
            case TextMore() | RefusalMore():
                answer.say(event.output_index, event.delta, events, refusal=isinstance(event, RefusalMore))
            case ArgumentsWhole():
                answer.argue(event.output_index, event.arguments, events, whole=True)
            case SummaryPartEnd():
                answer.end_summary(event.output_index, events)
            case Opened():
                answer.begin(event.output_index, read_streamed_item(event.item), events)
            case Closed():
                answer.complete(event.output_index, read_streamed_item(event.item), events)
            case Envelope():
                answer.note_facts(openai_envelope_facts(event))
            case Created() | Going() | Completed() | Incomplete() | Failed():
                self._take_reply(event, events)

    def _take_reply(self, event: Created | Going | Completed | Incomplete | Failed, events: list[StreamEvent]) -> None:
        answer = self._answer
        answer.note_facts(whole_facts(event.usage, event.response))
        if isinstance(event, Failed):
            raise failure(event.response)
        answer.start(events)
        if isinstance(event, Completed):
            answer.finish(events)
        elif isinstance(event, Incomplete):
            answer.finish(events, incomplete=True, reason=incomplete_reason(event.response))

    def _fail(self, fault: WireError, events: list[StreamEvent]) -> None:
        fault.events = tuple(events)
        self._fault = fault


def decode_body(body: bytes) -> Turn:
    """Turn in a whole answer, equal to what the stream of the same answer gives.

    Raises `ProviderError` when the body is an error or a failed response, `BodyInvalid` when it is neither.
    """
    reply, items = read_answer(body)
    answer = AnswerEvents()
    events: list[StreamEvent] = []
    for at, item in enumerate(items):
        answer.complete(at, item, events)
    answer.note_facts(usage_from_body("openai", body))
    answer.finish(events, incomplete=reply.status == "incomplete", reason=incomplete_reason(reply))
    return accumulate(events)


def _again(fault: WireError) -> WireError:
    """`fault` as a new exception without events, which the first one has handed over."""
    twin = type(fault).__new__(type(fault), *fault.args)
    twin.__dict__.update(fault.__dict__)
    twin.events = ()
    return twin
