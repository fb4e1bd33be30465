"""A log and its outline, kept alike: what is appended is understood the way that it will be when it is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from beyond_agent.sessions.context import build
from beyond_agent.sessions.entries import line_of, message_line
from beyond_agent.sessions.naming import stamp, wall_clock
from beyond_wire.surrogates import clean_messages, clean_value

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from beyond_agent.sessions.context import Context
    from beyond_agent.sessions.entries import Known
    from beyond_agent.sessions.log import Log
    from beyond_agent.sessions.outline import Outline
    from beyond_wire.types import Message


class Book:
    """`clock` gives wall time for stamps, `chance` so many random bytes for ids.

    All that appends raises SessionSuperseded or SessionIO, and then the outline is as it was.
    """

    def __init__(
        self,
        outline: Outline,
        log: Log,
        clock: Callable[[], datetime] = wall_clock,
        chance: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.outline = outline
        self.log = log
        self._clock = clock
        self._chance = chance

    def add(self, kind: Callable[..., Known], **fields: Any) -> str:
        """Append an entry that follows the tip; return its id."""
        entry = kind(**self._place(), **fields)
        try:
            line = line_of(entry)
        except UnicodeEncodeError:
            line = line_of(kind(**self._place(), **clean_value(fields)))
        return self.add_line(line)

    def add_message(self, message: Message) -> str:
        """Append a message that follows the tip; return its id."""
        place = self._place()
        try:
            line = message_line(place["id"], place["parent_id"], place["timestamp"], message)
        except UnicodeEncodeError:
            # Some tool's output was no Unicode. UTF-8 has no word for half a character, and the file must be UTF-8.
            clean = replace(
                clean_messages([message])[0],
                model_id=clean_value(message.model_id),
                error_message=clean_value(message.error_message),
            )
            line = message_line(place["id"], place["parent_id"], place["timestamp"], clean)
        return self.add_line(line)

    def add_line(self, line: bytes) -> str:
        """Append a line as it is, LF included; return the id of its entry."""
        return self.outline.tree.id(self.outline.add(line, self.log.append(line))) or ""

    def line(self, row: int) -> bytes:
        """Return the line of a row. Raises SessionIO."""
        return self.log.read(self.outline.tree.place(row))

    def context(self) -> Context:
        """Return the conversation of the active branch. Raises SessionIO."""
        return build(self.outline, self.line)

    def _place(self) -> dict[str, Any]:
        tree = self.outline.tree
        return {
            "id": tree.fresh_id(self._chance),
            "parent_id": tree.id(tree.tip),
            "timestamp": stamp(self._clock()),
        }
