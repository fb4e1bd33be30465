"""All that is known of a session without its bodies: the tree, and what small entries say of it as a whole.

A loaded session and a live one pass through the same `add`, line by line: what a process knows while it writes is what
the next one will know when it reads.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Literal, TypeAlias

from beyond_agent.sessions.entries import (
    FACTS,
    NOT_DECODED,
    LabelEntry,
    LeafEntry,
    ModelChange,
    RunEnd,
    ThinkingLevelChange,
    TitleChange,
    decode_fact,
    decode_stub,
)
from beyond_agent.sessions.tree import NONE, BadEntry, Tree

if TYPE_CHECKING:
    from beyond_agent.sessions.entries import Fact, Header
    from beyond_agent_core.events import Outcome

LastOutcome: TypeAlias = "Outcome | Literal['crashed'] | None"
"""How the last run ended; `crashed` for one that has no end in the file, None where there was none."""


class Outline:
    """`end` is the last run's end, `unsettled` the rows of messages behind it; `labels` are by row."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.tree = Tree()
        self.title = header.title
        self.model = header.model
        self.level: int | str | None = None
        self.labels: dict[int, str] = {}
        self.end: RunEnd | None = None
        self.unsettled = array("I")

    @property
    def outcome(self) -> LastOutcome:
        """How the last run ended, as far as the file tells."""
        if self.unsettled:
            return "crashed"
        return None if self.end is None else self.end.outcome

    @property
    def empty(self) -> bool:
        """Whether nothing was ever said: there are facts at most."""
        return not self.tree.spoken

    def add(self, line: bytes, start: int) -> int:
        """Take in the line that begins at byte `start`; return its row. Raises BadEntry, and nothing changed."""
        try:
            stub = decode_stub(line)
            fact = decode_fact(line) if stub.type in FACTS else None
        except NOT_DECODED as error:
            raise BadEntry(str(error)) from None
        tree = self.tree
        if isinstance(fact, LeafEntry | LabelEntry) and fact.target_id is not None and tree.row(fact.target_id) is None:
            raise BadEntry(f"its target {fact.target_id} is not there")
        row = tree.add(stub.type, stub.id, stub.parent_id, start, len(line))
        if fact is not None:
            self._learn(fact)
        elif stub.type == "message":
            self.unsettled.append(row)
        return row

    def _learn(self, fact: Fact) -> None:
        match fact:
            case LeafEntry():
                self.tree.move(self._row(fact.target_id))
            case LabelEntry():
                self.labels.pop(self._row(fact.target_id), None)
                if fact.label is not None:
                    self.labels[self._row(fact.target_id)] = fact.label
            case ModelChange():
                self.model = fact.model
            case ThinkingLevelChange():
                self.level = fact.level
            case TitleChange():
                self.title = fact.title
            case RunEnd():
                self.end = fact
                del self.unsettled[:]

    def _row(self, entry_id: str | None) -> int:
        row = None if entry_id is None else self.tree.row(entry_id)
        return NONE if row is None else row
