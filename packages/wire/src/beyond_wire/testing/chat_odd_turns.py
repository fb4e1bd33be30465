"""Ends of Chat Completions answers, oddities of single providers, and streams that end in a fault."""

from __future__ import annotations

from beyond_wire.testing.chat_turn_parts import (
    HELLO,
    HELLO_SAID,
    OPEN,
    USAGE,
    answer,
    called,
    chunk,
    ended,
    opening,
    said,
    stop,
    turn,
)
from beyond_wire.testing.fixture import DONE, Fields, chat_usage, named, sse
from beyond_wire.testing.recorded import RecordedTurn
from beyond_wire.types import MessageStart, TextDelta, TokenUsage, ToolUseStart

_NOTHING = TokenUsage()
_EMPTY: Fields = {**chunk(), "choices": []}


def _counted(usage: object, **more: object) -> Fields:
    return {**_EMPTY, "usage": usage, **more}


STOP_TURNS: tuple[RecordedTurn, ...] = (
    turn(
        "stop-length",
        (*HELLO, *stop("length")),
        (*HELLO_SAID, *ended("max_tokens")),
        body=answer("length", content="Hello!"),
    ),
    turn(
        "stop-content-filter",
        (*HELLO, *stop("content_filter")),
        (*HELLO_SAID, *ended("refusal")),
        body=answer("content_filter", content="Hello!"),
    ),
    turn(
        "stop-unknown",
        (*HELLO, *stop("insufficient_system_resource")),
        (*HELLO_SAID, *ended("other", detail="insufficient_system_resource")),
        body=answer("insufficient_system_resource", content="Hello!"),
    ),
    turn(
        "stop-repeated-on-every-chunk",
        (chunk("stop", content="Hello"), chunk("stop", content="!"), *stop()),
        (*HELLO_SAID, *ended()),
    ),
    turn("stop-last-one-wins", (*HELLO, chunk("stop"), *stop("length")), (*HELLO_SAID, *ended("max_tokens"))),
    turn(
        "stop-empty-is-none",
        (chunk("", content="Hello"), chunk("", content="!"), *stop()),
        (*HELLO_SAID, *ended()),
    ),
    turn(
        "refusal",
        (chunk(refusal="I can"), chunk(refusal="not."), *stop()),
        (*said(0, "I can", "not."), *ended("refusal")),
        body=answer(content=None, refusal="I cannot."),
    ),
    turn(
        "refusal-after-text",
        (*HELLO, chunk(refusal="No."), *stop()),
        (*said(0, "Hello", "!", "No."), *ended("refusal")),
        body=answer(content="Hello!", refusal="No."),
    ),
    turn(
        "refusal-beside-text",
        (*HELLO, chunk(content="?", refusal="No."), *stop()),
        (*said(0, "Hello", "!", "?", "No."), *ended("refusal")),
        body=answer(content="Hello!?", refusal="No."),
    ),
    turn(
        "usage-none",
        (*HELLO, chunk("stop"), DONE),
        (*HELLO_SAID, *ended(usage=_NOTHING)),
        body=answer(usage=None, content="Hello!"),
    ),
    turn("usage-on-the-finish", (*HELLO, {**chunk("stop"), "usage": USAGE}, DONE), (*HELLO_SAID, *ended())),
    turn(
        "usage-on-every-chunk",
        (
            *({**chunk(content=text), "usage": chat_usage(25, 7 * n)} for n, text in enumerate(("Hello", "!"))),
            {**chunk("stop"), "usage": chat_usage(25, 15)},
            _counted(USAGE),
            DONE,
        ),
        (*HELLO_SAID, *ended()),
    ),
    turn(
        "usage-null-is-not-zero",
        (*HELLO, chunk("stop"), _counted(USAGE), _counted({"prompt_tokens": None, "completion_tokens": None}), DONE),
        (*HELLO_SAID, *ended()),
    ),
    turn(
        "usage-in-the-choice",
        (*HELLO, {**_EMPTY, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}]}, DONE),
        (*HELLO_SAID, *ended()),
    ),
    turn(
        "usage-in-a-choice-of-text",
        (
            *HELLO,
            {**_EMPTY, "choices": [{"index": 0, "delta": {"content": "?"}, "usage": USAGE}]},
            chunk("stop"),
            DONE,
        ),
        (*said(0, "Hello", "!", "?"), *ended()),
    ),
    turn(
        "usage-in-the-choice-odd",
        (
            *HELLO,
            {
                **_EMPTY,
                "choices": [{"delta": {}, "finish_reason": "stop", "usage": {**USAGE, "input_tokens_details": 7}}],
            },
            DONE,
        ),
        (*HELLO_SAID, *ended()),
    ),
    turn(
        "usage-of-groq-beside-an-odd-one",
        (*HELLO, {**chunk("stop"), "usage": [], "x_groq": {"id": "req_01", "usage": USAGE}}, DONE),
        (*HELLO_SAID, *ended()),
    ),
    turn(
        "usage-of-groq",
        (*HELLO, {**chunk("stop"), "x_groq": {"id": "req_01", "usage": USAGE}}, DONE),
        (*HELLO_SAID, *ended()),
    ),
    turn(
        "usage-reasoning-apart",
        (*HELLO, chunk("stop"), _counted(chat_usage(32, 9, cached=6, reasoning=300, total_tokens=341)), DONE),
        (
            *HELLO_SAID,
            *ended(usage=TokenUsage(input_tokens=26, output_tokens=309, cache_read_tokens=6, reasoning_tokens=300)),
        ),
        body=answer(usage=chat_usage(32, 9, cached=6, reasoning=300, total_tokens=341), content="Hello!"),
    ),
    turn(
        "usage-more-cached-than-sent",
        (*HELLO, chunk("stop"), _counted(chat_usage(5, 9, cached=7)), DONE),
        (*HELLO_SAID, *ended(usage=TokenUsage(output_tokens=9, cache_read_tokens=7))),
        body=answer(usage=chat_usage(5, 9, cached=7), content="Hello!"),
    ),
    turn(
        "usage-odd-counts",
        (
            *HELLO,
            {**chunk("stop"), "usage": {"prompt_tokens": 25, "completion_tokens": "15", "prompt_tokens_details": [1]}},
            _counted({"completion_tokens": 15, "completion_tokens_details": 3}),
            DONE,
        ),
        (*HELLO_SAID, *ended(usage=TokenUsage(input_tokens=25, output_tokens=15))),
        body=answer(
            usage={"prompt_tokens": 25, "completion_tokens": 15, "prompt_tokens_details": [1]}, content="Hello!"
        ),
    ),
)
"""Ends and what they cost."""

_TWO_LINES = """event: chunk
data: {"object":"chat.completion.chunk",
data: "choices":[{"index":0,"delta":{"content":"!"}}]}
: after"""

ODD_TURNS: tuple[RecordedTurn, ...] = (
    turn("done-missing", (*HELLO, *stop()[:-1]), (*HELLO_SAID, *ended())),
    turn("done-between-spaces", (*HELLO, *stop()[:-1], "data:  [DONE] ", "data: {oops"), (*HELLO_SAID, *ended())),
    turn("bytes-after-done", (*HELLO, *stop(), "data: {oops", chunk(content="late")), (*HELLO_SAID, *ended())),
    turn("empty-choices-anywhere", (_EMPTY, HELLO[0], _EMPTY, HELLO[1], _EMPTY, *stop()), (*HELLO_SAID, *ended())),
    turn(
        "comments-ids-and-lines",
        (": OPENROUTER PROCESSING\nretry: 3000\nid: 1", HELLO[0], _TWO_LINES, *stop()),
        (*HELLO_SAID, *ended()),
    ),
    turn(
        "unknown-everything",
        (
            {"type": "ping"},
            ("heartbeat", {"choices": None}),
            "data: 7",
            'data: {"type":["text"],"model":7}',
            "data:",
            "data:   ",
            {**HELLO[0], "obfuscation": "xyz", "choices_2": 1},
            chunk(content="!", audio={"id": "audio_1", "data": "aGk="}, annotations=[]),
            *stop(),
        ),
        (*HELLO_SAID, *ended()),
    ),
    turn(
        "other-choices",
        (
            *HELLO,
            {**_EMPTY, "choices": [{"index": 1, "delta": {"content": "No"}}]},
            {**_EMPTY, "choices": [{"index": 1, "delta": {"content": "No"}, "finish_reason": "length"}]},
            {**_EMPTY, "choices": [{"index": 1, "delta": {"content": "No"}}, {"delta": {"content": "?"}}]},
            *stop(),
        ),
        (*said(0, "Hello", "!", "?"), *ended()),
    ),
    turn(
        "delta-null", (*HELLO, {**_EMPTY, "choices": [{"index": 0, "delta": None}]}, *stop()), (*HELLO_SAID, *ended())
    ),
    turn(
        "error-null-is-none",
        ({**HELLO[0], "error": None}, {**HELLO[1], "error": None}, *stop()),
        (*HELLO_SAID, *ended()),
    ),
    RecordedTurn(
        name="azure-filter-first",
        stream=sse(_counted(None, prompt_filter_results=[{"prompt_index": 0}]), OPEN, *HELLO, *stop()),
        events=(MessageStart(), *HELLO_SAID, *ended()),
    ),
    RecordedTurn(
        name="bom-and-cr-line-ends",
        stream=b"\xef\xbb\xbf" + sse(OPEN, *HELLO, *stop()).replace(b"\n", b"\r"),
        events=(MessageStart(), *HELLO_SAID, *ended()),
    ),
    RecordedTurn(
        name="crlf-line-ends",
        stream=sse(OPEN, *HELLO, *stop()).replace(b"\n", b"\r\n"),
        events=(MessageStart(), *HELLO_SAID, *ended()),
    ),
    RecordedTurn(
        name="no-last-blank-line",
        stream=sse(OPEN, *HELLO, *stop()).rstrip(b"\n"),
        events=(MessageStart(), *HELLO_SAID, *ended()),
    ),
)
"""What is legal and rare."""

_FAULT: Fields = {"message": "The server had an error", "type": "server_error", "param": None, "code": None}
_BEGUN = (TextDelta(index=0, text="Hello"), TextDelta(index=0, text="!"))

FAULTY_TURNS: tuple[RecordedTurn, ...] = (
    RecordedTurn(name="empty", stream=b"", events=(), fault="stream_truncated"),
    RecordedTurn(name="only-done", stream=sse(DONE), events=(), fault="stream_truncated"),
    RecordedTurn(name="error-first", stream=sse({"error": _FAULT}), events=(), fault="provider_error"),
    RecordedTurn(name="no-chunk", stream=sse({"type": "ping"}, "data: {}"), events=(), fault="stream_truncated"),
    RecordedTurn(
        name="another-dialect",
        stream=sse(
            named({"type": "message_start", "message": {"usage": {"input_tokens": 25}}}),
            named({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 15}}),
            named({"type": "message_stop"}),
        ),
        events=(),
        fault="stream_truncated",
    ),
    turn("no-finish", HELLO, _BEGUN, fault="stream_truncated"),
    turn("no-finish-before-done", (*HELLO, _counted(USAGE), DONE), _BEGUN, fault="stream_truncated"),
    turn("no-finish-of-a-call", (opening(0, "a", "f"), DONE), called(0, "a", "f")[:-1], fault="stream_truncated"),
    turn("error-object", (*HELLO, {"error": _FAULT}, *stop()), _BEGUN, fault="provider_error"),
    turn("error-typed", (*HELLO, {"type": "error", "error": _FAULT}), _BEGUN, fault="provider_error"),
    turn("error-flat", (*HELLO, {"type": "error", "code": "x", "message": "No"}), _BEGUN, fault="provider_error"),
    turn("error-flat-beside-text", (*HELLO, {**chunk(content="?"), "type": "error"}), _BEGUN, fault="provider_error"),
    turn("error-text", (*HELLO, {"error": "overloaded"}), _BEGUN, fault="provider_error"),
    turn("error-named", (*HELLO, ("error", {"code": 500})), _BEGUN, fault="provider_error"),
    turn("error-named-not-json", (*HELLO, "event: error\ndata: gone"), _BEGUN, fault="provider_error"),
    turn("error-named-like-text", (HELLO[0], ("error", HELLO[1])), _BEGUN[:1], fault="provider_error"),
    turn(
        "error-beside-choices",
        (*HELLO, {**chunk("error", content="?"), "error": {"code": 502, "message": "Provider disconnected"}}),
        _BEGUN,
        fault="provider_error",
    ),
    turn(
        "error-beside-text",
        (*HELLO, {**chunk(content="?"), "error": "gone"}),
        _BEGUN,
        fault="provider_error",
    ),
    turn(
        "error-of-groq",
        (*HELLO, {**chunk(content="?"), "x_groq": {"id": "req_01", "error": "over capacity"}}),
        _BEGUN,
        fault="provider_error",
    ),
    turn(
        "error-after-the-finish",
        (*HELLO, chunk("stop"), {"error": _FAULT}, DONE),
        _BEGUN,
        fault="provider_error",
    ),
    turn("not-json", (*HELLO, "data: {oops", *stop()), _BEGUN, fault="sse_bad_json"),
    turn("not-json-and-no-object", (*HELLO, "data: [1, oops", *stop()), _BEGUN, fault="sse_bad_json"),
    turn("choices-of-no-shape", (*HELLO, {**chunk(), "choices": "none"}), _BEGUN, fault="sse_bad_json"),
    turn("content-of-no-shape", (*HELLO, chunk(content=7)), _BEGUN, fault="sse_bad_json"),
    turn(
        "call-of-no-shape",
        (opening(0, "call_a", "f"), chunk(tool_calls=[{"index": "first"}])),
        (ToolUseStart(index=0, id="call_a", name="f"),),
        fault="sse_bad_json",
    ),
    RecordedTurn(
        name="not-utf-8",
        stream=sse(OPEN, *HELLO) + b"data: \xff\n\n" + sse(*stop()),
        events=(MessageStart(), *_BEGUN),
        fault="sse_bad_utf8",
    ),
    RecordedTurn(
        name="cut-inside-an-event",
        stream=sse(OPEN, *HELLO) + b'data: {"choices":[{"ind',
        events=(MessageStart(), *_BEGUN),
        fault="stream_truncated",
    ),
    RecordedTurn(
        name="cut-inside-a-character",
        stream=sse(OPEN, *HELLO) + b'data: {"choices":[],"x":"\xf0\x9f',
        events=(MessageStart(), *_BEGUN),
        fault="stream_truncated",
    ),
    RecordedTurn(
        name="cut-inside-the-usage",
        stream=sse(OPEN, *HELLO, chunk("stop")) + b'data: {"choices":[],"usage":{"prompt_to',
        events=(MessageStart(), *_BEGUN),
        fault="stream_truncated",
    ),
)
"""Streams that end in a fault, and what comes before it."""
