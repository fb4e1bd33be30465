"""A copy of a session's path: its lines as they are, and what was said of them.

Entries keep their ids, so that a client that knows one finds it in the copy too. Facts (a model, a label, the end of a
run) follow the entry behind which they were written; other branches stay behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_agent.sessions.entries import FACTS, LabelEntry, decode_fact
from beyond_agent.sessions.tree import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from beyond_agent.sessions.outline import Outline


def path_lines(outline: Outline, target: int, read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the lines of the path to a row, itself included, and the facts that belong to it, in order of arrival."""
    tree = outline.tree
    path = set(tree.path(target))
    for row in range(len(tree)):
        kind = tree.kind(row)
        if row in path:
            yield _whole(read(row))
        elif kind in FACTS and kind != "leaf" and (tree.parent(row) == NONE or tree.parent(row) in path):
            line = read(row)
            fact = decode_fact(line)
            if not isinstance(fact, LabelEntry) or tree.row(fact.target_id) in path:
                yield _whole(line)


def _whole(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n"
