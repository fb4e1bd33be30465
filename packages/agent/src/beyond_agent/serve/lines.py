"""Lines out of a stream of bytes, bounded: one that is too long is skipped to its end and told, and the next is read.

LF alone ends a line; a CR before it is dropped; blank lines are nothing; the last line needs no LF.
Contract: agent contract, serve: frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from beyond_agent.serve.frames import MAX_LINE_IN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

PIECE: Final = 64 * 1024


class TooLong:
    """Stands for a line of more bytes than may be."""


TOO_LONG: Final = TooLong()


async def lines(
    read: Callable[[int], Awaitable[bytes]], *, at_most: int = MAX_LINE_IN
) -> AsyncIterator[bytes | TooLong]:
    """Yield each line that is not blank, without its end; `read` gives up to so many bytes, none at the end."""
    pieces: list[bytes] = []
    size = 0
    while piece := await read(PIECE):
        first, *others = piece.split(b"\n")
        pieces.append(first)
        size += len(first)
        if size > at_most:
            # What is skipped is not kept either.
            pieces.clear()
        for following in others:
            line = _line(pieces, size, at_most)
            if line is not None:
                yield line
            pieces, size = [following], len(following)
    line = _line(pieces, size, at_most)
    if line is not None:
        yield line


def _line(pieces: list[bytes], size: int, at_most: int) -> bytes | TooLong | None:
    if size > at_most:
        return TOO_LONG
    line = b"".join(pieces).removesuffix(b"\r")
    return line if line.strip() else None
