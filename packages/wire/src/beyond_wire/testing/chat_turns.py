"""Answers of Chat Completions with the events they mean, for the decoder: recorded shapes, made-up texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.testing.chat_call_turns import CALL_TURNS
from beyond_wire.testing.chat_odd_turns import FAULTY_TURNS, ODD_TURNS, STOP_TURNS
from beyond_wire.testing.chat_turn_parts import (
    HELLO,
    HELLO_SAID,
    USAGE,
    answer,
    call,
    called,
    chunk,
    ended,
    opening,
    piece,
    said,
    stop,
    thought,
    turn,
)
from beyond_wire.types import ThinkingDelta

if TYPE_CHECKING:
    from beyond_wire.testing.recorded import RecordedTurn

_WEATHER_CALL = call("call_a", "weather", '{"city": "Oslo"}')

PLAIN_TURNS: tuple[RecordedTurn, ...] = (
    turn("text", (*HELLO, *stop()), (*HELLO_SAID, *ended()), body=answer(content="Hello!", refusal=None)),
    turn("no-content", stop(), ended(), body=answer(content=None)),
    turn(
        "text-beyond-ascii",
        (chunk(content="Hé 🙂"), chunk(content="a\u2028b\u0085c\r\nd\n\n"), *stop()),
        (*said(0, "Hé 🙂", "a\u2028b\u0085c\r\nd\n\n"), *ended()),
        body=answer(content="Hé 🙂a\u2028b\u0085c\r\nd\n\n"),
    ),
    turn(
        "text-in-parts",
        (
            chunk(content=[{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]),
            chunk(content=[]),
            chunk(content=[{"type": "image_url", "image_url": {"url": "x"}}, {"text": "!"}]),
            *stop(),
        ),
        (*HELLO_SAID, *ended()),
        body=answer(content=[{"type": "text", "text": "Hello!"}, {"type": "thinking", "thinking": []}]),
    ),
    turn(
        "text-beside-the-finish",
        (chunk(content="Hello"), *stop(content="!")),
        (*HELLO_SAID, *ended()),
        body=answer(content="Hello!"),
    ),
)
"""Text alone."""

REASONING_TURNS: tuple[RecordedTurn, ...] = (
    *(
        turn(
            f"reasoning-in-{field}",
            (chunk(**{field: "Let me "}), chunk(**{field: "see."}), *HELLO, *stop()),
            (*thought(0, "Let me ", "see.", field=field), *said(1, "Hello", "!"), *ended()),
            body=answer("stop", USAGE, content="Hello!", **{field: "Let me see."}),
        )
        for field in ("reasoning_content", "reasoning", "reasoning_text")
    ),
    turn(
        "reasoning-in-two-fields-at-once",
        (chunk(content="", reasoning_content="", reasoning="Hm.", reasoning_text="Hm."), *HELLO, *stop()),
        (*thought(0, "Hm.", field="reasoning"), *said(1, "Hello", "!"), *ended()),
        body=answer(content="Hello!", reasoning_content="", reasoning="Hm.", reasoning_text="Hm."),
    ),
    turn(
        "reasoning-that-is-no-text",
        (chunk(reasoning={"effort": "low"}, reasoning_text="Hm."), *HELLO, *stop()),
        (*thought(0, "Hm.", field="reasoning_text"), *said(1, "Hello", "!"), *ended()),
        body=answer(content="Hello!", reasoning={"effort": "low"}, reasoning_text="Hm."),
    ),
    turn(
        "reasoning-field-changes",
        (chunk(reasoning="a"), chunk(reasoning_content="b"), *HELLO, *stop()),
        (
            *thought(0, "a", field="reasoning"),
            *thought(1, "b"),
            *said(2, "Hello", "!"),
            *ended(),
        ),
    ),
    turn(
        "reasoning-between-texts",
        (
            chunk(content="One."),
            chunk(reasoning="Hm."),
            chunk(content="Two."),
            chunk(content="More.", reasoning="And."),
            chunk(content="Still.", reasoning_content="So."),
            *stop(),
        ),
        (
            *said(0, "One."),
            *thought(1, "Hm.", field="reasoning"),
            *said(2, "Two."),
            *thought(3, "And.", field="reasoning"),
            *said(4, "More."),
            *thought(5, "So."),
            *said(6, "Still."),
            *ended(),
        ),
    ),
    turn(
        "reasoning-then-a-call",
        (
            chunk(reasoning_content="Look it up."),
            opening(0, "call_a", "weather"),
            chunk(tool_calls=[piece(0, '{"city": "Oslo"}')]),
            *stop("tool_calls"),
        ),
        (*thought(0, "Look it up."), *called(1, "call_a", "weather", '{"city": "Oslo"}'), *ended("tool_use")),
        body=answer("tool_calls", content=None, reasoning_content="Look it up.", tool_calls=[_WEATHER_CALL]),
    ),
    turn(
        "reasoning-only",
        (chunk(reasoning="a"), chunk(reasoning="b"), *stop("length")),
        (
            ThinkingDelta(index=0, text="a"),
            *thought(0, "b", field="reasoning"),
            *ended("max_tokens"),
        ),
        body=answer("length", content="", reasoning="ab"),
    ),
)
"""Reasoning under each of its names."""

TURNS: tuple[RecordedTurn, ...] = (
    *PLAIN_TURNS,
    *REASONING_TURNS,
    *CALL_TURNS,
    *STOP_TURNS,
    *ODD_TURNS,
    *FAULTY_TURNS,
)
"""Every answer, names unique."""
