"""What a list of sessions shows, from the ends of each file: its first 8 KiB and its last 64 KiB, never more.

The beginning has the header and the first prompt, the end has the title, the model and the count that the last run
left there. What stands in neither is None: a thousand long sessions must not be read for one screen.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from beyond_agent.sessions.entries import NOT_DECODED, decode_entry, decode_message, decode_stub
from beyond_agent.sessions.errors import SessionError
from beyond_agent.sessions.naming import PREVIEW, one_line, stamp
from beyond_agent.sessions.outline import Outline
from beyond_agent.sessions.scan import header_in, open_file
from beyond_agent.sessions.tree import BadEntry
from beyond_agent.sessions.views import said_in

if TYPE_CHECKING:
    from beyond_agent.sessions.entries import Header

HEAD: Final = 8 << 10
TAIL: Final = 64 << 10
"""Bytes of a file that a list reads (agent contract, sessions on disk)."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A session in a list. None stands for what the ends of its file do not show.

    `message_count` is that of the active branch, `preview` the beginning of the first prompt; times are in UTC.
    """

    id: str
    title: str | None
    cwd: str
    model: str
    created_at: str
    updated_at: str
    message_count: int | None
    preview: str | None
    parent: str | None
    path: str

    def has(self, query: str) -> bool:
        """Whether what is shown of it contains `query`, whatever the case."""
        shown = (self.id, self.title, self.cwd, self.model, self.preview)
        return any(query.casefold() in text.casefold() for text in shown if text)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a list, newest first, out of `total`."""

    sessions: list[Listed]
    total: int


def glance(path: str) -> Listed | None:
    """Return what a list shows of a session; None for one that holds no message, and for what is none."""
    try:
        fd = open_file(path, os.O_RDONLY)
    except SessionError:
        return None
    try:
        info = os.fstat(fd)
        head = os.pread(fd, HEAD, 0)
        start = max(info.st_size - TAIL, len(head))
        tail = os.pread(fd, TAIL, start) if info.st_size > start else b""
        first = head[: head.find(b"\n") + 1] or head
        header = header_in(first, path)
    except (OSError, SessionError):
        return None
    finally:
        os.close(fd)
    seen = _Seen(header)
    if start == len(head):
        seen.take(head[len(first) :] + tail, whole=True)
    else:
        seen.take(head[len(first) : head.rfind(b"\n") + 1], whole=True)
        seen.forget()
        # The first line of the end is a part of one, unless the cut fell between two; it is left out either way.
        seen.take(tail[tail.find(b"\n") + 1 :], whole=False)
    return seen.listed(path, info.st_mtime)


class _Seen:
    """What lines say, those of the beginning and then those of the end."""

    def __init__(self, header: Header) -> None:
        self.outline = Outline(header)
        self.spoken = False
        self.count: int | None = 0
        self.preview: str | None = None
        self.updated_at = ""

    def forget(self) -> None:
        """Go on behind lines that are not seen: what is counted from here on begins at the end of a run."""
        self.count = None
        self.spoken = True

    def take(self, text: bytes, *, whole: bool) -> None:
        """Take in lines; `whole` says that all those before were taken in too."""
        for line in filter(None, text.split(b"\n")):
            try:
                row = self.outline.add(line, 0)
            except BadEntry:
                self._without_place(line)
                continue
            kind = self.outline.tree.kind(row)
            self.spoken = self.spoken or kind == "message"
            self._count(kind, whole=whole)
            self._preview(line, kind, whole=whole)
            self._time(line)

    def listed(self, path: str, changed: float) -> Listed | None:
        if not self.spoken:
            return None
        outline = self.outline
        return Listed(
            id=outline.header.id,
            title=outline.title,
            cwd=outline.header.cwd,
            model=outline.model,
            created_at=outline.header.created_at,
            updated_at=self.updated_at or stamp(datetime.fromtimestamp(changed, UTC)),
            message_count=self.count,
            preview=self.preview,
            parent=outline.header.parent,
            path=path,
        )

    def _count(self, kind: str, *, whole: bool) -> None:
        tree = self.outline.tree
        if whole:
            self.count = tree.messages_to(tree.tip)
        elif kind == "run_end" and self.outline.end is not None:
            self.count = self.outline.end.message_count
            self.outline.title, self.outline.model = self.outline.end.title, self.outline.end.model
        elif kind == "message" and self.count is not None:
            self.count += 1
        elif kind == "leaf":
            self.count = None

    def _preview(self, line: bytes, kind: str, *, whole: bool) -> None:
        if not whole or kind != "message" or self.preview is not None:
            return
        try:
            message = decode_message(line)
        except NOT_DECODED:
            return
        if message.role == "user":
            self.preview = one_line(said_in(message), PREVIEW)

    def _time(self, line: bytes) -> None:
        try:
            self.updated_at = decode_entry(line).timestamp or self.updated_at
        except NOT_DECODED:
            return

    def _without_place(self, line: bytes) -> None:
        """Read a fact whose target is not among the lines that are seen."""
        try:
            if decode_stub(line).type == "leaf":
                self.count = None
        except NOT_DECODED:
            return
