"""grep in Python, for where there is no ripgrep: the same lines of the same files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from beyond_agent.tools.grep_class import BadPattern, OnlyRipgrep
from beyond_agent.tools.grep_pattern import python_regex
from beyond_agent.tools.grep_query import FileHits, Found, head_of
from beyond_agent.tools.search_walk import Stopped, Walk
from beyond_agent_core.errors import InvalidInput

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator

    from beyond_agent.seams import FileSystem
    from beyond_agent.tools.grep_query import Query

_BLOCK: Final = 1 << 18
"""Characters that are searched before it is asked again whether anybody waits."""
_UTF_16: Final = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_UTF_8: Final = b"\xef\xbb\xbf"


def search(files: FileSystem, query: Query, stop: Callable[[], bool]) -> Found:
    """Return what is found, no more files than the limit needs. Raises InvalidInput for what only ripgrep does."""
    lines = _Lines(query, stop)
    wanted = query.wanted()
    found: list[FileHits] = []
    count = 0
    unreadable = False
    walk = Walk(files, query.root.folder, stop)
    for path in walk.paths() if query.root.name is None else (query.root.name,):
        if not wanted(path):
            continue
        try:
            content = searchable(files.read(walk.absolute(path)))
        except OSError:
            unreadable = True
            continue
        hits = lines.matching(content) if content else None
        if hits:
            found.append(FileHits(query.root.shown or path, hits))
            count += len(hits)
            if count > query.limit:
                break
    return Found(found, unreadable or walk.unreadable)


def understands(query: Query) -> bool:
    """Return whether Python can search for this pattern."""
    try:
        _compiled(query, ascii_only=True)
    except InvalidInput:
        return False
    return True


def searchable(content: bytes) -> bytes | None:
    """Return a file's text as grep sees it, None for a binary file; UTF-16 with its mark becomes UTF-8."""
    for mark, encoding in _UTF_16:
        if content.startswith(mark):
            content = content[len(mark) :].decode(encoding, "replace").encode()
    return None if b"\0" in content else content.removeprefix(_UTF_8)


class _Lines:
    """Finds lines. Raises InvalidInput where Python does not understand the pattern as ripgrep would."""

    def __init__(self, query: Query, stop: Callable[[], bool]) -> None:
        self._query = query
        self._stop = stop
        self._ascii = _compiled(query, ascii_only=True)
        self._unicode: re.Pattern[str] | None = None

    def matching(self, content: bytes) -> list[tuple[int, bytes]]:
        """Return the first matching lines of a text with their numbers, one above the limit at most."""
        if content.isascii():
            return list(self._found(self._ascii, content.decode("ascii")))
        if self._unicode is None:
            self._unicode = _compiled(self._query, ascii_only=False)
        return list(self._found(self._unicode, content.decode("utf-8", "surrogateescape")))

    def _found(self, regex: re.Pattern[str], text: str) -> Iterator[tuple[int, bytes]]:
        number, counted, hits = 1, 0, 0
        start = 0
        while start < len(text):
            if self._stop():
                raise Stopped
            # A block ends with a line, so that no match is cut.
            end = text.find("\n", start + _BLOCK) + 1 or len(text)
            while (match := regex.search(text, start, end)) is not None:
                begin = text.rfind("\n", 0, match.start()) + 1
                if begin >= end:
                    # Nothing was found behind the last line feed, where no line begins.
                    break
                number += text.count("\n", counted, begin)
                counted = begin
                start = text.find("\n", match.start()) + 1 or len(text)
                yield number, head_of(text[begin:start].removesuffix("\n").encode("utf-8", "surrogateescape"))
                hits += 1
                if hits > self._query.limit:
                    return
                if start >= end:
                    break
            start = end


def _compiled(query: Query, *, ascii_only: bool) -> re.Pattern[str]:
    try:
        return python_regex(
            query.pattern, ignore_case=query.ignore_case, literal_text=query.literal, ascii_only=ascii_only
        )
    except OnlyRipgrep as error:
        raise InvalidInput(f"only ripgrep understands this pattern, and it is not installed: {error}") from None
    except BadPattern as error:
        raise InvalidInput(f"bad pattern: {error}") from None
