"""How many tokens messages will take, guessed from their size where nobody has counted yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from beyond_wire.surrogates import clean_value
from beyond_wire.types import (
    ImageBlock,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beyond_agent_core.session import Session
    from beyond_wire.types import ContentBlock, Message

CHARACTERS_PER_TOKEN: Final = 4
IMAGE_CHARACTERS: Final = 4_800
"""What an image counts as (agent-core contract, compaction)."""


def prompt_tokens(session: Session) -> int:
    """Return the tokens of the next prompt: what the last turn counted, and a guess at what came after it."""
    if not session.last_input_tokens:
        return tokens_of(session.messages)
    later = session.messages[session.last_usage_message_count :]
    return session.last_input_tokens + session.last_output_tokens + tokens_of(later)


def tokens_of(messages: Iterable[Message]) -> int:
    """Return a guess at the tokens of messages: a quarter of their characters, rounded up for each message."""
    return sum(-(-sum(map(_characters, message.content)) // CHARACTERS_PER_TOKEN) for message in messages)


def _characters(block: ContentBlock) -> int:
    match block:
        case TextBlock():
            return len(block.text)
        case ThinkingBlock():
            return len(block.thinking) + len(block.signature)
        case RedactedThinkingBlock():
            return len(block.data)
        case ToolUseBlock():
            return len(block.name) + len(msgspec.json.encode(clean_value(block.input)))
        case ToolResultBlock():
            return len(block.content) + IMAGE_CHARACTERS * len(block.images)
        case ImageBlock():
            return IMAGE_CHARACTERS
