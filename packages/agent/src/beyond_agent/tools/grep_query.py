"""What grep is asked, and what a search answers, whoever does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from beyond_agent.tools.globs import BadGlob
from beyond_agent.tools.grep_class import BadPattern
from beyond_agent.tools.grep_pattern import check_pattern
from beyond_agent.tools.listing import MOST_RESULTS
from beyond_agent.tools.search_glob import wanted_by
from beyond_agent.tools.search_root import SearchRoot
from beyond_agent_core.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT: Final = 100
"""Matching lines that are shown where a call does not say (agent contract, grep)."""
MOST_CONTEXT: Final = 100
"""Lines of context on either side (agent contract, grep)."""
HEAD_BYTES: Final = 2048
"""Bytes of a line that are kept, enough for the 500 characters that are shown."""


class Query(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One search; `before` and `after` are lines of context, `glob` is None for all files."""

    pattern: str
    root: SearchRoot
    glob: str | None = None
    ignore_case: bool = False
    literal: bool = False
    limit: int = LIMIT
    before: int = 0
    after: int = 0

    def wanted(self) -> Callable[[str], bool]:
        """Return what tells of a relative path whether its file is to be searched."""
        wanted = wanted_by(self.glob)
        only = self.root.name
        return wanted if only is None else lambda path: path == only and wanted(path)


class FileHits(msgspec.Struct, frozen=True, gc=False):
    """A file's matching lines, the first of them at least: numbers from 1, and the first bytes of each."""

    path: str
    lines: list[tuple[int, bytes]]


class Found(msgspec.Struct, frozen=True, gc=False):
    """Files with matches in path order, more than the limit if there are; `unreadable`: not all was seen."""

    files: list[FileHits]
    unreadable: bool


def asked(given: dict[str, Any], root: SearchRoot) -> Query:
    """Return the search that a call wants. Raises InvalidInput for a pattern or glob that means nothing."""
    context = given.get("context", 0)
    query = Query(
        pattern=given["pattern"],
        root=root,
        glob=given.get("glob"),
        ignore_case=given.get("ignore_case", False),
        literal=given.get("literal", False),
        limit=min(given.get("limit", LIMIT), MOST_RESULTS),
        before=min(given.get("before", context), MOST_CONTEXT),
        after=min(given.get("after", context), MOST_CONTEXT),
    )
    try:
        check_pattern(query.pattern, literal_text=query.literal)
        query.wanted()
    except BadPattern as error:
        raise InvalidInput(f"bad pattern: {error}") from None
    except BadGlob as error:
        raise InvalidInput(f"bad glob: {error}") from None
    return query


def head_of(line: bytes) -> bytes:
    """Return what is kept of a line: its first bytes, without the CR before its line feed."""
    return line.removesuffix(b"\r")[:HEAD_BYTES]
