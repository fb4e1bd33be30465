"""What ls, grep and find share: an order of paths, names that fit on a line, output cut to whole lines."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from beyond_agent.tools.text import MOST_BYTES, MOST_LINES, size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_RESULTS: Final = 10_000
"""Entries scanned, matches collected and files listed at most (agent contract, tools)."""
_ODD: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def name_bytes(name: str) -> bytes:
    """Return a name or path as the file system has it."""
    return os.fsencode(name)


def path_order(path: bytes) -> bytes:
    """Return the key that sorts paths name by name, so that what is in a folder stays together."""
    return path.replace(b"/", b"\0")


def shown_name(path: str) -> str:
    r"""Return a path on one line: control characters and bytes that are not UTF-8 become `\xNN` or `\uNNNN`."""
    return path if path.isascii() and path.isprintable() else _ODD.sub(_escaped, path)


def limit_notice(what: str, limit: int, narrower: str) -> str:
    """Return what to do about more results than `limit`, which goes no higher than its bound; `what` is their kind."""
    more = "" if limit >= MOST_RESULTS else f"limit={2 * limit} for more, or "
    return f"{what} limit {limit} reached; use {more}{narrower}"


def listing(lines: Sequence[str], notices: Sequence[str], narrow: str) -> str:
    """Return lines, then after a blank line what there is to say of them, within the limits of a tool's output.

    `narrow` says what to do about a listing that is too long. The limits are of whole lines and count the notices.
    """
    said = [f"[{each}]" for each in notices]
    kept = _fitting(lines, said)
    if kept < len(lines):
        limit = f"{MOST_LINES} lines" if kept == _most_lines(said) else size_text(MOST_BYTES)
        said.append(f"[output truncated at {limit}; {narrow}]")
        kept = _fitting(lines, said)
    return "\n".join([*lines[:kept], "", *said] if said else lines)


def _fitting(lines: Sequence[str], said: list[str]) -> int:
    """Return how many of the lines fit together with what is said after them."""
    # Each line has its line feed, but the very last; the blank line between has one too.
    room = MOST_BYTES + (not said) - sum(len(each.encode()) + 1 for each in said)
    most = min(len(lines), _most_lines(said))
    for index in range(most):
        room -= len(lines[index].encode()) + 1
        if room < 0:
            return index
    return most


def _most_lines(said: list[str]) -> int:
    return MOST_LINES - (len(said) + 1 if said else 0)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{os.fsencode(found.group())[0]:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
