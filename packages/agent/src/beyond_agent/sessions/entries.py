"""The lines of a session's file: what each kind holds, how it is written, and what of it is read at once.

A file is read far more often than it is understood: of most lines only the place in the tree matters, so `Stub` decodes
three fields and skips the rest. Fields are file format (agent contract, sessions on disk); readers ignore those that
they do not know, and keep lines of kinds that they do not know.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec

from beyond_agent_core.events import CompactionReason, Outcome
from beyond_wire.types import Message, TokenUsage

VERSION: Final = 1
"""Version of the format (agent contract, sessions on disk)."""


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="session"):
    """The first line. `parent` is the id of the session that this one was copied from."""

    version: int
    id: str
    created_at: str
    cwd: str
    model: str
    title: str | None = None
    parent: str | None = None


class Stub(msgspec.Struct, kw_only=True, gc=False):
    """The place of any other line in the tree: what it is, its id, and the id that it follows."""

    type: str
    id: str
    parent_id: str | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What all of them have: `id` is 8 hex digits, `parent_id` the entry it follows, `timestamp` as `stamp` gives."""

    id: str
    parent_id: str | None
    timestamp: str


class CompactionEntry(Entry, frozen=True, kw_only=True, omit_defaults=True, tag="compaction"):
    """The history became smaller; nothing of it was removed from the file.

    `summary` stands for all before `first_kept_id`; `cleared_ids` are messages whose old tool results were cut.
    """

    mode: Literal["clear", "summary"]
    reason: CompactionReason
    summary: str | None = None
    first_kept_id: str | None = None
    cleared_ids: tuple[str, ...] = ()
    # Factories' values are written even where they are empty: these fields are not optional.
    tokens_before: int = msgspec.field(default_factory=int)
    tokens_after: int = msgspec.field(default_factory=int)
    read_files: tuple[str, ...] = msgspec.field(default_factory=lambda: ())
    modified_files: tuple[str, ...] = msgspec.field(default_factory=lambda: ())


class LeafEntry(Entry, frozen=True, kw_only=True, tag="leaf"):
    """The conversation goes on behind `target_id`; from its beginning where that is None."""

    target_id: str | None


class BranchSummaryEntry(Entry, frozen=True, kw_only=True, tag="branch_summary"):
    """What happened on the branch that was left at `from_id`, told to the one that goes on."""

    from_id: str | None
    summary: str
    details: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])


class ModelChange(Entry, frozen=True, kw_only=True, tag="model_change"):
    """Another model answers from here on."""

    model: str


class ThinkingLevelChange(Entry, frozen=True, kw_only=True, tag="thinking_level_change"):
    """It thinks so much from here on: a budget in tokens, an effort, or nothing."""

    level: int | str | None


class TitleChange(Entry, frozen=True, kw_only=True, tag="title_change"):
    """The session is called so."""

    title: str


class LabelEntry(Entry, frozen=True, kw_only=True, omit_defaults=True, tag="label"):
    """An entry has a name, or none any more."""

    target_id: str
    label: str | None = None


class RunEnd(Entry, frozen=True, kw_only=True, tag="run_end"):
    """A run is settled. Counts and tokens are those of the session by then; `message_count` is that of its branch."""

    outcome: Outcome
    steps: int
    title: str | None
    model: str
    message_count: int
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0


Fact: TypeAlias = LeafEntry | ModelChange | ThinkingLevelChange | TitleChange | LabelEntry | RunEnd
"""What is small and says something of the session as a whole, so that it is decoded wherever it stands."""
Known: TypeAlias = Fact | CompactionEntry | BranchSummaryEntry
FACTS: Final = frozenset({"leaf", "model_change", "thinking_level_change", "title_change", "label", "run_end"})


class Stamped(msgspec.Struct, kw_only=True):
    """Of any entry: when it was written; empty where it does not say."""

    timestamp: str = ""


class Spent(msgspec.Struct, kw_only=True):
    """Of a message: who said it and what it cost."""

    role: str
    usage: TokenUsage | None = None


class Version(msgspec.Struct, kw_only=True):
    """Of a header: what can be trusted to be there in every version."""

    type: Literal["session"]
    version: int


NOT_DECODED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for a line that is damaged, whatever the damage."""
_ENCODER: Final = msgspec.json.Encoder()
decode_stub: Final = msgspec.json.Decoder(Stub).decode
decode_entry: Final = msgspec.json.Decoder(Stamped).decode
decode_fact: Final = msgspec.json.Decoder(Fact).decode
decode_known: Final = msgspec.json.Decoder(Known).decode
decode_message: Final = msgspec.json.Decoder(Message).decode
decode_spent: Final = msgspec.json.Decoder(Spent).decode
decode_version: Final = msgspec.json.Decoder(Version).decode
decode_header: Final = msgspec.json.Decoder(Header).decode


def line_of(entry: Header | Known) -> bytes:
    """Return a line of the file, its LF included."""
    return _ENCODER.encode(entry) + b"\n"


def message_line(entry_id: str, parent_id: str | None, timestamp: str, message: Message) -> bytes:
    """Return the line of a message: the fields of an entry, then those of the message."""
    head = _ENCODER.encode({"type": "message", "id": entry_id, "parent_id": parent_id, "timestamp": timestamp})
    return head[:-1] + b"," + _ENCODER.encode(message)[1:] + b"\n"
