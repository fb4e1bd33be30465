"""Random histories as sessions may store them, and the rules a provider holds a prepared history to."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from beyond_wire.types import (
    ImageBlock,
    ImageSource,
    Message,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    TokenUsage,
    ToolResultBlock,
    ToolUseBlock,
    tool_uses,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from beyond_wire.types import ContentBlock

MODELS = ("model-a", "model-b", None)
"""Makers of assistant messages in a random history; a request to `model-a` finds its own, foreign and unmarked ones."""

# Few ids, so that they repeat within a turn, within a history and after being cut to a length.
_IDS = ("call_0", "call_0", "call_1", "a|fc_1", "call_0|fc_2", "x" * 70, "x" * 70 + "y", "b.c:d", "", "\\", "call_0_2")
_TEXTS = ("hello", "", " \n", "lone \ud800 half", "line\u2028end", "🙂", "other")
_IMAGE = ImageSource(media_type="image/png", data="AA==")


def random_history(seed: int, *, longest: int = 8) -> tuple[Message, ...]:
    """Return at most `longest` messages with every fault a session can hold, the same ones for the same seed.

    Results without calls and calls without results, at any place; turns that were aborted or failed; turns of other
    models; system messages; repeated and strange ids; blank blocks; text and images beside results; lone surrogates.
    """
    source = random.Random(seed)  # noqa: S311  repeatable histories, not secrets
    open_ids: list[str] = []
    messages: list[Message] = []
    for _ in range(source.randint(0, longest)):
        role = source.choice(("user", "user", "assistant", "assistant", "assistant", "system"))
        if role == "assistant":
            message = _assistant(source)
            open_ids = [call.id for call in tool_uses(message)]
        elif role == "user":
            message = Message(role="user", content=tuple(_user_blocks(source, open_ids)))
        else:
            message = Message(role="system", content=(TextBlock(text=source.choice(_TEXTS)),))
        messages.append(message)
    return tuple(messages)


def _assistant(source: random.Random) -> Message:
    content: list[ContentBlock] = []
    for _ in range(source.randint(0, 4)):
        text = source.choice(_TEXTS)
        call = ToolUseBlock(id=source.choice(_IDS), name="n", input={"a": text}, thought_signature="s")
        signed = ThinkingBlock(thinking=text, signature=source.choice(("", "sig")))
        plain = source.choice((TextBlock(text=text), TextBlock(text=text, id="m", phase="commentary")))
        content.append(source.choice((call, call, signed, plain, RedactedThinkingBlock(data="r"))))
    if source.random() < 0.1:
        content.append(ToolResultBlock(tool_use_id="call_0", content="in the wrong role"))
    return Message(
        role="assistant",
        content=tuple(content),
        model_id=source.choice(MODELS),
        stop_reason="end_turn",
        usage=TokenUsage(input_tokens=1),
        aborted=source.random() < 0.1,
        error_message="failed" if source.random() < 0.1 else None,
    )


def _user_blocks(source: random.Random, open_ids: list[str]) -> Iterator[ContentBlock]:
    wanted = [call_id for call_id in open_ids if source.random() < 0.8]
    if source.random() < 0.2:
        wanted.append(source.choice(_IDS))
    source.shuffle(wanted)
    blocks: list[ContentBlock] = []
    for call_id in wanted:
        images = (_IMAGE,) * source.choice((0, 0, 2))
        blocks.append(ToolResultBlock(tool_use_id=call_id, content=source.choice(_TEXTS), images=images))
    others = (ImageBlock(source=_IMAGE), *(TextBlock(text=text) for text in _TEXTS))
    blocks += source.choices(others, k=source.randint(0, 2))
    if source.random() < 0.3:
        source.shuffle(blocks)
    yield from blocks


def broken_rules(messages: Sequence[Message]) -> list[str]:
    """Rules of providers that `messages` break, in words; empty when each provider would take them.

    Roles alternate and begin with the user; each call has one result, in the next message, in order and before all
    else; no other results; ids are unique; no message and no text is blank.
    """
    broken: list[str] = []
    seen: set[str] = set()
    calls: list[str] = []
    for at, message in enumerate(messages):
        if message.role != ("assistant" if at % 2 else "user"):
            broken.append(f"message {at} is {message.role}")
        results = [block.tool_use_id for block in message.content if isinstance(block, ToolResultBlock)]
        if results != calls:
            broken.append(f"message {at} has results {results} for calls {calls}")
        if any(isinstance(block, ToolResultBlock) for block in message.content[len(results) :]):
            broken.append(f"message {at} has a result behind other blocks")
        calls = [call.id for call in tool_uses(message)]
        if seen.intersection(calls) or len(set(calls)) < len(calls):
            broken.append(f"message {at} repeats an id of {calls}")
        seen.update(calls)
        if not message.content or any(_is_empty(block) for block in message.content):
            broken.append(f"message {at} has an empty block or none")
    if calls:
        broken.append(f"the last message leaves calls {calls} open")
    return broken


def _is_empty(block: ContentBlock) -> bool:
    if isinstance(block, ThinkingBlock):
        return not block.signature and not block.thinking.strip()
    return isinstance(block, TextBlock) and not block.text.strip()
