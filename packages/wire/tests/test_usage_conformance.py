"""Every recorded answer gives exactly its facts, whole and cut."""

from __future__ import annotations

import pytest

from beyond_wire import (
    UsageFacts,
    error_in_tail,
    model_from_body,
    model_from_head,
    usage_from_body,
    usage_from_tail,
)
from beyond_wire.testing.streams import HEAD_BYTES, STREAMS, TAIL_BYTES, Stream

STREAMED = [stream for stream in STREAMS if stream.sse]
WHOLE = [stream for stream in STREAMS if not stream.sse]
SHORT = [stream for stream in STREAMED if len(stream.body) < 4096]


def _name(stream: Stream) -> str:
    return stream.name


def _tail_facts(stream: Stream, body: bytes) -> UsageFacts | None:
    return usage_from_tail(stream.dialect, body[-TAIL_BYTES:], body[:HEAD_BYTES])


def test_table_is_wide() -> None:
    """The table holds at least 45 answers, each under its own name, in both dialects, streamed and whole."""
    assert len(STREAMS) >= 45
    assert len({stream.name for stream in STREAMS}) == len(STREAMS)
    assert {(stream.dialect, stream.sse) for stream in STREAMS} == {
        (dialect, sse) for dialect in ("openai", "anthropic") for sse in (True, False)
    }


@pytest.mark.parametrize("stream", STREAMED, ids=_name)
def test_streamed_answer(stream: Stream) -> None:
    """Tail and head of a stream give its usage, its model and whether it carries an error."""
    assert _tail_facts(stream, stream.body) == stream.usage
    assert model_from_head(stream.body[:HEAD_BYTES]) == stream.model
    assert error_in_tail(stream.body[-TAIL_BYTES:]) is stream.error


@pytest.mark.parametrize("stream", STREAMED, ids=_name)
def test_head_is_needed_only_for_what_the_tail_lost(stream: Stream) -> None:
    """A stream that fits the tail gives the same facts without a head."""
    if len(stream.body) <= TAIL_BYTES:
        assert usage_from_tail(stream.dialect, stream.body) == stream.usage


@pytest.mark.parametrize("stream", WHOLE, ids=_name)
def test_whole_answer(stream: Stream) -> None:
    """A JSON answer gives its usage and model, also from its last 64 KiB when it is longer."""
    longer = len(stream.body) > TAIL_BYTES
    facts = usage_from_body(stream.dialect, stream.body[-TAIL_BYTES:], truncated=longer)
    assert facts == stream.usage
    assert usage_from_body(stream.dialect, stream.body) == stream.usage
    assert model_from_body(stream.body) == stream.model
    assert model_from_head(stream.body[:HEAD_BYTES]) == stream.model


# Without its beginning, an event that was cut cannot be told from what these hold, or an older event is missed.
NOT_WITHOUT_BEGINNING = {
    "anthropic-two-message-deltas",
    "chat-last-usage-lacks-output",
    "framing-comment-quotes-usage",
    "framing-not-json-in-between",
    "usage-not-at-the-root",
}
CUTTABLE = [stream for stream in STREAMED if len(stream.body) < 4096 and stream.name not in NOT_WITHOUT_BEGINNING]


@pytest.mark.parametrize("stream", CUTTABLE, ids=_name)
def test_tail_that_starts_at_any_byte(stream: Stream) -> None:
    """A tail that lost its beginning gives the usage while it holds the last usage object, then none or only input."""
    body = stream.body
    last = max(body.rfind(b'"usage":{'), body.rfind(b'"usage": {'))
    final = stream.usage is not None and stream.usage.output_tokens is not None
    for start in range(1, len(body)):
        found = usage_from_tail(stream.dialect, body[start:], body[:HEAD_BYTES])
        if start <= last and (final or stream.dialect == "openai"):
            assert found == stream.usage, start
        else:
            assert found is None or found.output_tokens in {None, stream.usage and stream.usage.output_tokens}, start


@pytest.mark.parametrize("stream", CUTTABLE, ids=_name)
def test_tail_that_ends_at_any_byte(stream: Stream) -> None:
    """A stream cut anywhere never gives output beyond what the whole one gives, and never raises."""
    most = stream.usage.output_tokens if stream.usage is not None else None
    for end in range(len(stream.body)):
        found = _tail_facts(stream, stream.body[:end])
        if found is not None and found.output_tokens is not None:
            assert most is not None
            assert found.output_tokens <= most
