"""A session's tree to look at: its entries and its tips, each with the beginning of what it says.

Nothing of this is kept: bodies are read from the file for the page that is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from beyond_agent.sessions.entries import (
    NOT_DECODED,
    BranchSummaryEntry,
    CompactionEntry,
    Entry,
    LabelEntry,
    ModelChange,
    RunEnd,
    ThinkingLevelChange,
    TitleChange,
    decode_entry,
    decode_known,
    decode_message,
)
from beyond_agent.sessions.errors import NotFound
from beyond_agent.sessions.naming import PREVIEW, one_line
from beyond_wire.types import ImageBlock, TextBlock, ToolResultBlock, ToolUseBlock

if TYPE_CHECKING:
    from beyond_agent.sessions.book import Book
    from beyond_wire.types import Message

PAGE: Final = 500
"""Entries of a tree that are given at once where nobody says how many."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a tree; `role` is that of a message, `preview` at most 120 characters on one line."""

    id: str
    parent_id: str | None
    type: str
    timestamp: str
    role: str | None = None
    preview: str = ""
    label: str | None = None


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A tip of a tree: what can be gone on from. `message_count` counts from the beginning to it."""

    leaf_id: str
    active: bool
    message_count: int
    preview: str
    label: str | None = None


def row_of(book: Book, entry_id: str) -> int:
    """Return the row of an entry. Raises NotFound naming it."""
    row = book.outline.tree.row(entry_id)
    if row is None:
        raise NotFound(f"no entry {entry_id!r} in this session: get_tree lists what there is")
    return row


def nodes(book: Book, since: str | None, limit: int) -> tuple[list[Node], str | None]:
    """Return up to `limit` entries behind `since` in order of arrival, and the id to ask for the rest with.

    That id is None where nothing is left. Raises NotFound, SessionIO.
    """
    tree = book.outline.tree
    start = 0 if since is None else row_of(book, since) + 1
    end = min(start + max(1, limit), len(tree))
    found = [_node(book, row) for row in range(start, end)]
    return found, tree.id(end - 1) if end < len(tree) else None


def branches(book: Book) -> list[Branch]:
    """Return all tips, in order of arrival. Raises SessionIO."""
    tree, labels = book.outline.tree, book.outline.labels
    return [
        Branch(
            leaf_id=tree.id(row) or "",
            active=row == tree.tip,
            message_count=tree.messages_to(row),
            preview=_node(book, row).preview,
            label=labels.get(row),
        )
        for row in tree.leaves()
    ]


def said_in(message: Message) -> str:
    """Return the text of a message, else what it holds in its place."""
    text = " ".join(block.text for block in message.content if isinstance(block, TextBlock))
    return text if text.strip() else " ".join(filter(None, map(_named, message.content)))


def _named(block: object) -> str:
    match block:
        case ToolUseBlock():
            return f"[{block.name}]"
        case ToolResultBlock():
            return block.content
        case ImageBlock():
            return "[image]"
        case _:
            return ""


def _node(book: Book, row: int) -> Node:
    tree, line = book.outline.tree, book.line(row)
    role, preview, timestamp = None, "", ""
    try:
        timestamp = decode_entry(line).timestamp
        if tree.kind(row) == "message":
            message = decode_message(line)
            role, preview = message.role, said_in(message)
        else:
            preview = _told(decode_known(line))
    except NOT_DECODED:
        pass  # a damaged body, or a kind of a later program: the entry is there all the same
    return Node(
        id=tree.id(row) or "",
        parent_id=tree.id(tree.parent(row)),
        type=tree.kind(row),
        timestamp=timestamp,
        role=role,
        preview=one_line(preview, PREVIEW),
        label=book.outline.labels.get(row),
    )


def _told(entry: Entry) -> str:
    match entry:
        case CompactionEntry():
            return entry.summary or "[results cleared]"
        case BranchSummaryEntry():
            return entry.summary
        case ModelChange():
            return entry.model
        case ThinkingLevelChange():
            return str(entry.level)
        case TitleChange():
            return entry.title
        case LabelEntry():
            return entry.label or ""
        case RunEnd():
            return entry.outcome
        case _:
            return ""
