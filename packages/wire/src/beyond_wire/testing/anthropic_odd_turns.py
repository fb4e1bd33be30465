"""Anthropic answers that end in every way, differ from what the API reference shows, or fail."""

from __future__ import annotations

from beyond_wire.testing.anthropic_streams import OPEN, PING, STOP, start, text
from beyond_wire.testing.anthropic_turn_parts import (
    CLOSE,
    HELLO,
    HELLO_BLOCK,
    HELLO_SAID,
    answer,
    close,
    delta,
    end,
    ended,
    said,
    turn,
)
from beyond_wire.testing.fixture import DONE, Fields, named, sse
from beyond_wire.testing.recorded import RecordedTurn
from beyond_wire.types import MessageStart, StopReason, TokenUsage

_ALL_USAGE: Fields = {
    "input_tokens": 2095,
    "cache_creation_input_tokens": 248,
    "cache_read_input_tokens": 1800,
    "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
    "output_tokens_details": {"thinking_tokens": 300},
    "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
}
_ALL_COUNTED = TokenUsage(
    input_tokens=2095,
    output_tokens=503,
    cache_read_tokens=1800,
    cache_write_tokens=248,
    cache_write_1h_tokens=100,
    reasoning_tokens=300,
)
_NO: Fields = {"type": "refusal", "category": "cyber", "explanation": "That could harm people."}

_STOPS: tuple[tuple[str, StopReason], ...] = (
    ("max_tokens", "max_tokens"),
    ("stop_sequence", "stop_sequence"),
    ("sensitive", "refusal"),
    ("pause_turn", "other"),
    ("model_context_window_exceeded", "other"),
    ("aborted", "other"),
)

STOP_TURNS: tuple[RecordedTurn, ...] = (
    *[
        turn(
            f"stop-{word}",
            (*HELLO, end(word), STOP),
            (*HELLO_SAID, *ended(reason, detail=word if reason == "other" else None)),
            body=answer(HELLO_BLOCK, reason=word),
        )
        for word, reason in _STOPS
    ],
    turn(
        "refusal-explained",
        (*HELLO, end("refusal", details=_NO), STOP),
        (*HELLO_SAID, *said(1, "That could harm people."), *ended("refusal")),
        body=answer(HELLO_BLOCK, reason="refusal", stop_details=_NO),
    ),
    turn(
        "refusal-not-explained",
        (end("refusal", details={**_NO, "explanation": None}), STOP),
        ended("refusal"),
        body=answer(reason="refusal", stop_details={**_NO, "explanation": None}),
    ),
    turn("stop-never-named", (*HELLO, end(None), STOP), (*HELLO_SAID, *ended()), body=answer(HELLO_BLOCK, reason=None)),
    turn("stop-named-before-null", (*HELLO, end("max_tokens"), end(None), STOP), (*HELLO_SAID, *ended("max_tokens"))),
    turn(
        "usage-all-counts",
        (*HELLO, end(outputs=503, **_ALL_USAGE), STOP),
        (*HELLO_SAID, *ended(usage=_ALL_COUNTED)),
        body=answer(HELLO_BLOCK, usage={"output_tokens": 503, **_ALL_USAGE}),
    ),
    turn(
        "usage-last-known-wins",
        (*HELLO, end(outputs=5, cache_read_input_tokens=7), end(outputs=9, input_tokens=None), STOP),
        (*HELLO_SAID, *ended(usage=TokenUsage(input_tokens=25, output_tokens=9, cache_read_tokens=7))),
    ),
    turn(
        "usage-odd-counts",
        (*HELLO, end(outputs=9, input_tokens="7", cache_read_input_tokens=-1, cache_creation=[]), STOP),
        (*HELLO_SAID, *ended(outputs=9)),
    ),
)
"""Ends and what they cost."""

_TWO_LINES = """event: content_block_delta
data: {"type":"content_block_delta","index":0,
data: "delta":{"type":"text_delta","text":"!"}}
: after"""

ODD_TURNS: tuple[RecordedTurn, ...] = (
    turn(
        "delta-null-beside-odd-usage",
        (
            *HELLO,
            named({"type": "message_delta", "delta": None, "usage": {"output_tokens": 15, "cache_creation": 7}}),
            STOP,
        ),
        (*HELLO_SAID, *ended()),
    ),
    turn(
        "unknown-everything",
        (
            named({"type": "content_moderation", "index": 0}),
            OPEN,
            delta(0, type="audio_delta", audio="aGk="),
            text("Hi"),
            "data: 7",
            'data: {"no_type":true}',
            'data: {"type":["text"]}',
            "data:",
            CLOSE,
            end(),
            STOP,
        ),
        (*said(0, "Hi"), *ended()),
    ),
    turn(
        "comments-ids-and-lines",
        (
            ": hello\nretry: 3000\nid: 1",
            *HELLO[:2],
            _TWO_LINES,
            CLOSE,
            end(),
            STOP,
        ),
        (*HELLO_SAID, *ended()),
    ),
    turn("done-mark", (*HELLO, DONE, end(), STOP, DONE), (*HELLO_SAID, *ended())),
    turn("bytes-after-the-end", (*HELLO, end(), STOP, "data: {oops", PING, text("late")), (*HELLO_SAID, *ended())),
    turn("never-opened", (text("Hello"), text("!"), end(), STOP), (*HELLO_SAID, *ended())),
    turn("never-closed", (*HELLO[:-1], end(), STOP), (*HELLO_SAID, *ended())),
    turn(
        "opened-twice",
        (*HELLO[:-1], OPEN, text("Bye"), CLOSE, end(), STOP),
        (*HELLO_SAID, *said(1, "Bye"), *ended()),
    ),
    turn(
        "pieces-that-do-not-fit",
        (
            *HELLO[:-1],
            delta(0, type="thinking_delta", thinking="no"),
            delta(0, type="input_json_delta", partial_json="{}"),
            CLOSE,
            close(7),
            end(),
            STOP,
        ),
        (*HELLO_SAID, *ended()),
    ),
    RecordedTurn(
        name="no-message-start",
        stream=sse(*HELLO, end(input_tokens=25), STOP),
        events=(MessageStart(), *HELLO_SAID, *ended()),
    ),
    RecordedTurn(
        name="no-last-blank-line",
        stream=sse(start(input_tokens=25), *HELLO, end(), STOP).rstrip(b"\n"),
        events=(MessageStart(), *HELLO_SAID, *ended()),
    ),
)
"""Streams that differ from what the API reference shows."""

_OVERLOADED: Fields = {"type": "overloaded_error", "message": "Overloaded"}

FAULTY_TURNS: tuple[RecordedTurn, ...] = (
    turn(
        "error-event",
        (*HELLO[:-1], named({"type": "error", "error": _OVERLOADED})),
        HELLO_SAID[:-1],
        fault="provider_error",
    ),
    turn("error-object", (*HELLO[:-1], {"error": _OVERLOADED}), HELLO_SAID[:-1], fault="provider_error"),
    turn("error-text", (*HELLO[:-1], {"error": "Overloaded"}), HELLO_SAID[:-1], fault="provider_error"),
    turn(
        "error-with-code",
        (*HELLO[:-1], {"type": "error", "code": "overloaded_error", "message": "Overloaded"}),
        HELLO_SAID[:-1],
        fault="provider_error",
    ),
    turn("error-not-json", (*HELLO[:-1], "event: error\ndata: gone"), HELLO_SAID[:-1], fault="provider_error"),
    turn(
        "error-beside-a-type",
        (*HELLO[:-1], {"type": "message_delta", "error": _OVERLOADED}),
        HELLO_SAID[:-1],
        fault="provider_error",
    ),
    turn("json-array-cut", (*HELLO[:-1], "data: [7,"), HELLO_SAID[:-1], fault="sse_bad_json"),
    turn("json-cut", (*HELLO[:-1], 'data: {"type":"ping"'), HELLO_SAID[:-1], fault="sse_bad_json"),
    turn(
        "index-of-a-wrong-type",
        (*HELLO[:-1], 'data: {"type":"content_block_stop","index":"0"}'),
        HELLO_SAID[:-1],
        fault="sse_bad_json",
    ),
    turn("text-null", (*HELLO[:-1], delta(0, type="text_delta", text=None)), HELLO_SAID[:-1], fault="sse_bad_json"),
    turn("no-end", (*HELLO,), HELLO_SAID, fault="stream_truncated"),
    turn("no-message-stop", (*HELLO, end()), HELLO_SAID, fault="stream_truncated"),
    RecordedTurn(name="empty", stream=b"", events=(), fault="stream_truncated"),
)
"""Streams that end in a fault, with the events before it."""
