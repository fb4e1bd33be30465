"""Answers of Responses with the events they mean, for the decoder: recorded shapes, made-up texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.testing.responses_odd_turns import ENDED_TURNS, FAULTY_TURNS, ODD_TURNS
from beyond_wire.testing.responses_turn_parts import (
    HELLO,
    HELLO_ITEM,
    HELLO_SAID,
    added,
    arguments,
    arguments_done,
    call,
    called,
    done,
    ended,
    message,
    part,
    reasoning,
    refusal,
    said,
    summary,
    summary_done,
    text,
    thinks,
    thought,
    turn,
)
from beyond_wire.types import (
    ContentBlockStop,
    InputJsonDelta,
    InputJsonFinal,
    TextDelta,
    ToolUseStart,
)

if TYPE_CHECKING:
    from beyond_wire.testing.fixture import Fields
    from beyond_wire.testing.recorded import RecordedTurn

_SEALED: Fields = {"encrypted_content": "gAAAAABo/+=\\u0041\u2028", "status": "completed"}
_HIDDEN = reasoning(**_SEALED)
_TWICE = reasoning("So.", "Then.", **_SEALED)
_SHOWN = reasoning(content=[part("Hm, ", "reasoning_text"), part("yes.", "reasoning_text")])
_OSLO = ('{"city":', '"Oslo"}')
_WEATHER = call("".join(_OSLO))
_TIME = call("{}", id="fc_2", call_id="call_2")
_SEARCH: Fields = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "x"},
}
_FINAL = message(part("Hello!"), phase="final_answer")
_COMMENT = message(part("I look."), phase="commentary", id="msg_0")
_LINES = "a\u2028b\u0085c\r\nd\n\n"
_NO = message(part("I can't ", "refusal"), part("do that.", "refusal"))


def _part_events(at: int, words: str) -> tuple[Fields, Fields, Fields]:
    """Events around a text that say nothing new: the part opens, the text is whole, the part is whole."""
    more: Fields = {"output_index": at, "item_id": "msg_1", "content_index": 0}
    return (
        {"type": "response.content_part.added", **more, "part": part("")},
        {"type": "response.output_text.done", **more, "text": words, "logprobs": []},
        {"type": "response.content_part.done", **more, "part": part(words)},
    )


_OPENS, *_CLOSES = _part_events(0, "Hello!")

PLAIN_TURNS: tuple[RecordedTurn, ...] = (
    turn("text", HELLO, (*HELLO_SAID, *ended()), HELLO_ITEM),
    turn(
        "text-with-every-event",
        (HELLO[0], _OPENS, *HELLO[1:3], *_CLOSES, HELLO[3]),
        (*HELLO_SAID, *ended()),
        HELLO_ITEM,
    ),
    turn("no-output", (), ended()),
    turn(
        "empty-message",
        (added(0, message()), done(0, message())),
        (ContentBlockStop(index=0), *ended()),
        message(),
    ),
    turn(
        "text-beyond-ascii",
        (added(0, HELLO_ITEM), text(0, "Hé 🙂"), text(0, _LINES), done(0, message(part("Hé 🙂" + _LINES)))),
        (*said(0, "Hé 🙂", _LINES), *ended()),
        message(part("Hé 🙂" + _LINES)),
    ),
    turn(
        "text-in-two-parts",
        (added(0, HELLO_ITEM), text(0, "Hello"), text(0, "!", 1), done(0, message(part("Hello"), part("!")))),
        (*HELLO_SAID, *ended()),
        message(part("Hello"), part("!")),
    ),
    turn(
        "phases",
        (
            added(0, _COMMENT),
            text(0, "I look."),
            done(0, _COMMENT),
            added(1, _FINAL),
            text(1, "Hello!"),
            done(1, _FINAL),
        ),
        (*said(0, "I look.", id="msg_0", phase="commentary"), *said(1, "Hello!", phase="final_answer"), *ended()),
        _COMMENT,
        _FINAL,
    ),
    turn(
        "refusal",
        (added(0, _NO), refusal(0, "I can't "), refusal(0, "do that."), done(0, _NO)),
        (*said(0, "I can't ", "do that."), *ended("refusal")),
        _NO,
    ),
    turn(
        "refusal-after-text",
        (added(0, _NO), text(0, "Well. "), refusal(0, "No."), done(0, message(part("Well. "), part("No.", "refusal")))),
        (*said(0, "Well. ", "No."), *ended("refusal")),
        message(part("Well. "), part("No.", "refusal")),
    ),
)
"""Text."""

THINKING_TURNS: tuple[RecordedTurn, ...] = (
    turn(
        "reasoning-hidden",
        (added(0, reasoning()), done(0, _HIDDEN), added(1, HELLO_ITEM), text(1, "Hello!"), done(1, HELLO_ITEM)),
        (*thinks(0, _HIDDEN), *said(1, "Hello!"), *ended()),
        _HIDDEN,
        HELLO_ITEM,
    ),
    turn(
        "reasoning-summary",
        (
            added(0, reasoning()),
            summary(0, "S"),
            summary(0, "o."),
            summary_done(0, "So."),
            summary(0, "Then.", 1),
            summary_done(0, "Then.", 1),
            done(0, _TWICE),
        ),
        (*thinks(0, _TWICE, "S", "o.", "\n\n", "Then.", "\n\n"), *ended()),
        _TWICE,
    ),
    turn(
        "reasoning-summary-only-when-done",
        (added(0, reasoning()), done(0, _TWICE)),
        (*thinks(0, _TWICE, "So.\n\nThen.\n\n"), *ended()),
        _TWICE,
    ),
    turn(
        "reasoning-summary-with-an-empty-part",
        (
            added(0, reasoning()),
            summary_done(0, ""),
            summary(0, "", 1),
            summary_done(0, "", 1),
            summary(0, "So.", 2),
            summary_done(0, "So.", 2),
            done(0, reasoning("", "", "So.")),
        ),
        (*thinks(0, reasoning("", "", "So."), "So.", "\n\n"), *ended()),
        reasoning("", "", "So."),
    ),
    turn(
        "reasoning-shown",
        (added(0, reasoning()), thought(0, "Hm, "), thought(0, "yes."), done(0, _SHOWN)),
        (*thinks(0, _SHOWN, "Hm, ", "yes."), *ended()),
        _SHOWN,
    ),
)
"""Reasoning."""

TOOL_TURNS: tuple[RecordedTurn, ...] = (
    turn(
        "call",
        (
            added(0, _WEATHER),
            arguments(0, _OSLO[0]),
            arguments(0, _OSLO[1]),
            arguments_done(0, "".join(_OSLO)),
            done(0, _WEATHER),
        ),
        (*called(0, *_OSLO), *ended("tool_use")),
        _WEATHER,
    ),
    turn(
        "reasoning-text-call",
        (
            added(0, reasoning()),
            done(0, _HIDDEN),
            added(1, HELLO_ITEM),
            text(1, "Hello!"),
            done(1, HELLO_ITEM),
            added(2, _WEATHER),
            arguments(2, "".join(_OSLO)),
            arguments_done(2, "".join(_OSLO)),
            done(2, _WEATHER),
        ),
        (*thinks(0, _HIDDEN), *said(1, "Hello!"), *called(2, "".join(_OSLO)), *ended("tool_use")),
        _HIDDEN,
        HELLO_ITEM,
        _WEATHER,
    ),
    turn(
        "calls-interleaved",
        (
            added(0, _WEATHER),
            added(1, _TIME),
            arguments(0, _OSLO[0]),
            arguments(1, "{"),
            arguments(0, _OSLO[1]),
            arguments(1, "}"),
            done(1, _TIME),
            done(0, _WEATHER),
        ),
        (
            ToolUseStart(index=0, id="call_1|fc_1", name="weather"),
            ToolUseStart(index=1, id="call_2|fc_2", name="weather"),
            InputJsonDelta(index=0, partial_json=_OSLO[0]),
            InputJsonDelta(index=1, partial_json="{"),
            InputJsonDelta(index=0, partial_json=_OSLO[1]),
            InputJsonDelta(index=1, partial_json="}"),
            InputJsonFinal(index=1, full_json="{}"),
            ContentBlockStop(index=1),
            InputJsonFinal(index=0, full_json="".join(_OSLO)),
            ContentBlockStop(index=0),
            *ended("tool_use"),
        ),
        _WEATHER,
        _TIME,
    ),
    turn(
        "call-without-arguments",
        (added(0, call("")), arguments_done(0, ""), done(0, call(""))),
        (*called(0, finals=0), *ended("tool_use")),
        call(""),
    ),
    turn(
        "call-with-broken-arguments",
        (added(0, call("")), arguments(0, '{"city": Oslo'), done(0, call('{"city": Oslo'))),
        (*called(0, '{"city": Oslo', finals=1), *ended("tool_use")),
        call('{"city": Oslo'),
    ),
    turn(
        "call-and-refusal",
        (added(0, _TIME), done(0, _TIME), added(1, _NO), done(1, _NO)),
        (
            ToolUseStart(index=0, id="call_2|fc_2", name="weather"),
            InputJsonFinal(index=0, full_json="{}"),
            ContentBlockStop(index=0),
            *said(1, final="I can't do that."),
            *ended("refusal"),
        ),
        _TIME,
        _NO,
    ),
    turn(
        "text-beside-a-call",
        (
            added(0, HELLO_ITEM),
            added(1, _TIME),
            text(0, "Hel"),
            arguments(1, "{}"),
            text(0, "lo!"),
            done(0, HELLO_ITEM),
            done(1, _TIME),
        ),
        (
            ToolUseStart(index=1, id="call_2|fc_2", name="weather"),
            TextDelta(index=0, text="Hel"),
            InputJsonDelta(index=1, partial_json="{}"),
            *said(0, "lo!", final="Hello!"),
            InputJsonFinal(index=1, full_json="{}"),
            ContentBlockStop(index=1),
            *ended("tool_use"),
        ),
        HELLO_ITEM,
        _TIME,
    ),
    turn(
        "tool-of-the-provider",
        (
            added(0, _SEARCH),
            {"type": "response.web_search_call.searching", "output_index": 0, "item_id": "ws_1"},
            done(0, _SEARCH),
            added(1, HELLO_ITEM),
            text(1, "Hello!"),
            done(1, HELLO_ITEM),
        ),
        (*said(0, "Hello!"), *ended()),
        _SEARCH,
        HELLO_ITEM,
    ),
)
"""Calls of tools."""

TURNS: tuple[RecordedTurn, ...] = (
    *PLAIN_TURNS,
    *THINKING_TURNS,
    *TOOL_TURNS,
    *ENDED_TURNS,
    *ODD_TURNS,
    *FAULTY_TURNS,
)
"""Every answer, names unique."""
