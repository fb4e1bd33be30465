"""One pass over a session's file: where every entry is and what it follows, and which lines are none.

A log is cut by kills and full disks, and edited by hand: a bad line costs itself, wherever it is, and is reported. The
first line is another matter, for without it nobody knows whose file this is: a bad header is refused, and whoever
refuses does not write.
"""

from __future__ import annotations

import os
import stat
from typing import Final

import msgspec

from beyond_agent.sessions.entries import NOT_DECODED, VERSION, Header, decode_header, decode_version
from beyond_agent.sessions.errors import NotFound, SessionCorrupt, SessionIO, SessionVersion
from beyond_agent.sessions.outline import Outline
from beyond_agent.sessions.tree import BadEntry

MOST_HEADER: Final = 1 << 16
"""Bytes of a first line that may be a header: a path and a title are far shorter."""
MOST_PLACES: Final = 20
"""Bad lines that are named one by one: a report is for reading."""
BUFFER: Final = 1 << 20


class Skipped(msgspec.Struct):
    """Lines that could not be read: how many, and of the first 20 their number, byte and reason.

    The number is None for a line that has its place in the tree, and whose body turned out to be bad later.
    """

    count: int = 0
    places: list[tuple[int | None, int, str]] = msgspec.field(default_factory=list[tuple[int | None, int, str]])

    def note(self, line: int | None, start: int, why: str) -> None:
        """Add one."""
        self.count += 1
        if len(self.places) < MOST_PLACES:
            self.places.append((line, start, why))

    def __str__(self) -> str:
        """Say it on one line; empty where there is nothing to say."""
        if not self.count:
            return ""
        named = [f"{f'line {line} at ' if line else ''}byte {start}: {why}" for line, start, why in self.places]
        if self.count > len(named):
            named.append(f"and {self.count - len(named)} more")
        return f"{self.count} {'line' if self.count == 1 else 'lines'} skipped: {'; '.join(named)}"

    def join(self, other: Skipped) -> None:
        """Add what another pass found."""
        self.count += other.count
        self.places += other.places[: MOST_PLACES - len(self.places)]


class Scanned(msgspec.Struct):
    """What a file holds. `torn` says that its last line has no LF, which is due before anything is appended."""

    outline: Outline
    skipped: Skipped
    torn: bool


def open_file(path: str, flags: int) -> int:
    """Return a descriptor of a session's file. Raises NotFound, SessionCorrupt for what is no file, SessionIO."""
    try:
        # A FIFO would block the open until somebody writes to it.
        fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound(f"no session at {path}: name another, or list them with `beyond-ai-agent sessions`") from None
    except ValueError:
        raise NotFound(f"no session at {path!r}, which no file can be called: name another") from None
    except IsADirectoryError:
        raise SessionCorrupt(path, "it is a directory") from None
    except OSError as error:
        raise SessionIO("cannot open", path, error) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise SessionCorrupt(path, "it is no regular file")
    return fd


def header_in(line: bytes, path: str) -> Header:
    """Return the header in a first line. Raises SessionCorrupt or SessionVersion."""
    if not line:
        raise SessionCorrupt(path, "it is empty")
    try:
        version = decode_version(line).version
        if version > VERSION:
            raise SessionVersion(path, version, VERSION)
        if version < VERSION:
            raise SessionCorrupt(path, f"its version is {version}")
        return decode_header(line)
    except NOT_DECODED as error:
        raise SessionCorrupt(path, f"its first line is no header ({error})") from None


def read_header(fd: int, path: str) -> Header:
    """Return the header of an open file. Raises SessionCorrupt, SessionVersion, SessionIO."""
    try:
        text = os.pread(fd, MOST_HEADER, 0)
    except OSError as error:
        raise SessionIO("cannot read", path, error) from error
    return header_in(text[: text.find(b"\n") + 1] or text, path)


def scan(fd: int, path: str) -> Scanned:
    """Read the file once, from its beginning. Raises SessionCorrupt, SessionVersion, SessionIO."""
    try:
        with os.fdopen(os.dup(fd), "rb", buffering=BUFFER) as file:
            file.seek(0)
            line = file.readline(MOST_HEADER)
            outline, skipped, start, number = Outline(header_in(line, path)), Skipped(), len(line), 1
            for line in file:
                number += 1
                _take(outline, skipped, line, start, number)
                start += len(line)
    except OSError as error:
        raise SessionIO("cannot read", path, error) from error
    return Scanned(outline, skipped, torn=not line.endswith(b"\n"))


def _take(outline: Outline, skipped: Skipped, line: bytes, start: int, number: int) -> None:
    try:
        outline.add(line, start)
    except BadEntry as error:
        # A blank line is what closing a torn line leaves where the tear was at its very beginning.
        if line.strip():
            skipped.note(number, start, str(error))
