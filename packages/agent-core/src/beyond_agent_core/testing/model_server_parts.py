"""What the three dialects of a `ModelServer` share: a turn taken apart, and events written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from beyond_wire.types import TextBlock, ToolUseBlock

if TYPE_CHECKING:
    from beyond_wire.types import Turn

MODEL: Final = "scripted-model"
"""Model that says it answered."""
PIECE: Final = 7
"""Characters of text or arguments in one event: small, so that what is joined is really joined."""


def blocks_of(turn: Turn) -> list[TextBlock | ToolUseBlock]:
    """Return the blocks of a turn. Raises TypeError for what a script does not have."""
    blocks: list[TextBlock | ToolUseBlock] = []
    for block in turn.message.content:
        if not isinstance(block, TextBlock | ToolUseBlock):
            raise TypeError(f"a script has text and calls, not {type(block).__name__}")
        blocks.append(block)
    return blocks


def arguments(block: ToolUseBlock) -> str:
    """Return the argument text of a call."""
    return msgspec.json.encode(block.input).decode()


def pieces(block: TextBlock | ToolUseBlock) -> list[str]:
    """Return the text or the argument text of a block in pieces, at least one."""
    text = block.text if isinstance(block, TextBlock) else arguments(block)
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)] or [""]


def data(value: object) -> bytes:
    """Return an event without a name."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def named(event: dict[str, Any]) -> bytes:
    """Return an event under the name that its `type` says."""
    return f"event: {event['type']}\n".encode() + data(event)
