"""Tool calls of Chat Completions answers, alone and several, as the many providers stream them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.testing.chat_turn_parts import (
    HELLO,
    HELLO_SAID,
    answer,
    call,
    called,
    chunk,
    ended,
    opening,
    piece,
    said,
    stop,
    turn,
)
from beyond_wire.types import ContentBlockStop, InputJsonDelta, TextDelta, ToolUseStart

if TYPE_CHECKING:
    from beyond_wire.testing.recorded import RecordedTurn

_WEATHER = called(0, "call_a", "weather", '{"city": "Os', 'lo"}')
_WEATHER_CALL = call("call_a", "weather", '{"city": "Oslo"}')
_TIME_CALL = call("call_b", "time", '{"zone": "CET"}')
_BOTH = (
    ToolUseStart(index=0, id="call_a", name="weather"),
    InputJsonDelta(index=0, partial_json='{"city": "Oslo"}'),
    ToolUseStart(index=1, id="call_b", name="time"),
    InputJsonDelta(index=1, partial_json='{"zone": "CET"}'),
    ContentBlockStop(index=0),
    ContentBlockStop(index=1),
    *ended("tool_use"),
)

CALL_TURNS: tuple[RecordedTurn, ...] = (
    turn(
        "one-call",
        (
            opening(0, "call_a", "weather"),
            chunk(tool_calls=[piece(0, '{"city": "Os')]),
            chunk(tool_calls=[piece(0, 'lo"}')]),
            *stop("tool_calls"),
        ),
        (*_WEATHER, *ended("tool_use")),
        body=answer("tool_calls", content=None, tool_calls=[_WEATHER_CALL]),
    ),
    turn(
        "text-then-a-call",
        (*HELLO, opening(0, "call_a", "weather"), chunk(tool_calls=[piece(0, "{}")]), *stop("tool_calls")),
        (*HELLO_SAID, *called(1, "call_a", "weather", "{}"), *ended("tool_use")),
        body=answer("tool_calls", content="Hello!", tool_calls=[call("call_a", "weather", "{}")]),
    ),
    turn(
        "text-after-a-call",
        (opening(0, "call_a", "weather"), *HELLO, chunk(tool_calls=[piece(0, "{}")]), *stop("tool_calls")),
        (
            ToolUseStart(index=0, id="call_a", name="weather"),
            TextDelta(index=1, text="Hello"),
            TextDelta(index=1, text="!"),
            ContentBlockStop(index=1),
            InputJsonDelta(index=0, partial_json="{}"),
            ContentBlockStop(index=0),
            *ended("tool_use"),
        ),
    ),
    turn(
        "parallel-calls",
        (
            opening(0, "call_a", "weather"),
            chunk(tool_calls=[piece(0, '{"city": "Oslo"}')]),
            opening(1, "call_b", "time"),
            chunk(tool_calls=[piece(1, '{"zone": "CET"}')]),
            *stop("tool_calls"),
        ),
        _BOTH,
        body=answer("tool_calls", content=None, tool_calls=[_WEATHER_CALL, _TIME_CALL]),
    ),
    turn(
        "parallel-calls-interleaved",
        (
            chunk(tool_calls=[piece(0, "", "call_a", "weather"), piece(1, "", "call_b", "time")]),
            chunk(tool_calls=[piece(1, '{"zone"'), piece(0, '{"city"')]),
            chunk(tool_calls=[piece(1, ": 1}"), piece(0, ": 2}")]),
            *stop("tool_calls"),
        ),
        (
            ToolUseStart(index=0, id="call_a", name="weather"),
            ToolUseStart(index=1, id="call_b", name="time"),
            InputJsonDelta(index=1, partial_json='{"zone"'),
            InputJsonDelta(index=0, partial_json='{"city"'),
            InputJsonDelta(index=1, partial_json=": 1}"),
            InputJsonDelta(index=0, partial_json=": 2}"),
            ContentBlockStop(index=0),
            ContentBlockStop(index=1),
            *ended("tool_use"),
        ),
        body=answer(
            "tool_calls",
            content=None,
            tool_calls=[call("call_a", "weather", '{"city": 2}'), call("call_b", "time", '{"zone": 1}')],
        ),
    ),
    turn(
        "calls-all-at-index-0",
        (
            opening(0, "call_a", "weather", '{"city": "Oslo"}'),
            opening(0, "call_b", "time", '{"zone": "CET"}'),
            *stop("tool_calls"),
        ),
        _BOTH,
        body=answer("tool_calls", content=None, tool_calls=[_WEATHER_CALL, _TIME_CALL]),
    ),
    turn(
        "calls-without-an-index",
        (
            chunk(tool_calls=[_WEATHER_CALL, _TIME_CALL]),
            *stop("tool_calls"),
        ),
        _BOTH,
        body=answer("tool_calls", content=None, tool_calls=[_WEATHER_CALL, _TIME_CALL]),
    ),
    turn(
        "id-on-every-piece",
        (
            opening(0, "call_a", "weather", '{"city": "Os'),
            opening(0, "call_a", "weather", 'lo"}'),
            *stop("tool_calls"),
        ),
        (*_WEATHER, *ended("tool_use")),
        body=answer("tool_calls", content=None, tool_calls=[_WEATHER_CALL]),
    ),
    turn(
        "ids-take-turns-at-index-0",
        (
            opening(0, "call_a", "weather", "{"),
            opening(0, "call_b", "time", "{"),
            chunk(tool_calls=[piece(0, "}", "call_a")]),
            chunk(tool_calls=[piece(0, "}", "call_b")]),
            *stop("tool_calls"),
        ),
        (
            ToolUseStart(index=0, id="call_a", name="weather"),
            InputJsonDelta(index=0, partial_json="{"),
            ToolUseStart(index=1, id="call_b", name="time"),
            InputJsonDelta(index=1, partial_json="{"),
            InputJsonDelta(index=0, partial_json="}"),
            InputJsonDelta(index=1, partial_json="}"),
            ContentBlockStop(index=0),
            ContentBlockStop(index=1),
            *ended("tool_use"),
        ),
    ),
    turn(
        "same-id-at-two-indexes",
        (opening(0, "call_0", "weather", "{}"), opening(1, "call_0", "time", "{}"), *stop("tool_calls")),
        (
            ToolUseStart(index=0, id="call_0", name="weather"),
            InputJsonDelta(index=0, partial_json="{}"),
            ToolUseStart(index=1, id="call_0", name="time"),
            InputJsonDelta(index=1, partial_json="{}"),
            ContentBlockStop(index=0),
            ContentBlockStop(index=1),
            *ended("tool_use"),
        ),
        body=answer(
            "tool_calls",
            content=None,
            tool_calls=[{"index": 0, **call("call_0", "weather", "{}")}, {"index": 1, **call("call_0", "time", "{}")}],
        ),
    ),
    turn(
        "call-without-an-id",
        (chunk(tool_calls=[piece(0, '{"a"', "", "f")]), chunk(tool_calls=[piece(0, ":1}")]), *stop("tool_calls")),
        (*called(0, "call_0", "f", '{"a"', ":1}"), *ended("tool_use")),
        body=answer("tool_calls", content=None, tool_calls=[piece(0, '{"a":1}', None, "f")]),
    ),
    turn(
        "name-after-the-arguments",
        (
            chunk(tool_calls=[{"index": 0}]),
            chunk(tool_calls=[piece(0, '{"a"')]),
            chunk(tool_calls=[piece(0, ":1", "call_a")]),
            chunk(tool_calls=[piece(0, "}", "call_a", "f")]),
            *stop("tool_calls"),
        ),
        (*called(0, "call_a", "f", '{"a":1}'), *ended("tool_use")),
        body=answer("tool_calls", content=None, tool_calls=[call("call_a", "f", '{"a":1}')]),
    ),
    turn(
        "name-and-id-after-the-arguments",
        (
            chunk(tool_calls=[piece(0, '{"a"')]),
            chunk(tool_calls=[piece(0, ":1}", "call_a", "f")]),
            *stop("tool_calls"),
        ),
        (*called(0, "call_a", "f", '{"a":1}'), *ended("tool_use")),
    ),
    turn(
        "call-without-an-id-then-one-with-it",
        (chunk(tool_calls=[piece(0, "{}", None, "f")]), opening(0, "call_b", "g"), *stop("tool_calls")),
        (
            ToolUseStart(index=0, id="call_0", name="f"),
            InputJsonDelta(index=0, partial_json="{}"),
            ToolUseStart(index=1, id="call_b", name="g"),
            ContentBlockStop(index=0),
            ContentBlockStop(index=1),
            *ended("tool_use"),
        ),
    ),
    turn(
        "calls-beside-text",
        (*HELLO, chunk(content="?", tool_calls=[piece(0, "{}", "call_a", "f")]), *stop("tool_calls")),
        (*said(0, "Hello", "!", "?"), *called(1, "call_a", "f", "{}"), *ended("tool_use")),
        body=answer("tool_calls", content="Hello!?", tool_calls=[call("call_a", "f", "{}")]),
    ),
    turn(
        "function-call-beside-text",
        (*HELLO, chunk(content="?", function_call={"name": "f", "arguments": "{}"}), *stop("function_call")),
        (*said(0, "Hello", "!", "?"), *called(1, "call_1", "f", "{}"), *ended("tool_use")),
        body=answer("function_call", content="Hello!?", function_call={"name": "f", "arguments": "{}"}),
    ),
    turn(
        "id-after-the-name",
        (
            chunk(tool_calls=[piece(0, '{"a"', None, "f")]),
            chunk(tool_calls=[piece(0, ":1}", "call_a")]),
            chunk(tool_calls=[piece(0, " ", "call_a")]),
            *stop("tool_calls"),
        ),
        (*called(0, "call_0", "f", '{"a"', ":1}", " "), *ended("tool_use")),
    ),
    turn(
        "call-never-named",
        (
            chunk(tool_calls=[piece(0, '{"a"', "call_a")]),
            chunk(tool_calls=[piece(0, ":1}"), {"index": 1}]),
            *stop("tool_calls"),
        ),
        (*called(0, "call_a", "", '{"a":1}'), *ended("tool_use")),
        body=answer("tool_calls", content=None, tool_calls=[{"id": "call_a", "function": {"arguments": '{"a":1}'}}]),
    ),
    turn(
        "call-after-the-finish",
        (
            opening(0, "call_a", "f", "{}"),
            chunk("tool_calls"),
            chunk(tool_calls=[piece(0, "late", "call_a")]),
            chunk(tool_calls=[piece(0, "late")]),
            chunk(tool_calls=[piece(0, "{}", None, "g")]),
            *stop("tool_calls"),
        ),
        (*called(0, "call_a", "f", "{}"), *called(1, "call_1", "g", "{}"), *ended("tool_use")),
    ),
    turn(
        "arguments-empty",
        (opening(0, "call_a", "now"), *stop("tool_calls")),
        (*called(0, "call_a", "now"), *ended("tool_use")),
        body=answer("tool_calls", content=None, tool_calls=[call("call_a", "now", "")]),
    ),
    turn(
        "arguments-broken",
        (opening(0, "call_a", "f", '{"a": '), *stop("tool_calls")),
        (*called(0, "call_a", "f", '{"a": '), *ended("tool_use")),
        body=answer("tool_calls", content=None, tool_calls=[call("call_a", "f", '{"a": ')]),
    ),
    turn(
        "function-call-of-old",
        (
            chunk(content=None, function_call={"name": "f", "arguments": ""}),
            chunk(function_call={"arguments": '{"a":1}'}),
            *stop("function_call"),
        ),
        (*called(0, "call_0", "f", '{"a":1}'), *ended("tool_use")),
        body=answer("function_call", content=None, function_call={"name": "f", "arguments": '{"a":1}'}),
    ),
)
"""Calls, alone and several."""
