"""Responses answers that end in every way, differ from what the API reference shows, or fail."""

from __future__ import annotations

import msgspec

from beyond_wire.testing.fixture import DONE, Fields, responses_usage
from beyond_wire.testing.recorded import RecordedTurn
from beyond_wire.testing.responses_turn_parts import (
    CREATED,
    HELLO,
    HELLO_ITEM,
    HELLO_SAID,
    USAGE,
    added,
    arguments,
    arguments_done,
    call,
    called,
    done,
    ended,
    faulty,
    message,
    part,
    reasoning,
    refusal,
    response,
    said,
    stream,
    summary,
    summary_done,
    text,
    thinks,
    turn,
    whole,
)
from beyond_wire.types import (
    ContentBlockStop,
    InputJsonDelta,
    InputJsonFinal,
    MessageStart,
    TextDelta,
    ThinkingDelta,
    TokenUsage,
    ToolUseStart,
)

_CUT = call('{"city"', status="incomplete")
_LONG = call("{}", id="fc_" + "x" * 400, call_id="call|\\1")
_BODY = msgspec.json.encode(response("completed", HELLO_ITEM, usage=USAGE))

ENDED_TURNS: tuple[RecordedTurn, ...] = (
    turn(
        "incomplete-length",
        HELLO,
        (*HELLO_SAID, *ended("max_tokens")),
        HELLO_ITEM,
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    ),
    turn(
        "incomplete-filter",
        HELLO,
        (*HELLO_SAID, *ended("refusal")),
        HELLO_ITEM,
        status="incomplete",
        incomplete_details={"reason": "content_filter"},
    ),
    turn(
        "incomplete-in-a-call",
        (added(0, _CUT), arguments(0, '{"city"'), done(0, _CUT)),
        (*called(0, '{"city"', finals=1), *ended("max_tokens")),
        _CUT,
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    ),
    turn(
        "incomplete-without-a-reason",
        HELLO,
        (*HELLO_SAID, *ended("max_tokens")),
        HELLO_ITEM,
        status="incomplete",
        incomplete_details=None,
    ),
    turn("usage-missing", HELLO, (*HELLO_SAID, *ended(usage=TokenUsage())), HELLO_ITEM, usage=None),
    turn(
        "usage-outside-of-output",
        HELLO,
        (*HELLO_SAID, *ended(usage=TokenUsage(input_tokens=32, output_tokens=309, reasoning_tokens=300))),
        HELLO_ITEM,
        usage={**responses_usage(32, 9, reasoning=300), "total_tokens": 341},
    ),
    turn(
        "usage-more-cached-than-input",
        HELLO,
        (*HELLO_SAID, *ended(usage=TokenUsage(output_tokens=1, cache_read_tokens=9))),
        HELLO_ITEM,
        usage=responses_usage(5, 1, cached=9),
    ),
    turn(
        "usage-odd",
        HELLO,
        (*HELLO_SAID, *ended(usage=TokenUsage(output_tokens=7))),
        HELLO_ITEM,
        usage={"input_tokens": "many", "output_tokens": 7, "input_tokens_details": 3, "output_tokens_details": None},
        odd=True,
    ),
)
"""How an answer ends, and what it costs."""

ODD_TURNS: tuple[RecordedTurn, ...] = (
    turn(
        "done-replaces-deltas",
        (
            added(0, HELLO_ITEM),
            text(0, "Hexxo"),
            done(0, HELLO_ITEM),
            added(1, call("")),
            arguments(1, '{"a"'),
            arguments_done(1, '{"b":1}'),
            done(1, call('{"c":1}')),
        ),
        (
            *said(0, "Hexxo", final="Hello!"),
            ToolUseStart(index=1, id="call_1|fc_1", name="weather"),
            InputJsonDelta(index=1, partial_json='{"a"'),
            InputJsonFinal(index=1, full_json='{"b":1}'),
            InputJsonFinal(index=1, full_json='{"c":1}'),
            ContentBlockStop(index=1),
            *ended("tool_use"),
        ),
        HELLO_ITEM,
        call('{"c":1}'),
    ),
    turn(
        "done-without-content-keeps-deltas",
        (
            added(0, HELLO_ITEM),
            text(0, "Hello!"),
            done(0, message()),
            added(1, call("")),
            arguments(1, "{}"),
            done(1, call("")),
        ),
        (
            TextDelta(index=0, text="Hello!"),
            ContentBlockStop(index=0),
            *called(1, "{}", finals=0),
            *ended("tool_use"),
        ),
        paired=False,
    ),
    turn(
        "items-only-whole",
        (done(0, reasoning("So.")), done(1, HELLO_ITEM), done(2, call("{}"))),
        (
            *thinks(0, reasoning("So."), "So.\n\n"),
            *said(1, final="Hello!"),
            ToolUseStart(index=2, id="call_1|fc_1", name="weather"),
            InputJsonFinal(index=2, full_json="{}"),
            ContentBlockStop(index=2),
            *ended("tool_use"),
        ),
        reasoning("So."),
        HELLO_ITEM,
        call("{}"),
    ),
    turn(
        "items-never-done",
        (
            added(0, reasoning()),
            summary(0, "So."),
            added(1, HELLO_ITEM),
            text(1, "Hello!"),
            added(2, call("")),
            arguments(2, "{}"),
        ),
        (
            ThinkingDelta(index=0, text="So."),
            TextDelta(index=1, text="Hello!"),
            ToolUseStart(index=2, id="call_1|fc_1", name="weather"),
            InputJsonDelta(index=2, partial_json="{}"),
            *[ContentBlockStop(index=index) for index in range(3)],
            *ended("tool_use"),
        ),
        paired=False,
    ),
    turn(
        "refusal-never-done",
        (added(0, HELLO_ITEM), refusal(0, ""), refusal(0, "No.")),
        (
            TextDelta(index=0, text=""),
            TextDelta(index=0, text="No."),
            ContentBlockStop(index=0),
            *ended("refusal"),
        ),
        paired=False,
    ),
    turn(
        "refusal-of-no-words",
        (added(0, HELLO_ITEM), refusal(0, ""), done(0, message(part("", "refusal")))),
        (TextDelta(index=0, text=""), ContentBlockStop(index=0), *ended()),
        message(part("", "refusal")),
    ),
    turn(
        "summary-done-twice",
        (
            added(0, reasoning()),
            summary(0, "So."),
            summary_done(0, "So."),
            summary_done(0, "So."),
            done(0, reasoning("So.")),
        ),
        (*thinks(0, reasoning("So."), "So.", "\n\n"), *ended()),
        reasoning("So."),
    ),
    turn(
        "items-never-opened",
        (arguments(0, "{}"), arguments_done(0, "{}"), text(1, "Hello!"), summary(2, "So."), done(1, HELLO_ITEM)),
        (
            TextDelta(index=0, text="Hello!"),
            ThinkingDelta(index=1, text="So."),
            *said(0, final="Hello!"),
            ContentBlockStop(index=1),
            *ended(),
        ),
        paired=False,
    ),
    turn(
        "pieces-of-another-kind",
        (
            added(0, HELLO_ITEM),
            summary(0, "x"),
            arguments(0, "x"),
            arguments_done(0, "x"),
            added(1, reasoning()),
            text(1, "x"),
            {"type": "response.reasoning_summary_part.done", "output_index": 0},
            done(0, HELLO_ITEM),
            done(1, call("{}")),
        ),
        (
            *said(0, final="Hello!"),
            ContentBlockStop(index=1),
            ToolUseStart(index=2, id="call_1|fc_1", name="weather"),
            InputJsonFinal(index=2, full_json="{}"),
            ContentBlockStop(index=2),
            *ended("tool_use"),
        ),
        paired=False,
        odd=True,
    ),
    turn(
        "two-items-at-one-index",
        (added(0, HELLO_ITEM), text(0, "Hel"), added(0, HELLO_ITEM), text(0, "lo!"), done(0, HELLO_ITEM)),
        (
            TextDelta(index=0, text="Hel"),
            ContentBlockStop(index=0),
            *said(1, "lo!", final="Hello!"),
            *ended(),
        ),
        paired=False,
    ),
    turn(
        "ids-long-and-strange",
        (added(0, _LONG), arguments(0, "{}"), done(0, _LONG)),
        (*called(0, "{}", id="call\\|\\\\1|fc_" + "x" * 400, finals=1), *ended("tool_use")),
        _LONG,
    ),
    turn(
        "ids-missing",
        (
            added(0, call("", call_id=None)),
            done(0, call("{}", call_id=None)),
            added(1, call("", call_id=None, id=None)),
            done(1, call("{}", call_id=None, id=None)),
            done(2, message(part("Hello!"), id=None, phase="thinking")),
        ),
        (
            *called(0, id="fc_1|fc_1", finals=0)[:1],
            InputJsonFinal(index=0, full_json="{}"),
            ContentBlockStop(index=0),
            *called(1, id="call_1", finals=0)[:1],
            InputJsonFinal(index=1, full_json="{}"),
            ContentBlockStop(index=1),
            *said(2, final="Hello!", id=None),
            *ended("tool_use"),
        ),
        call("{}", call_id=None),
        call("{}", call_id=None, id=None),
        message(part("Hello!"), id=None, phase="thinking"),
        odd=True,
    ),
    turn(
        "unknown-events-items-and-fields",
        (
            {"type": "response.new", "delta": {"a": [1]}, "output_index": "x"},
            'data: {"type":["response.output_text.delta"]}',
            'data: {"no_type":true}',
            "data: [1]",
            "data: 7",
            "data:",
            DONE,
            added(0, {"type": "new", "content": 7}),
            text(0, "lost"),
            done(0, {"type": "new", "content": 7}),
            added(1, {"no_type": True}),
            *[{**event, "output_index": 2, "new": {"a": 1}} for event in HELLO],
        ),
        (*HELLO_SAID, *ended()),
        {"type": "new", "content": 7},
        {"no_type": True},
        {**HELLO_ITEM, "new": {"a": 1}},
        odd=True,
    ),
    RecordedTurn(
        name="framing-of-all-kinds",
        stream=b"\xef\xbb\xbf: hello\r\n\r\nid: 1\r\nretry: 5\r"
        + stream(CREATED, *HELLO).replace(b"\n", b"\r\n")
        + b'data: {"type":"response.completed",\r\ndata: "response":\rdata: '
        + _BODY
        + b"\ndata: }",
        events=(MessageStart(), *HELLO_SAID, *ended()),
        body=_BODY,
        odd=True,
    ),
    RecordedTurn(
        name="without-names-and-start",
        stream=stream(*HELLO, whole("completed", usage=USAGE)).replace(b"event: response", b": response"),
        events=(MessageStart(), *HELLO_SAID, *ended()),
        odd=True,
    ),
    RecordedTurn(
        name="only-the-end",
        stream=stream(whole("completed", HELLO_ITEM, usage=USAGE)),
        events=(MessageStart(), *ended()),
    ),
)
"""What servers do beside the reference."""

_FAULT: Fields = {"type": "server_error", "message": "The server had an error", "code": None, "param": None}

FAULTY_TURNS: tuple[RecordedTurn, ...] = (
    RecordedTurn(name="empty", stream=b"", events=(), fault="stream_truncated"),
    faulty("cut", HELLO, HELLO_SAID, "stream_truncated"),
    faulty("cut-by-done", (*HELLO, DONE), HELLO_SAID, "stream_truncated"),
    RecordedTurn(
        name="cut-in-an-event",
        stream=stream(CREATED, *HELLO) + b'data: {"type":"response.comp',
        events=(MessageStart(), *HELLO_SAID),
        fault="stream_truncated",
        odd=True,
    ),
    faulty("json-broken", (*HELLO, "data: {oops", *HELLO), HELLO_SAID, "sse_bad_json"),
    faulty("json-broken-in-a-list", (*HELLO, "data: [1, {oops"), HELLO_SAID, "sse_bad_json"),
    faulty(
        "delta-without-an-index",
        (*HELLO, {"type": "response.output_text.delta", "delta": "x"}),
        HELLO_SAID,
        "sse_bad_json",
    ),
    faulty("call-without-a-name", (added(0, {"type": "function_call", "call_id": "call_1"}),), (), "sse_bad_json"),
    faulty("completed-without-a-response", (*HELLO, {"type": "response.completed"}), HELLO_SAID, "sse_bad_json"),
    faulty(
        "failed",
        (*HELLO, whole("failed", error={"code": "server_error", "message": "no"}, usage=USAGE)),
        HELLO_SAID,
        "provider_error",
    ),
    faulty("failed-without-an-error", (*HELLO, whole("failed")), HELLO_SAID, "provider_error"),
    faulty(
        "error-event",
        (*HELLO, {"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None}),
        HELLO_SAID,
        "provider_error",
    ),
    faulty("error-object-in-an-event", (*HELLO, {"type": "error", "error": _FAULT}), HELLO_SAID, "provider_error"),
    faulty(
        "error-object",
        (*HELLO, f"data: {msgspec.json.encode({'error': _FAULT}).decode()}"),
        HELLO_SAID,
        "provider_error",
    ),
    faulty("error-text", (*HELLO, 'data: {"error":"overloaded"}'), HELLO_SAID, "provider_error"),
    faulty("error-named", (*HELLO, "event: error\ndata: upstream gone"), HELLO_SAID, "provider_error"),
    faulty("error-beside-a-delta", (*HELLO, {**text(0, "x"), "error": _FAULT}), HELLO_SAID, "provider_error"),
)
"""Answers that fail."""
