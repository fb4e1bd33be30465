"""Anthropic answers decoded: a stream event by event, a whole body at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.accumulate import turn_of
from beyond_wire.anthropic_answer import AnswerEvents
from beyond_wire.anthropic_read import decode_event, read_answer, read_misfit
from beyond_wire.anthropic_shapes import Closed, Done, Ended, Grown, Opened, Started, TextMore
from beyond_wire.decoding import FramedDecoder
from beyond_wire.errors import StreamTruncated
from beyond_wire.provider_errors import provider_error, raise_provider_error
from beyond_wire.types import TextDelta
from beyond_wire.usage import usage_from_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_wire.anthropic_shapes import Event
    from beyond_wire.sse import SseEvent
    from beyond_wire.types import StreamEvent, Turn


class AnthropicDecoder(FramedDecoder[AnswerEvents]):
    """Events of one streamed answer; `message_stop` is its end."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(AnswerEvents())

    def _truncated(self) -> StreamTruncated:
        return StreamTruncated("Anthropic stream ended before message_stop")

    def _decode(self, frames: Sequence[SseEvent], events: list[StreamEvent]) -> None:
        answer = self._answer
        texts, read, append = answer.texts, decode_event, events.append
        for frame in frames:
            data = frame.data
            if frame.event == "error" and (refusal := provider_error(data, named=True)) is not None:
                raise refusal
            try:
                event = read(data)
            except (ValueError, RecursionError) as misfit:
                event = read_misfit(data, misfit)
            if event is None:
                continue
            if event.error is not None:
                raise_provider_error(data)
            if type(event) is Grown:
                # Nearly every event is text of an open block; it is spared a call.
                delta = event.delta
                if type(delta) is TextMore and (index := texts.get(event.index)) is not None:
                    append(TextDelta(index=index, text=delta.text))
                else:
                    answer.grow(event.index, delta, events)
            else:
                self._take(event, events)
                if answer.done:
                    return

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
    return turn_of(events)
