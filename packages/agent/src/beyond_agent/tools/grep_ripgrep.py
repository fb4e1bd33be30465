"""grep by ripgrep: its flags, its output, and when there is enough of it.

ripgrep searches with all cores and prints files in the order of their end. All that it finds is collected and sorted,
up to a bound; beyond that it is run again in path order, with one thread, until the limit is reached. So what is shown
does not depend on timing.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from beyond_agent.tools.grep_python import understands
from beyond_agent.tools.grep_query import FileHits, Found, head_of
from beyond_agent.tools.listing import MOST_RESULTS, name_bytes, path_order
from beyond_agent.tools.search_glob import narrowing
from beyond_agent.tools.search_ripgrep import WALK, Enough, complaint, run_ripgrep
from beyond_agent_core.errors import InvalidInput

if TYPE_CHECKING:
    from beyond_agent.seams import CommandRunner
    from beyond_agent.tools.grep_query import Query

# A record is path, NUL, line number, NUL, text, line feed. A long line is cut by ripgrep well beyond what is kept.
_PRINT: Final = (
    "--no-heading",
    "--with-filename",
    "--line-number",
    "--no-column",
    "--no-trim",
    r"--field-match-separator=\x00",
    "--max-columns=4096",
    "--max-columns-preview",
)
_BINARY: Final = b": WARNING: stopped searching binary file after match ("
"""What ripgrep prints after the path of a file of which it has printed matches before it met a NUL."""
_SPECIAL: Final = re.compile(r"[^A-Za-z0-9_./-]")


async def search(runner: CommandRunner, program: str, query: Query) -> Found | None:
    """Return what ripgrep finds, None where it is too old to do it and Python can.

    Raises InvalidInput for a pattern that it refuses, ExecutionFailed, OSError where it cannot be started.
    """
    argv = (program, *_PRINT, *WALK, *_places(query), *_pattern(query))
    collected = Collected(query, MOST_RESULTS)
    ended = await run_ripgrep(runner, (*argv, "./"), query.root.folder, collected.take)
    if collected.full:
        collected = Collected(query, query.limit)
        ended = await run_ripgrep(runner, (*argv, "--sort=path", "./"), query.root.folder, collected.take)
    found = collected.found()
    if ended.faulty and not ended.unreadable and not found:
        # It refused the pattern or a flag, as older ones do, or only tells of a rule in a folder above.
        if understands(query):
            return None
        refused = await complaint(runner, (program, "--no-config", *_pattern(query)))
        if refused is not None:
            raise InvalidInput(f"bad pattern: {refused}")
    return Found(found, ended.unreadable)


class Collected:
    """Takes ripgrep's output. `take` raises Enough when there are more than `most` lines in files that have ended."""

    def __init__(self, query: Query, most: int) -> None:
        self.full = False
        self._query = query
        self._wanted = query.wanted()
        self._most = most
        self._rest = b""
        # The begin of a record whose path holds a line feed.
        self._carried = b""
        self._path = b""
        self._current: list[tuple[int, bytes]] | None = None
        self._ended: list[FileHits] = []
        self._count = 0

    def take(self, piece: bytes) -> None:
        """Take the next bytes."""
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            fields = line.split(b"\0", 2)
            if len(fields) == 3:
                self._match(self._carried + fields[0], fields[1], fields[2])
                self._carried = b""
            else:
                self._other(line)

    def found(self) -> list[FileHits]:
        """Return the files with their matches in path order, when the output is at its end."""
        if not self.full:
            self._end_file()
        return sorted(self._ended, key=lambda each: path_order(name_bytes(each.path)))

    def _match(self, path: bytes, number: bytes, text: bytes) -> None:
        if path != self._path:
            self._end_file()
            if self._count > self._most:
                self.full = True
                raise Enough
            self._path = path
            self._current = [] if self._wanted(_relative(path)) else None
        # More than one above the limit is never asked for, but the end of the file is: it may be binary.
        if self._current is not None and len(self._current) <= self._query.limit:
            self._current.append((int(number), head_of(text)))

    def _other(self, line: bytes) -> None:
        line = self._carried + line
        if self._path and line.startswith(self._path + _BINARY):
            self._current = None
            self._carried = b""
        else:
            self._carried = line + b"\n"

    def _end_file(self) -> None:
        if self._current:
            path = _relative(self._path)
            self._ended.append(FileHits(self._query.root.shown or path, self._current))
            self._count += len(self._current)
        self._current = None


def _relative(path: bytes) -> str:
    return os.fsdecode(path.removeprefix(b"./"))


def _places(query: Query) -> tuple[str, ...]:
    name = query.root.name
    if name is None:
        return narrowing(query.glob)
    # ripgrep would search a file given by name although it is binary. As the one glob that is wanted it is not.
    return ("--max-depth=1", f"--glob=/{_SPECIAL.sub(_escaped, name)}")


def _escaped(special: re.Match[str]) -> str:
    char = special.group()
    if char.isprintable() and not char.isspace():
        return f"\\{char}" if char.isascii() else char
    # What a glob cannot say well is any byte to it; other files that fit are not wanted.
    return "?" * len(os.fsencode(char))


def _pattern(query: Query) -> tuple[str, ...]:
    case = "--ignore-case" if query.ignore_case else "--case-sensitive"
    return (case, *(("--fixed-strings",) if query.literal else ()), f"--regexp={query.pattern}")
