"""From a session's file to the conversation that a model is sent: the active branch's messages, as core keeps them.

The file keeps all that was ever said. What counts is the path from the beginning to the tip; on it the latest summary
stands for everything before the first entry that it kept, and messages whose results a compaction cut are cut again.
Only these bodies are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from beyond_agent.sessions.entries import (
    NOT_DECODED,
    BranchSummaryEntry,
    CompactionEntry,
    decode_known,
    decode_message,
    decode_spent,
)
from beyond_agent.sessions.scan import Skipped
from beyond_agent_core.compaction_plan import cleared
from beyond_agent_core.compaction_text import summary_text
from beyond_agent_core.run import BROKEN_OFF
from beyond_agent_core.session import Provenance, Session
from beyond_wire.types import Message, TokenUsage, ToolResultBlock, tool_uses, user

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_agent.sessions.outline import Outline

LEFT_BRANCH: Final = "[Summary of another branch of this conversation, which was left]"
"""First line of a branch's summary as the model sees it."""

_COUNTS: Final = tuple(TokenUsage.__struct_fields__)
_RECENT: Final = user("----")


class Context(msgspec.Struct):
    """A session as core keeps it, and beside each of its messages the id of the entry that it comes from.

    A message that was added to mend the end has no entry yet, so `ids` may be one shorter than the messages.
    """

    session: Session
    ids: list[str]
    skipped: Skipped


class _Folded(msgspec.Struct):
    """The rows that count on a path, and what compactions on it left."""

    rows: list[int]
    summaries: dict[int, CompactionEntry]
    cleared: set[str]
    provenance: Provenance = Provenance()
    last: int = -1


def build(outline: Outline, read: Callable[[int], bytes]) -> Context:
    """Return the context of the active branch; `read` gives the line of a row. Bad bodies are left out and told."""
    skipped, ids, messages, sources = Skipped(), list[str](), list[Message](), list[int]()
    folded = _folded(outline, read, skipped)
    for row in folded.rows:
        entry_id = outline.tree.id(row) or ""
        try:
            message = _message(folded, row, outline.tree.kind(row), read)
        except NOT_DECODED as error:
            skipped.note(None, outline.tree.place(row)[0], str(error))
            continue
        messages.append(_cleared(message) if entry_id in folded.cleared else message)
        ids.append(entry_id)
        sources.append(row)
    session = _with_totals(outline, read, messages, sources, folded)
    for message in messages:
        session.push(message)
    _mend(session, messages)
    return Context(session, ids, skipped)


def with_results(message: Message) -> Message | None:
    """Return what answers the calls of a message that was the last one when its run broke off; None without calls."""
    if message.role != "assistant" or message.aborted or message.error_message is not None:
        return None
    results = tuple(
        ToolResultBlock(tool_use_id=call.id, content=BROKEN_OFF, is_error=True) for call in tool_uses(message)
    )
    return Message(role="user", content=results) if results else None


def branch_text(summary: str) -> str:
    """Return a branch's summary as the model sees it."""
    return f"{LEFT_BRANCH}\n\n{summary}"


def _folded(outline: Outline, read: Callable[[int], bytes], skipped: Skipped) -> _Folded:
    tree, folded = outline.tree, _Folded(rows=[], summaries={}, cleared=set())
    for row in tree.path(tree.tip):
        if tree.kind(row) in ("message", "branch_summary"):
            folded.rows.append(row)
        if tree.kind(row) != "compaction":
            continue
        try:
            entry = decode_known(read(row))
        except NOT_DECODED as error:
            skipped.note(None, tree.place(row)[0], str(error))
            continue
        if isinstance(entry, CompactionEntry):
            _fold(folded, entry, row, None if entry.first_kept_id is None else tree.row(entry.first_kept_id))
    return folded


def _fold(folded: _Folded, entry: CompactionEntry, row: int, kept: int | None) -> None:
    folded.cleared.update(entry.cleared_ids)
    folded.last = row
    if entry.mode == "clear":
        return
    first = len(folded.rows)
    if entry.first_kept_id is not None:
        # Where the line of the first kept entry is damaged, too much is better than too little.
        first = folded.rows.index(kept) if kept in folded.rows else 0
    folded.rows[:first] = [row]
    folded.summaries[row] = entry
    folded.provenance = Provenance(
        summary=entry.summary or "",
        first_kept=first,
        read_files=entry.read_files,
        modified_files=entry.modified_files,
    )


def _message(folded: _Folded, row: int, kind: str, read: Callable[[int], bytes]) -> Message:
    if kind == "message":
        return decode_message(read(row))
    if kind == "compaction":
        entry = folded.summaries[row]
        return user(summary_text(entry.summary or "", entry.read_files, entry.modified_files))
    entry = decode_known(read(row))
    return user(branch_text(entry.summary if isinstance(entry, BranchSummaryEntry) else ""))


def _cleared(message: Message) -> Message:
    """Cut the results of a message as a compaction does, which leaves the newest message alone."""
    return cleared((message, _RECENT), 1)[0]


def _with_totals(
    outline: Outline,
    read: Callable[[int], bytes],
    messages: list[Message],
    sources: list[int],
    folded: _Folded,
) -> Session:
    """Return an empty session with what was used so far: by the last end of a run, and by messages behind it."""
    end = outline.end
    totals: dict[str, int] = {name: getattr(end, name) if end else 0 for name in (*_COUNTS, "steps")}
    for row in outline.unsettled:
        try:
            spent = decode_spent(read(row))
        except NOT_DECODED:
            continue
        if spent.role == "assistant" and spent.usage is not None:
            totals["steps"] += 1
            for name in _COUNTS:
                totals[name] += getattr(spent.usage, name)
    for at in range(len(messages) - 1, -1, -1):
        usage = messages[at].usage
        # A compaction makes the size of the prompt unknown until a next turn.
        if usage is not None and sources[at] > folded.last:
            totals["last_input_tokens"] = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
            totals["last_output_tokens"] = usage.output_tokens
            totals["last_usage_message_count"] = at + 1
            break
    return Session.decode(msgspec.json.encode({**totals, "compaction": folded.provenance}))


def _mend(session: Session, messages: list[Message]) -> None:
    results = with_results(messages[-1]) if messages else None
    if results is not None:
        session.push(results)
