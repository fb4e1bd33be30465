"""The texts of a compaction: what the model is asked, how a history reads as text, and what goes into the session."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from beyond_agent_core.compaction_plan import HEADER
from beyond_agent_core.estimate import CHARACTERS_PER_TOKEN
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
    from collections.abc import Iterable, Sequence

    from beyond_agent_core.session import Provenance
    from beyond_wire.types import ContentBlock, Message

MOST_RENDERED: Final = 200_000
"""Tokens of history that are put before the model at most (agent-core contract, compaction)."""
RESULT_CHARACTERS: Final = 2_000
THINKING_CHARACTERS: Final = 1_000
SPLIT_TITLE: Final = "Turn Context (split turn)"

SYSTEM: Final = (
    "You summarise conversations between a person and an assistant that uses tools. The conversation is given as "
    "text. Summarise it; do not continue it, do not answer questions in it, do not call tools. Answer with the "
    "summary alone."
)
_SECTIONS: Final = """Use these sections:

## Goal
What the person wants, all of it.

## Constraints & Preferences
What they require, forbid or prefer.

## Progress
### Done
### In Progress
### Blocked

## Key Decisions
Each with its reason.

## Next Steps
In order.

## Critical Context
Facts, names, paths, commands and error texts that the work cannot go on without, exactly as they were.
"""
_FRESH: Final = "Summarise the conversation above so that another assistant can go on with the work. " + _SECTIONS
_UPDATE: Final = (
    "Update the earlier summary with the conversation above, which came after it: keep what still holds, add what is "
    "new, move what is finished to Done. " + _SECTIONS
)
_PREFIX: Final = (
    "The conversation above is the beginning of one piece of work whose later part is kept as it is. Summarise this "
    "beginning so that the later part can be understood: what was asked, what was done and found, and what the later "
    "part builds on."
)
_FILES = re.compile(r"<(read|modified)-files>.*?(?:</\1-files>|\Z)\n*", re.DOTALL)

Targets: TypeAlias = Callable[[ToolUseBlock], tuple[str | None, str | None]]
"""The paths that a call read and wrote."""


def history_prompt(messages: Iterable[Message], earlier: str, extra: str, tokens: int) -> str:
    """Return the question for the summary of `messages`, an update of `earlier` where there is one."""
    told = f"<earlier-summary>\n{earlier}\n</earlier-summary>\n\n" if earlier else ""
    wanted = f"\nAlso: {extra}\n" if extra else ""
    question = (_UPDATE if earlier else _FRESH) + wanted
    return f"<conversation>\n{rendered(messages, tokens - _guess(told))}\n</conversation>\n\n{told}{question}"


def prefix_prompt(messages: Iterable[Message], tokens: int) -> str:
    """Return the question for the summary of the beginning of a turn."""
    return f"<conversation>\n{rendered(messages, tokens)}\n</conversation>\n\n{_PREFIX}"


def rendered(messages: Iterable[Message], tokens: int) -> str:
    """Return messages as text, the newest `tokens` of it at most."""
    text = "\n\n".join(_said(message.role, block) for message in messages for block in message.content)
    most = max(0, min(tokens, MOST_RENDERED)) * CHARACTERS_PER_TOKEN
    return text if len(text) <= most else f"[earlier part left out]\n{text[len(text) - most :]}"


def stripped(summary: str) -> str:
    """Return the model's summary without lists of files, which are not its to make."""
    return _FILES.sub("", summary).strip()


def joined(history: str, prefix: str) -> str:
    """Return the summary of a history and that of the beginning of a turn as one."""
    return f"{history}\n\n---\n\n## {SPLIT_TITLE}\n\n{prefix}" if prefix else history


def with_files(provenance: Provenance, messages: Sequence[Message], targets: Targets) -> tuple[list[str], list[str]]:
    """Return the files that were read, and those that were written, by these messages or before; sorted.

    What was written is not listed as read.
    """
    read, written = set(provenance.read_files), set(provenance.modified_files)
    for message in messages:
        for block in message.content:
            if isinstance(block, ToolUseBlock):
                source, target = targets(block)
                read |= {source} if source else set()
                written |= {target} if target else set()
    return sorted(read - written), sorted(written)


def summary_text(summary: str, read: Sequence[str], written: Sequence[str]) -> str:
    """Return what stands in the history in the place of what was folded."""
    parts = [HEADER, summary]
    for kind, paths in (("read", read), ("modified", written)):
        if paths:
            lines = "\n".join(paths)
            parts.append(f"<{kind}-files>\n{lines}\n</{kind}-files>")
    return "\n\n".join(parts)


def _said(role: str, block: ContentBlock) -> str:
    match block:
        case TextBlock():
            return f"[{role}]: {block.text}"
        case ThinkingBlock():
            return f"[{role} thinking]: {_cut(block.thinking, THINKING_CHARACTERS)}"
        case RedactedThinkingBlock():
            return f"[{role} thinking]: (hidden)"
        case ToolUseBlock():
            return f"[{role} calls {block.name}]: {msgspec.json.encode(clean_value(block.input)).decode()}"
        case ToolResultBlock():
            return f"[tool {'error' if block.is_error else 'result'}]: {_cut(block.content, RESULT_CHARACTERS)}"
        case ImageBlock():
            return f"[{role}]: (image)"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… [{len(text) - most} more characters]"


def _guess(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)
