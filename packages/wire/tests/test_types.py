"""The vocabulary: exact tags and fields on the wire, round trips, constructors, effort levels."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from beyond_wire import types as t

IMAGE = t.ImageSource(media_type="image/png", data="AA==")
USAGE = t.TokenUsage(
    input_tokens=1,
    output_tokens=2,
    cache_read_tokens=3,
    cache_write_tokens=4,
    cache_write_1h_tokens=5,
    reasoning_tokens=6,
)
IMAGE_JSON = '{"type":"base64","media_type":"image/png","data":"AA=="}'
USAGE_JSON = (
    '"input_tokens":1,"output_tokens":2,"cache_read_tokens":3,"cache_write_tokens":4,'
    '"cache_write_1h_tokens":5,"reasoning_tokens":6'
)

BLOCKS: list[tuple[t.ContentBlock, str]] = [
    (t.TextBlock(text="a"), '{"type":"text","text":"a"}'),
    (
        t.TextBlock(text="a", id="m", phase="commentary"),
        '{"type":"text","text":"a","id":"m","phase":"commentary"}',
    ),
    (t.ThinkingBlock(thinking="a"), '{"type":"thinking","thinking":"a","signature":""}'),
    (t.RedactedThinkingBlock(data="x"), '{"type":"redacted_thinking","data":"x"}'),
    (t.ToolUseBlock(id="c", name="n", input={"a": [1]}), '{"type":"tool_use","id":"c","name":"n","input":{"a":[1]}}'),
    (
        t.ToolUseBlock(id="c", name="n", input={}, thought_signature="s"),
        '{"type":"tool_use","id":"c","name":"n","input":{},"thought_signature":"s"}',
    ),
    (
        t.ToolResultBlock(tool_use_id="c", content="r"),
        '{"type":"tool_result","tool_use_id":"c","content":"r","is_error":false}',
    ),
    (
        t.ToolResultBlock(tool_use_id="c", content="r", is_error=True, images=(IMAGE,)),
        f'{{"type":"tool_result","tool_use_id":"c","content":"r","is_error":true,"images":[{IMAGE_JSON}]}}',
    ),
    (t.ImageBlock(source=IMAGE), f'{{"type":"image","source":{IMAGE_JSON}}}'),
]

EVENTS: list[tuple[t.StreamEvent, str]] = [
    (t.MessageStart(), '{"type":"message_start"}'),
    (t.TextDelta(index=0, text="a"), '{"type":"text_delta","index":0,"text":"a"}'),
    (t.ThinkingDelta(index=1, text="a"), '{"type":"thinking_delta","index":1,"text":"a"}'),
    (t.SignatureDelta(index=1, signature="s"), '{"type":"signature_delta","index":1,"signature":"s"}'),
    (t.RedactedThinking(index=2, data="x"), '{"type":"redacted_thinking","index":2,"data":"x"}'),
    (t.ToolUseStart(index=3, id="c", name="n"), '{"type":"tool_use_start","index":3,"id":"c","name":"n"}'),
    (t.InputJsonDelta(index=3, partial_json="{"), '{"type":"input_json_delta","index":3,"partial_json":"{"}'),
    (t.InputJsonFinal(index=3, full_json="{}"), '{"type":"input_json_final","index":3,"full_json":"{}"}'),
    (t.TextFinal(index=0, text="a"), '{"type":"text_final","index":0,"text":"a"}'),
    (
        t.TextFinal(index=0, text="a", id="m", phase="final_answer"),
        '{"type":"text_final","index":0,"text":"a","id":"m","phase":"final_answer"}',
    ),
    (t.ContentBlockStop(index=0), '{"type":"content_block_stop","index":0}'),
    (t.usage_event(USAGE), f'{{"type":"usage",{USAGE_JSON}}}'),
    (t.MessageStop(stop_reason="end_turn"), '{"type":"message_stop","stop_reason":"end_turn"}'),
    (
        t.MessageStop(stop_reason="other", detail="pause_turn"),
        '{"type":"message_stop","stop_reason":"other","detail":"pause_turn"}',
    ),
]

VALUES: list[tuple[Any, Any, str]] = [
    (USAGE, t.TokenUsage, f"{{{USAGE_JSON}}}"),
    (
        t.Message(
            role="assistant",
            content=(t.TextBlock(text="a"),),
            model_id="m",
            stop_reason="end_turn",
            usage=USAGE,
            error_message="e",
            aborted=True,
        ),
        t.Message,
        (
            '{"role":"assistant","content":[{"type":"text","text":"a"}],"model_id":"m","stop_reason":"end_turn",'
            f'"usage":{{{USAGE_JSON}}},"error_message":"e","aborted":true}}'
        ),
    ),
    (t.user("a"), t.Message, '{"role":"user","content":[{"type":"text","text":"a"}]}'),
    (
        t.ToolDef(name="n", description="d", input_schema={"type": "object"}),
        t.ToolDef,
        '{"name":"n","description":"d","input_schema":{"type":"object"}}',
    ),
    (
        t.Turn(message=t.assistant([]), bad_args={"c": "{"}),
        t.Turn,
        (
            '{"message":{"role":"assistant","content":[]},"stop_reason":"end_turn","usage":{"input_tokens":0,'
            '"output_tokens":0,"cache_read_tokens":0,"cache_write_tokens":0,"cache_write_1h_tokens":0,'
            '"reasoning_tokens":0},"bad_args":{"c":"{"}}'
        ),
    ),
    (
        t.ModelRequest(model="m", messages=(), max_tokens=1),
        t.ModelRequest,
        '{"model":"m","messages":[],"max_tokens":1}',
    ),
    (
        t.ModelRequest(
            model="m",
            messages=(t.user("a"),),
            max_tokens=1,
            system="s",
            tools=(t.ToolDef(name="n", description="d", input_schema={}),),
            thinking=t.Thinking(budget_tokens=5, display="omitted"),
            reasoning_effort="xhigh",
            tool_choice=t.NamedTool(name="n"),
            temperature=0.5,
            cache_key="k",
            cache_long=True,
            no_cache=True,
            user_id="u",
            reasoning_summary="concise",
            service_tier="flex",
            stream=False,
            block_images=True,
        ),
        t.ModelRequest,
        (
            '{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"max_tokens":1,'
            '"system":"s","tools":[{"name":"n","description":"d","input_schema":{}}],'
            '"thinking":{"budget_tokens":5,"display":"omitted"},"reasoning_effort":"xhigh",'
            '"tool_choice":{"type":"tool","name":"n"},"temperature":0.5,"cache_key":"k","cache_long":true,'
            '"no_cache":true,"user_id":"u","reasoning_summary":"concise","service_tier":"flex","stream":false,'
            '"block_images":true}'
        ),
    ),
    ("required", t.ToolChoice, '"required"'),
    *((block, t.ContentBlock, text) for block, text in BLOCKS),
    *((event, t.StreamEvent, text) for event, text in EVENTS),
]


@pytest.mark.parametrize(("value", "kind", "text"), VALUES)
def test_json_of_every_type(value: Any, kind: Any, text: str) -> None:
    """Each type has exactly this JSON, unset options left out, and comes back from it unchanged."""
    assert msgspec.json.encode(value).decode() == text
    assert msgspec.json.decode(text, type=kind) == value


@pytest.mark.parametrize(("value", "kind", "text"), [case for case in VALUES if case[2].startswith("{")])
def test_unknown_fields_are_ignored(value: Any, kind: Any, text: str) -> None:
    """A field of a later version does not hinder decoding."""
    later = text.replace("{", '{"later":{"x":[null]},' if text != "{}" else "{", 1)
    assert msgspec.json.decode(later, type=kind) == value


def test_no_kind_is_left_out() -> None:
    """The tables above hold every block and every event."""
    assert {type(block) for block, _ in BLOCKS} == set(get_args(t.ContentBlock))
    assert {type(event) for event, _ in EVENTS} == set(get_args(t.StreamEvent))


@pytest.mark.parametrize("value", [t.user("a"), t.TextDelta(index=0, text="a"), t.Caps(), USAGE])
def test_values_are_frozen(value: msgspec.Struct) -> None:
    """Nobody mutates a value."""
    names = value.__struct_fields__
    with pytest.raises(AttributeError):
        setattr(value, names[0], None)


def test_fields_are_keyword_only() -> None:
    """No type takes a field by its position."""
    kinds: tuple[Any, ...] = (*get_args(t.ContentBlock), *get_args(t.StreamEvent), t.Message, t.ModelRequest, t.Turn)
    for kind in kinds:
        if kind is not t.MessageStart:
            with pytest.raises(TypeError, match="positional"):
                kind("a")


def test_user_with_images_puts_text_first() -> None:
    """Text stands before the images, and blank text is left out."""
    picture = t.ImageBlock(source=IMAGE)
    assert t.user_with_images("look", [IMAGE, IMAGE]).content == (t.TextBlock(text="look"), picture, picture)
    assert t.user_with_images(" \n", [IMAGE]).content == (picture,)


def test_constructors() -> None:
    """Each constructor makes a message of its role with the blocks in order."""
    call = t.ToolUseBlock(id="c", name="n", input={})
    result = t.ToolResultBlock(tool_use_id="c", content="r")
    turn = t.assistant([t.TextBlock(text="a"), call])
    assert turn == t.Message(role="assistant", content=(t.TextBlock(text="a"), call))
    assert list(t.tool_uses(turn)) == [call]
    assert t.tool_results([result, result]) == t.Message(role="user", content=(result, result))


def test_usage_event_has_the_counts() -> None:
    """The usage event is the usage, flat."""
    event = t.usage_event(USAGE)
    assert msgspec.structs.asdict(event) == msgspec.structs.asdict(USAGE)


@pytest.mark.parametrize(
    ("efforts", "can_disable", "asked", "level"),
    [
        (("low", "medium", "high"), False, "minimal", "low"),
        (("low", "medium", "high"), False, "medium", "medium"),
        (("low", "medium", "high"), False, "xhigh", "high"),
        (("low", "medium", "high"), False, "off", "low"),
        (("low", "medium", "high"), True, "off", None),
        (("minimal", "high"), True, "medium", "minimal"),
        ((), False, "high", None),
    ],
)
def test_effort_is_clamped(
    *, efforts: tuple[t.Effort, ...], can_disable: bool, asked: Any, level: t.Effort | None
) -> None:
    """A level outside the model's range becomes its nearest, and off the floor where thinking cannot be off."""
    assert t.Caps(efforts=efforts, can_disable=can_disable).effort(asked) == level


def test_spoken_changes_the_dialect_only() -> None:
    """Abilities stay the same when the caller names the dialect."""
    caps = t.Caps(window=7)
    assert caps.spoken("chat") is caps
    assert caps.spoken("responses") == t.Caps(window=7, dialect="responses")
