"""Brings what a run has changed in a core session into the log: new messages, and compactions as one entry each.

The session grows at its end, or has its messages replaced by a compaction, which leaves kept messages the same objects.
So comparing by identity tells which were kept, which were cut, and which are new. Each checkpoint writes what the one
before could not, because only what was written counts as known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_agent.sessions.entries import CompactionEntry
from beyond_agent_core.compaction_plan import is_summary
from beyond_agent_core.estimate import tokens_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_agent.sessions.book import Book
    from beyond_agent.sessions.context import Context
    from beyond_agent_core.events import Compacted
    from beyond_agent_core.session import Session
    from beyond_wire.types import Message


class Recorder:
    """`session` is what runs work on; `ids` are the entries of its messages that were written, in order."""

    def __init__(self, book: Book, context: Context) -> None:
        self.session: Session = context.session
        self.ids = context.ids
        self.told: Compacted | None = None
        self._book = book
        self._known: list[Message] = list(context.session.messages[: len(context.ids)])
        self._provenance = context.session.compaction

    @property
    def written(self) -> Sequence[Message]:
        """The messages that were written, in order."""
        return self._known

    def record(self) -> None:
        """Write what is new. Raises SessionSuperseded or SessionIO; what was written until then is known."""
        messages = self.session.messages
        if self.session.compaction is not self._provenance:
            self._compaction(messages)
            self._provenance = self.session.compaction
        self._extend(messages[len(self._known) :])

    def push(self, message: Message, entry_id: str) -> None:
        """Add a message to the session whose entry is there already."""
        self.session.push(message)
        self._known.append(message)
        self.ids.append(entry_id)

    def _extend(self, messages: Sequence[Message]) -> None:
        for message in messages:
            entry_id = self._book.add_message(message)
            self._known.append(message)
            self.ids.append(entry_id)

    def _compaction(self, messages: Sequence[Message]) -> None:
        known = self._known
        if messages and is_summary(messages[0]) and (not known or messages[0] is not known[0]):
            self._summary(messages)
            return
        # What a failed checkpoint left unwritten is written first: it stands behind what the entry speaks of.
        cut = [at for at, (old, new) in enumerate(zip(known, messages, strict=False)) if old is not new]
        self._extend(messages[len(known) :])
        if cut:
            self._add(messages, mode="clear", cleared_ids=tuple(self.ids[at] for at in cut))
            self._known = list(messages)

    def _summary(self, messages: Sequence[Message]) -> None:
        kept = messages[1:]
        first = next((at for at, old in enumerate(self._known) if kept and old is kept[0]), len(self._known))
        still = self._known[first:]
        if any(old is not new for old, new in zip(still, kept, strict=False)):
            # Two compactions, and the first was not written: what was kept is written again as it is now.
            first, still = len(self._known), []
        self._extend(kept[len(still) :])
        provenance = self.session.compaction
        entry_id = self._add(
            messages,
            mode="summary",
            summary=provenance.summary,
            first_kept_id=self.ids[first] if first < len(self.ids) else None,
            read_files=provenance.read_files,
            modified_files=provenance.modified_files,
        )
        self._known = list(messages)
        self.ids = [entry_id, *self.ids[first:]]

    def _add(self, messages: Sequence[Message], *, mode: str, **fields: object) -> str:
        """Append the entry of a compaction, with the figures of its event where that was told."""
        told = self.told if self.told is not None and self.told.mode == mode else None
        self.told = None
        return self._book.add(
            CompactionEntry,
            mode=mode,
            reason="threshold" if told is None else told.reason,
            tokens_before=tokens_of(self._known) if told is None else told.tokens_before,
            tokens_after=tokens_of(messages) if told is None else told.tokens_after,
            **fields,
        )
