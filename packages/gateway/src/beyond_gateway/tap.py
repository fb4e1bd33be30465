"""Keeps of a passing response what metering needs: its beginning, its end, and a count of what lay between.

Usage stands in the last bytes of a response, except for Anthropic's input counts, which stand in the first. Why not
parse along: it would cost every stream a decode per event for a number only its last event holds. So `feed` appends a
reference and adds up lengths; work happens once for 16 KiB, and only on what leaves the last 64 KiB. A stream that is
shorter, or is never counted because its usage arrived, pays nothing more.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from beyond_gateway.inflate import Inflater
from beyond_wire import DeltaCounter

if TYPE_CHECKING:
    from beyond_wire import Family

HEAD_BYTES: Final = 8 << 10
"""Bytes kept from the beginning (gw contract, usage)."""

TAIL_BYTES: Final = 64 << 10
"""Bytes kept from the end (gw contract, words: tail tap)."""

_BATCH_BYTES: Final = 16 << 10  # taken over by reference before they are joined; with the rest, 88 KiB at most
_CHUNK_COST: Final = 64  # what a short chunk costs beyond its bytes, so that tiny chunks are joined sooner


class Tap:
    """The kept bytes of one response. The caller feeds the unframed payload as it passes; nothing is ever delayed.

    `total` counts payload bytes as they came. With a content coding, `head`, `tail` and the counts are those of the
    decoded body, and `readable` is False once it cannot be decoded: then there is no usage to find. Raises nothing.
    """

    __slots__ = (
        "_batches",
        "_counted",
        "_counter",
        "_head",
        "_held",
        "_inflater",
        "_recent",
        "_room",
        "dialect",
        "sse",
        "total",
        "whole",
    )

    def __init__(self, *, dialect: Family, sse: bool, encoding: str = "") -> None:
        self.dialect: Family = dialect
        self.sse = sse
        self.total = 0
        self.whole = True  # `tail()` is the body from its first byte on
        self._inflater = None if encoding in ("", "identity") else Inflater(encoding)
        self._recent: list[bytes] = []
        self._room = _BATCH_BYTES
        self._batches: deque[bytes] = deque()
        self._held = 0
        self._head = b""
        self._counter: DeltaCounter | None = None
        self._counted = False

    def feed(self, chunk: bytes) -> None:
        """Take the next payload bytes."""
        self.total += len(chunk)
        if self._inflater is not None:
            for piece in self._inflater.feed(chunk):
                self._keep(piece)
            return
        self._recent.append(chunk)  # as `_keep`, without the call: this line runs for every read of every stream
        self._room -= len(chunk) + _CHUNK_COST
        if self._room < 0:
            self._settle()

    @property
    def readable(self) -> bool:
        """Whether the body could be decoded so far."""
        return self._inflater is None or not self._inflater.stopped

    @property
    def held_bytes(self) -> int:
        """Bytes of body in memory, at most 88 KiB between two reads."""
        return len(self._head) + self._held + sum(map(len, self._recent))

    @property
    def head(self) -> bytes:
        """The first 8 KiB of the body; empty where it is not readable."""
        self._settle()
        return self._head if self.readable else b""

    def tail(self) -> bytes:
        """Return the last 64 KiB of the body; empty where it is not readable."""
        self._settle()
        if len(self._batches) > 1:
            self._batches = deque((b"".join(self._batches),))
        return self._batches[0] if self._batches and self.readable else b""

    def delta_counts(self) -> tuple[int, int]:
        """Return delta events and bytes of visible text of the stream; to be asked once it has ended.

        What lies within `tail` is counted by the first call. A body that is no stream has none.
        """
        tail = self.tail()
        if not self._counted and self.sse:
            self._count(tail)
        self._counted = True
        return (0, 0) if self._counter is None else (self._counter.events, self._counter.text_bytes)

    def _keep(self, piece: bytes) -> None:
        self._recent.append(piece)
        self._room -= len(piece) + _CHUNK_COST
        if self._room < 0:
            self._settle()

    def _settle(self) -> None:
        """Join the recent chunks into one batch, and let go what leaves the tail."""
        batch = self._recent[0] if len(self._recent) == 1 else b"".join(self._recent)
        self._recent.clear()
        self._room = _BATCH_BYTES
        if not batch:
            return
        if len(self._head) < HEAD_BYTES:
            self._head += batch[: HEAD_BYTES - len(self._head)]
        self._batches.append(batch)
        self._held += len(batch)
        while (excess := self._held - TAIL_BYTES) > 0:
            self.whole = False
            first = self._batches.popleft()
            if len(first) > excess:
                self._batches.appendleft(first[excess:])
                first = first[:excess]
            self._held -= len(first)
            if self.sse:
                self._count(first)

    def _count(self, piece: bytes) -> None:
        if self._counter is None:
            self._counter = DeltaCounter(self.dialect)
        self._counter.feed(piece)
