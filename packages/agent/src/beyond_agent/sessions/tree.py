"""The tree that the entries of a session form, without their bodies: who follows whom, and where in the file they are.

A row is an entry's place in order of arrival; -1 stands for none. All of it lies in arrays, because a long session has
hundreds of thousands of rows, of which a few are ever looked at. A parent stands before its children, so there is no
cycle. A damaged line must cost that line only: who names a parent that is not there follows the tip of that moment.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NONE: Final = -1
MOVING: Final = ("message", "compaction", "branch_summary")
"""Kinds that become the tip. A compaction does too: the turn behind it may never come, and it was paid for."""

_MOST: Final = 0xFFFFFFFF


class BadEntry(ValueError):  # noqa: N818 - it says what is wrong
    """A line that cannot be a part of the tree; the text says why."""


class Tree:
    """`tip` is the row that the conversation goes on from; `spoken` says that there was ever one.

    One thread adds; others may look meanwhile, and see whole rows.
    """

    def __init__(self) -> None:
        self.tip = NONE
        self.spoken = False
        self._names: list[str] = [*MOVING]
        self._rows: dict[int, int] = {}
        self._ids = array("I")
        self._parents = array("i")
        self._kinds = array("B")
        self._messages = array("I")
        self._starts = array("Q")
        self._sizes = array("I")

    def __len__(self) -> int:
        return len(self._sizes)

    # -- growing

    def add(self, kind: str, entry_id: str, parent_id: str | None, start: int, size: int) -> int:
        """Add an entry whose line is `size` bytes at `start`; return its row. Raises BadEntry, and nothing changed."""
        number = _number(entry_id)
        if number in self._rows:
            raise BadEntry(f"the id {entry_id} is there already")
        parent = NONE if parent_id is None else self._rows.get(_number(parent_id), self.tip)
        row = len(self)
        self._ids.append(number)
        self._parents.append(parent)
        self._kinds.append(self._kind_number(kind))
        self._messages.append((self._messages[parent] if parent != NONE else 0) + (kind == "message"))
        self._starts.append(start)
        # What a reader in another thread goes by comes last.
        self._sizes.append(size)
        self._rows[number] = row
        if kind in MOVING:
            self.tip = row
            self.spoken = True
        return row

    def move(self, row: int) -> None:
        """Go on from a row, or from its nearest ancestor that can be a tip; from the beginning where that is none."""
        while row != NONE and not self.moves(row):
            row = self._parents[row]
        self.tip = row

    def _kind_number(self, kind: str) -> int:
        if kind not in self._names:
            if len(self._names) > 255:  # kinds beyond what a byte holds are all one
                return 255
            self._names.append(kind)
        return self._names.index(kind)

    # -- looking

    def row(self, entry_id: str) -> int | None:
        """Return the row of an id; None where there is none."""
        try:
            return self._rows.get(_number(entry_id))
        except BadEntry:
            return None

    def id(self, row: int) -> str | None:
        """Return the id of a row; None for no row."""
        return None if row == NONE else f"{self._ids[row]:08x}"

    def kind(self, row: int) -> str:
        """Return what an entry is."""
        return self._names[self._kinds[row]]

    def parent(self, row: int) -> int:
        """Return the row that a row follows."""
        return self._parents[row]

    def place(self, row: int) -> tuple[int, int]:
        """Return where the line of a row begins, and its bytes, LF included where it has one."""
        return self._starts[row], self._sizes[row]

    def moves(self, row: int) -> bool:
        """Whether a row is of a kind that can be the tip."""
        return self._kinds[row] < len(MOVING)

    def messages_to(self, row: int) -> int:
        """Count the messages on the path to a row, itself included."""
        return 0 if row == NONE else self._messages[row]

    def path(self, row: int) -> list[int]:
        """Return the rows from the beginning to a row, itself included."""
        rows: list[int] = []
        while row != NONE:
            rows.append(row)
            row = self._parents[row]
        rows.reverse()
        return rows

    def fresh_id(self, chance: Callable[[int], bytes]) -> str:
        """Return an id that no entry has yet."""
        while int.from_bytes(drawn := chance(4), "big") in self._rows:
            pass
        return drawn.hex()

    def leaves(self) -> Iterator[int]:
        """Yield the rows that nothing of the conversation follows, and the tip; in order of arrival."""
        rows = range(len(self))
        followed = bytearray(len(rows))
        for row in rows:
            if self.moves(row) and self._parents[row] != NONE:
                followed[self._parents[row]] = True
        return (row for row in rows if self.moves(row) and (not followed[row] or row == self.tip))


def _number(entry_id: str) -> int:
    try:
        number = int(entry_id, 16)
    except ValueError:
        raise BadEntry(f"{entry_id!r} is no id") from None
    # Eight digits are what a row keeps of it; a sign or a ninth digit would be read as a number too.
    if f"{number:08x}" != entry_id or not 0 <= number <= _MOST:
        raise BadEntry(f"{entry_id!r} is no id")
    return number
