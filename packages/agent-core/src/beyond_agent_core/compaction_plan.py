"""When a history is too large, and what of it goes: decided from sizes alone, without a model.

Two ways. Old tool results are cut to their beginning, which costs nothing; where that is not enough, the older part is
folded into a summary. A cut stands before an assistant message, because results follow their call: so none is parted
from it. Figures: agent-core contract, compaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from beyond_agent_core.errors import ConfigError
from beyond_agent_core.estimate import tokens_of
from beyond_wire.types import ToolResultBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_wire.types import Caps, ContentBlock, Message

LARGE_RESULT: Final = 2_000
"""Characters of a tool result that stay as they are."""
KEPT_OF_RESULT: Final = 200
LEAST_MESSAGES: Final = 4
"""A history of fewer messages is not folded."""
CLEARED_ENOUGH: Final = 0.75
"""Part of the trigger at which cleared results are enough."""
SHRUNK: Final = 0.9
"""A compaction brings the estimate below this part of what it was."""
HEADER: Final = "[Earlier conversation compacted to save context]"
"""First line of a summary in the history (agent-core contract, compaction)."""


class CompactionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in tokens; None is the model's. Raises ConfigError for what is no positive number.

    `enabled` is for compaction by itself: an overflow, or a prompt as large as the window, compacts in any case.
    """

    enabled: bool = True
    window: int | None = None
    reserve: int = 16_384
    keep_recent: int = 20_000
    summary_max: int | None = None
    custom_instructions: str = ""

    def __post_init__(self) -> None:
        for name in ("window", "reserve", "keep_recent", "summary_max"):
            value: int | None = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"compaction.{name}", "must be above 0")


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """The settings for one model. `trigger` is the prompt above which a compaction is due."""

    window: int
    reserve: int
    keep_recent: int
    summary_max: int
    prefix_max: int

    @property
    def trigger(self) -> int:
        """Tokens that a prompt may have."""
        return self.window - self.reserve


def sizes_for(settings: CompactionSettings, caps: Caps) -> Sizes:
    """Return the sizes for a model; those of a small window are smaller, so that one compaction lasts."""
    window = settings.window or caps.window
    reserve = min(settings.reserve, window // 4)
    return Sizes(
        window=window,
        reserve=reserve,
        keep_recent=min(settings.keep_recent, (window - reserve) // 2),
        summary_max=max(1, min(settings.summary_max or reserve * 4 // 5, caps.max_output)),
        prefix_max=max(1, min(reserve // 2, caps.max_output)),
    )


def recent_from(messages: Sequence[Message], keep: int) -> int:
    """Return where the newest messages of at least `keep` tokens begin; 0 where all are not as many."""
    left = keep
    for at in range(len(messages) - 1, -1, -1):
        left -= tokens_of(messages[at : at + 1])
        if left <= 0:
            return at
    return 0


def cleared(messages: Sequence[Message], keep: int) -> tuple[Message, ...]:
    """Return the messages with large tool results older than `keep` tokens cut, and their images gone."""
    recent = recent_from(messages, keep)
    return (*map(_cleared, messages[:recent]), *messages[recent:])


def cleared_all(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages with large tool results cut, the newest too, and their images gone."""
    return tuple(map(_cleared, messages))


def recent_tokens(messages: Sequence[Message], keep: int) -> int:
    """Return how large the part is that `cleared` leaves alone: at least `keep`, where there is as much."""
    return tokens_of(messages[recent_from(messages, keep) :])


def cut_at(messages: Sequence[Message], recent: int, base: int) -> int | None:
    """Return the first message that is kept, an assistant message behind `base`; None where nothing can go.

    It is the first one from `recent` on, else the last one before. `base` is 1 where the first message is a summary,
    which is not folded again by itself.
    """
    if len(messages) < LEAST_MESSAGES or recent <= base:
        return None
    after = (at for at in range(recent, len(messages)) if messages[at].role == "assistant")
    before = (at for at in range(recent - 1, base, -1) if messages[at].role == "assistant")
    return next(after, None) or next(before, None)


def turn_start(messages: Sequence[Message], cut: int) -> int:
    """Return where the turn begins in whose middle `cut` stands; `cut` itself where it folds no answer of that turn."""
    for at in range(cut - 1, -1, -1):
        message = messages[at]
        if message.role == "user" and not any(isinstance(block, ToolResultBlock) for block in message.content):
            return at if at < cut - 1 else cut
    return cut


def is_summary(message: Message) -> bool:
    """Whether a message is what an earlier compaction put at the beginning."""
    first = message.content[0] if message.content else None
    return message.role == "user" and getattr(first, "text", "").startswith(HEADER)


def _cleared(message: Message) -> Message:
    if not any(isinstance(block, ToolResultBlock) and _is_large(block) for block in message.content):
        return message
    return replace(message, content=tuple(map(_cut_result, message.content)))


def _is_large(block: ToolResultBlock) -> bool:
    return len(block.content) > LARGE_RESULT or bool(block.images)


def _cut_result(block: ContentBlock) -> ContentBlock:
    if not isinstance(block, ToolResultBlock) or not _is_large(block):
        return block
    text = block.content
    if len(text) > LARGE_RESULT:
        gone = len(text) - KEPT_OF_RESULT
        text = f"{text[:KEPT_OF_RESULT]}\n[{gone} characters cleared to save context]"
    if block.images:
        text += f"\n[{len(block.images)} images cleared to save context]"
    return replace(block, content=text, images=())
