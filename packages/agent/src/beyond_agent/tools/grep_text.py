"""The text of grep's result: `path:line: text`, context as `path-line- text`, and what there is to say of it."""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Final

from beyond_agent.tools.grep_python import searchable
from beyond_agent.tools.grep_query import HEAD_BYTES, FileHits, head_of
from beyond_agent.tools.listing import limit_notice, listing, shown_name
from beyond_agent.tools.text import LATIN_1_NOTE
from beyond_agent_core.errors import ExecutionFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from beyond_agent.seams import FileSystem
    from beyond_agent.tools.grep_query import Found, Query

LINE_CHARACTERS: Final = 500
"""Characters of a line that are shown (agent contract, grep)."""
_CUT: Final = "… [line truncated]"
_UNREADABLE: Final = "some of the files or directories could not be read"


def result_text(found: Found, query: Query, files: FileSystem) -> str:
    """Return what the model sees. Raises ExecutionFailed where nothing was found and not all could be read."""
    if not found.files:
        nothing = f'no matches for "{query.pattern}"'
        if found.unreadable:
            raise ExecutionFailed(f"{nothing}: {_UNREADABLE}")
        return nothing
    kept = list(_limited(found.files, query.limit))
    notices: list[str] = []
    if sum(len(each.lines) for each in found.files) > query.limit:
        notices.append(limit_notice("match", query.limit, "a narrower pattern, path or glob"))
    elif found.unreadable:
        notices.append(_UNREADABLE)
    shown = _Shown(query, files)
    lines = [line for each in kept for line in shown.lines(each)]
    if shown.latin_1:
        notices.append(LATIN_1_NOTE.strip("[]"))
    return listing(lines, notices, "use a narrower pattern, path or glob")


def _limited(files: Iterable[FileHits], limit: int) -> Iterator[FileHits]:
    for each in files:
        if limit > 0:
            yield FileHits(each.path, each.lines[:limit])
        limit -= len(each.lines)


class _Shown:
    """Makes lines; `latin_1` says that one was not UTF-8."""

    def __init__(self, query: Query, files: FileSystem) -> None:
        self.latin_1 = False
        self._query = query
        self._files = files

    def lines(self, hits: FileHits) -> Iterator[str]:
        """Yield the matching lines of a file, with their context, each line once and in order."""
        name = shown_name(hits.path)
        matching = dict(hits.lines)
        if not self._query.before and not self._query.after:
            for number, text in hits.lines:
                yield f"{name}:{number}: {self._clipped(text)}"
            return
        around = self._context(hits)
        for number in sorted(around.keys() | matching.keys()):
            mark = ":" if number in matching else "-"
            yield f"{name}{mark}{number}{mark} {self._clipped(matching.get(number) or around.get(number, b''))}"

    def _context(self, hits: FileHits) -> dict[int, bytes]:
        """Return lines by their numbers, none where the file cannot be read any more."""
        root = self._query.root
        try:
            content = searchable(self._files.read(f"{root.folder.rstrip('/')}/{root.name or hits.path}"))
        except OSError:
            content = None
        before, after = self._query.before, self._query.after
        numbers = {number for hit, _ in hits.lines for number in range(hit - before, hit + after + 1)}
        # A log may be large, so that its lines are looked at one by one.
        lines = enumerate(islice(BytesIO(content or b""), max(numbers)), 1)
        return {number: head_of(line.removesuffix(b"\n")) for number, line in lines if number in numbers}

    def _clipped(self, head: bytes) -> str:
        text = self._decoded(head)
        return text if len(text) <= LINE_CHARACTERS else text[:LINE_CHARACTERS] + _CUT

    def _decoded(self, head: bytes) -> str:
        try:
            return head.decode()
        except UnicodeDecodeError as error:
            # The last character may be cut where bytes were.
            if len(head) == HEAD_BYTES and error.reason == "unexpected end of data":
                return head[: error.start].decode()
        self.latin_1 = True
        return head.decode("latin-1")
