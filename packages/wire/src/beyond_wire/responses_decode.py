"""Responses answers decoded: a stream event by event, a whole body at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.accumulate import turn_of
from beyond_wire.decoding import FramedDecoder
from beyond_wire.envelope import Envelope
from beyond_wire.errors import StreamTruncated
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
from beyond_wire.types import TextDelta
from beyond_wire.usage import openai_envelope_facts, usage_from_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_wire.responses_shapes import Event
    from beyond_wire.sse import SseEvent
    from beyond_wire.types import StreamEvent, Turn


class ResponsesDecoder(FramedDecoder[AnswerEvents]):
    """Events of one streamed answer; `response.completed` or `response.incomplete` is its end."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(AnswerEvents())

    def _truncated(self) -> StreamTruncated:
        return StreamTruncated("Responses stream ended before response.completed")

    def _decode(self, frames: Sequence[SseEvent], events: list[StreamEvent]) -> None:
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
    return turn_of(events)
