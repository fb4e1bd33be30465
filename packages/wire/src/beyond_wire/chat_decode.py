"""Chat Completions answers decoded: a stream chunk by chunk, a whole body at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.accumulate import turn_of
from beyond_wire.chat_answer import AnswerEvents
from beyond_wire.chat_read import DONE, chunk_facts, read_answer, read_chunk, read_text
from beyond_wire.decoding import FramedDecoder
from beyond_wire.errors import StreamTruncated
from beyond_wire.provider_errors import provider_error
from beyond_wire.types import TextDelta

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_wire.chat_shapes import Chunk
    from beyond_wire.sse import SseEvent
    from beyond_wire.types import StreamEvent, Turn


class ChatDecoder(FramedDecoder[AnswerEvents]):
    """Events of one streamed answer.

    Usage comes in a chunk of its own, after the finish reason. So usage and stop are held back until `[DONE]`, which
    ends the stream, or until the end of the body, because some providers send no `[DONE]`.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(AnswerEvents())

    def _truncated(self) -> StreamTruncated:
        stopped = self._answer.stopped
        return StreamTruncated(f"Chat stream ended {'inside an event' if stopped else 'before finish_reason'}")

    def _end_of_body(self, events: list[StreamEvent]) -> None:
        self._end(events)

    def _decode(self, frames: Sequence[SseEvent], events: list[StreamEvent]) -> None:
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
            raise self._truncated()
        self._answer.finish(events)


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
    return turn_of(events)
