"""Answers of Anthropic Messages with the events they mean, for the decoder: recorded shapes, made-up texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.testing.anthropic_odd_turns import FAULTY_TURNS, ODD_TURNS, STOP_TURNS
from beyond_wire.testing.anthropic_streams import OPEN, PING, STOP, text
from beyond_wire.testing.anthropic_turn_parts import (
    CLOSE,
    HELLO,
    HELLO_BLOCK,
    HELLO_SAID,
    answer,
    block,
    call,
    called,
    close,
    delta,
    end,
    ended,
    said,
    turn,
)
from beyond_wire.types import (
    ContentBlockStop,
    InputJsonDelta,
    InputJsonFinal,
    RedactedThinking,
    SignatureDelta,
    StreamEvent,
    ThinkingDelta,
    ToolUseStart,
)

if TYPE_CHECKING:
    from beyond_wire.testing.fixture import Fields
    from beyond_wire.testing.recorded import RecordedTurn

_THOUGHT = (
    block(0, type="thinking", thinking="", signature=""),
    delta(0, type="thinking_delta", thinking="Let me "),
    delta(0, type="thinking_delta", thinking="see."),
    delta(0, type="signature_delta", signature="EqQBCgIYAhIM"),
    CLOSE,
)
_THOUGHT_EVENTS: tuple[StreamEvent, ...] = (
    ThinkingDelta(index=0, text="Let me "),
    ThinkingDelta(index=0, text="see."),
    SignatureDelta(index=0, signature="EqQBCgIYAhIM"),
    ContentBlockStop(index=0),
)
_THOUGHT_BLOCK: Fields = {"type": "thinking", "thinking": "Let me see.", "signature": "EqQBCgIYAhIM"}
_WEATHER = ("", '{"city": "Os', 'lo"}')
_WEATHER_BLOCK: Fields = {"type": "tool_use", "id": "toolu_01", "name": "weather", "input": {"city": "Oslo"}}
_SECRET = {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"}
_SEARCH: Fields = {"type": "server_tool_use", "id": "srvtoolu_01", "name": "web_search", "input": {"query": "x"}}
_FOUND: Fields = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_01", "content": []}
PLAIN_TURNS: tuple[RecordedTurn, ...] = (
    turn("text", (*HELLO, end(), STOP), (*HELLO_SAID, *ended()), body=answer(HELLO_BLOCK)),
    turn("pings", (PING, OPEN, PING, text("Hi"), PING, CLOSE, PING, end(), STOP), (*said(0, "Hi"), *ended())),
    turn("no-content", (end(outputs=2), STOP), ended(outputs=2), body=answer(outputs=2)),
    turn("empty-text", (OPEN, CLOSE, end(), STOP), (*said(0), *ended()), body=answer({"type": "text", "text": ""})),
    turn(
        "text-beyond-ascii",
        (OPEN, text("Hé 🙂"), text("a\u2028b\u0085c\r\nd\n\n"), CLOSE, end(), STOP),
        (*said(0, "Hé 🙂", "a\u2028b\u0085c\r\nd\n\n"), *ended()),
        body=answer({"type": "text", "text": "Hé 🙂a\u2028b\u0085c\r\nd\n\n"}),
    ),
    turn(
        "text-in-the-opening",
        (block(0, type="text", text="Hel"), text("lo!"), CLOSE, end(), STOP),
        (*said(0, "Hel", "lo!"), *ended()),
        body=answer(HELLO_BLOCK),
    ),
    turn(
        "two-texts",
        (*HELLO, block(1, type="text", text=""), delta(1, type="text_delta", text="Bye"), close(1), end(), STOP),
        (*HELLO_SAID, *said(1, "Bye"), *ended()),
        body=answer(HELLO_BLOCK, {"type": "text", "text": "Bye"}),
    ),
    turn(
        "thinking",
        (*_THOUGHT, block(1, type="text", text=""), delta(1, type="text_delta", text="Yes"), close(1), end(), STOP),
        (*_THOUGHT_EVENTS, *said(1, "Yes"), *ended()),
        body=answer(_THOUGHT_BLOCK, {"type": "text", "text": "Yes"}),
    ),
    turn(
        "thinking-not-shown",
        (
            block(0, type="thinking", thinking=""),
            delta(0, type="signature_delta", signature="EqQB"),
            delta(0, type="signature_delta", signature="CgIY"),
            CLOSE,
            end(),
            STOP,
        ),
        (
            SignatureDelta(index=0, signature="EqQB"),
            SignatureDelta(index=0, signature="CgIY"),
            ContentBlockStop(index=0),
            *ended(),
        ),
        body=answer({"type": "thinking", "thinking": "", "signature": "EqQBCgIY"}),
    ),
    turn(
        "thinking-unsigned-in-the-opening",
        (block(0, type="thinking", thinking="Let me see."), CLOSE, end(), STOP),
        (ThinkingDelta(index=0, text="Let me see."), ContentBlockStop(index=0), *ended()),
        body=answer({"type": "thinking", "thinking": "Let me see."}),
    ),
    turn(
        "redacted-thinking",
        (block(0, **_SECRET), CLOSE, *call(1, "toolu_01", "weather", *_WEATHER), end("tool_use"), STOP),
        (
            RedactedThinking(index=0, data="EmwKAhgBEgy3va3pzix"),
            ContentBlockStop(index=0),
            *called(1, "toolu_01", "weather", *_WEATHER),
            *ended("tool_use"),
        ),
        body=answer(_SECRET, _WEATHER_BLOCK, reason="tool_use"),
    ),
)
"""Text and thinking."""

TOOL_TURNS: tuple[RecordedTurn, ...] = (
    turn(
        "thinking-then-call",
        (*_THOUGHT, *call(1, "toolu_01", "weather", *_WEATHER), end("tool_use"), STOP),
        (*_THOUGHT_EVENTS, *called(1, "toolu_01", "weather", *_WEATHER), *ended("tool_use")),
        body=answer(_THOUGHT_BLOCK, _WEATHER_BLOCK, reason="tool_use"),
    ),
    turn(
        "parallel-calls",
        (
            *HELLO,
            *call(1, "toolu_01", "weather", *_WEATHER),
            *call(2, "toolu_02", "time", "", '{"zone":"UTC"}'),
            end("tool_use"),
            STOP,
        ),
        (
            *HELLO_SAID,
            *called(1, "toolu_01", "weather", *_WEATHER),
            *called(2, "toolu_02", "time", "", '{"zone":"UTC"}'),
            *ended("tool_use"),
        ),
        body=answer(
            HELLO_BLOCK,
            _WEATHER_BLOCK,
            {"type": "tool_use", "id": "toolu_02", "name": "time", "input": {"zone": "UTC"}},
            reason="tool_use",
        ),
    ),
    turn(
        "interleaved-calls",
        (
            block(0, type="tool_use", id="toolu_01", name="weather", input={}),
            block(1, type="tool_use", id="toolu_02", name="time", input={}),
            delta(1, type="input_json_delta", partial_json='{"zone"'),
            delta(0, type="input_json_delta", partial_json='{"city":"Oslo"}'),
            delta(1, type="input_json_delta", partial_json=':"UTC"}'),
            close(1),
            close(0),
            end("tool_use"),
            STOP,
        ),
        (
            ToolUseStart(index=0, id="toolu_01", name="weather"),
            ToolUseStart(index=1, id="toolu_02", name="time"),
            InputJsonDelta(index=1, partial_json='{"zone"'),
            InputJsonDelta(index=0, partial_json='{"city":"Oslo"}'),
            InputJsonDelta(index=1, partial_json=':"UTC"}'),
            ContentBlockStop(index=1),
            ContentBlockStop(index=0),
            *ended("tool_use"),
        ),
        body=answer(
            _WEATHER_BLOCK,
            {"type": "tool_use", "id": "toolu_02", "name": "time", "input": {"zone": "UTC"}},
            reason="tool_use",
        ),
    ),
    turn(
        "call-without-arguments",
        (*call(0, "toolu_01", "now", ""), end("tool_use"), STOP),
        (*called(0, "toolu_01", "now", ""), *ended("tool_use")),
        body=answer({"type": "tool_use", "id": "toolu_01", "name": "now", "input": {}}, reason="tool_use"),
    ),
    turn(
        "call-whole-in-the-opening",
        (block(0, **_WEATHER_BLOCK), CLOSE, end("tool_use"), STOP),
        (
            ToolUseStart(index=0, id="toolu_01", name="weather"),
            InputJsonFinal(index=0, full_json='{"city":"Oslo"}'),
            ContentBlockStop(index=0),
            *ended("tool_use"),
        ),
        body=answer(_WEATHER_BLOCK, reason="tool_use"),
    ),
    turn(
        "call-in-the-opening-and-in-pieces",
        (
            block(0, **_WEATHER_BLOCK),
            delta(0, type="input_json_delta", partial_json="{}"),
            CLOSE,
            end("tool_use"),
            STOP,
        ),
        (*called(0, "toolu_01", "weather", "{}"), *ended("tool_use")),
    ),
    turn(
        "call-cut-by-max-tokens",
        (*call(0, "toolu_01", "weather", '{"city": "Os'), end("max_tokens"), STOP),
        (*called(0, "toolu_01", "weather", '{"city": "Os'), *ended("max_tokens")),
    ),
    turn(
        "server-tools-and-citations",
        (
            *HELLO,
            block(1, **_SEARCH),
            delta(1, type="input_json_delta", partial_json='{"query":"x"}'),
            close(1),
            block(2, **_FOUND),
            delta(2, type="text_delta", text="not of the answer"),
            close(2),
            block(3, type="text", text="", citations=[]),
            delta(3, type="citations_delta", citation={"type": "web_search_result_location", "url": "https://x"}),
            delta(3, type="text_delta", text="It is."),
            close(3),
            end(server_tool_use={"web_search_requests": 1}),
            STOP,
        ),
        (*HELLO_SAID, *said(1, "It is."), *ended()),
        body=answer(HELLO_BLOCK, _SEARCH, _FOUND, {"type": "text", "text": "It is.", "citations": []}),
    ),
)
"""Calls of tools, ours and the provider's."""

TURNS: tuple[RecordedTurn, ...] = (*PLAIN_TURNS, *TOOL_TURNS, *STOP_TURNS, *ODD_TURNS, *FAULTY_TURNS)
"""Every answer, names unique."""
