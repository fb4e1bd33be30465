"""Lone surrogates are replaced everywhere, and what holds none is returned itself."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_wire import types as t
from beyond_wire.surrogates import clean_messages, clean_text, clean_tool, clean_value

BAD, GOOD = "a\ud800b", "a\ufffdb"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        ("plain", "plain"),
        ("é 🙂 \u2028", "é 🙂 \u2028"),
        (BAD, GOOD),
        ("\udc00", "\ufffd"),
        ("\ud800\ud800x\udfff", "\ufffd\ufffdx\ufffd"),
        ("\ud83d\ude42", "🙂"),
        ("\ude42\ud83d", "\ufffd\ufffd"),
    ],
)
def test_text(text: str, cleaned: str) -> None:
    """Each lone surrogate becomes U+FFFD, a pair its character, and all else stays."""
    assert clean_text(text) == cleaned


@given(st.text(st.characters()) | st.text(st.sampled_from("a\ud800\udc00é")))
def test_any_text_encodes(text: str) -> None:
    """Cleaned text is valid UTF-8, and cleaning it again changes nothing."""
    cleaned = clean_text(text)
    cleaned.encode()
    assert clean_text(cleaned) is cleaned


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ({"k": BAD}, {"k": GOOD}),
        ({BAD: 1, "b": 2}, {GOOD: 1, "b": 2}),
        ([1, [BAD, None], True], [1, [GOOD, None], True]),
        ({"a": [{"b": {"c": BAD}}], "d": 1.5}, {"a": [{"b": {"c": GOOD}}], "d": 1.5}),
    ],
)
def test_value(value: Any, cleaned: Any) -> None:
    """Strings are found at any depth, keys included, and the order of keys stays."""
    found = clean_value(value)
    assert found == cleaned
    assert msgspec.json.encode(found) == msgspec.json.encode(cleaned)


def test_clean_values_are_not_copied() -> None:
    """A value, a message and a tool without surrogates are returned themselves."""
    value = {"a": [{"é": "x"}, 1]}
    assert clean_value(value) is value
    message = t.assistant([t.ToolUseBlock(id="c", name="n", input=value), t.TextBlock(text="é")])
    assert clean_messages([message])[0] is message
    tool = t.ToolDef(name="n", description="d", input_schema=value)
    assert clean_tool(tool) is tool


BAD_IMAGE, GOOD_IMAGE = (t.ImageSource(media_type=text, data=text) for text in (BAD, GOOD))


@pytest.mark.parametrize(
    ("block", "cleaned"),
    [
        (t.TextBlock(text=BAD, id=BAD), t.TextBlock(text=GOOD, id=GOOD)),
        (t.ThinkingBlock(thinking=BAD, signature=BAD), t.ThinkingBlock(thinking=GOOD, signature=GOOD)),
        (t.RedactedThinkingBlock(data=BAD), t.RedactedThinkingBlock(data=GOOD)),
        (
            t.ToolUseBlock(id=BAD, name=BAD, input={BAD: BAD}, thought_signature=BAD),
            t.ToolUseBlock(id=GOOD, name=GOOD, input={GOOD: GOOD}, thought_signature=GOOD),
        ),
        (
            t.ToolResultBlock(tool_use_id=BAD, content=BAD, images=(BAD_IMAGE,)),
            t.ToolResultBlock(tool_use_id=GOOD, content=GOOD, images=(GOOD_IMAGE,)),
        ),
        (t.ImageBlock(source=BAD_IMAGE), t.ImageBlock(source=GOOD_IMAGE)),
    ],
)
def test_every_string_of_a_block(block: t.ContentBlock, cleaned: t.ContentBlock) -> None:
    """All strings of all blocks are cleaned, and the blocks beside stay themselves."""
    other = t.TextBlock(text="x")
    messages = [t.user("y"), t.Message(role="user", content=(other, block))]
    first, second = clean_messages(messages)
    assert first is messages[0]
    content = second.content
    assert content == (other, cleaned)
    assert content[0] is other


def test_tool() -> None:
    """Name, description and schema of a tool are cleaned."""
    assert clean_tool(t.ToolDef(name=BAD, description=BAD, input_schema={"d": BAD})) == t.ToolDef(
        name=GOOD, description=GOOD, input_schema={"d": GOOD}
    )


def test_value_that_is_no_json_is_left_to_the_encoder() -> None:
    """An input that cannot be encoded is still cleaned, and faulted where the request is encoded."""
    strange = t.assistant([t.ToolUseBlock(id="c", name="n", input={"a": object})])
    assert clean_messages([strange, t.user(BAD)]) == [strange, t.user(GOOD)]
