"""What one consumer of the bucket delivers, applied to the deny-set in order: scan first, then changes, no seam.

Mechanism. A scan and the changes after it come from one consumer, so nothing can be written between them. During a
scan entries go to a new set; it takes the place of the old one when the scan is complete, and until then the old one
is enforced. Complete is: as many messages as the consumer had pending when it was made, or a message that says nothing
is behind it, or an idle heartbeat (entries removed while the scan ran are never delivered, so counting alone could
wait for ever). Every delivery carries the consumer's own count: one that is not the next is a gap, and the feed takes
no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from beyond_gateway.deny.entries import DenySet
from beyond_gateway.deny.lifetime import ends_at, is_removal, place

if TYPE_CHECKING:
    from collections.abc import Mapping

_FLOW: Final = b"$JS.FC."


class Feed:
    """Applies one consumer's deliveries to `live`, which it replaces first where it scans.

    `prefix` is what stands before the keys in subjects, `max_age_s` the bucket's own limit, 0 for none. `complete`
    says that `live` is what the store is; `gap` that something was missed and this feed is of no use any more; `heard`
    that anything came since the reader cleared it; `idle` that the consumer had nothing more to deliver, likewise;
    `replaced` is what a scan took the place of, for the reader to free.
    """

    __slots__ = (
        "_count",
        "_expected",
        "_live",
        "_max_age_s",
        "_skip",
        "_target",
        "complete",
        "gap",
        "heard",
        "idle",
        "replaced",
    )

    def __init__(self, live: DenySet, prefix: bytes, *, max_age_s: float, scan: bool) -> None:
        self._live = live
        self._target = DenySet() if scan else live
        self._skip = len(prefix)
        self._max_age_s = max_age_s
        self._count = 0
        self._expected: int | None = None
        self.complete = not scan
        self.gap = False
        self.heard = False
        self.idle = False
        self.replaced: DenySet | None = None

    def __repr__(self) -> str:
        return f"<Feed delivered={self._count} complete={self.complete} gap={self.gap} {self._target!r}>"

    def created(self, pending: int) -> None:
        """Learn how many messages the consumer had before it when it was made."""
        self._expected = pending
        if self._count >= pending:
            self._finish()

    def message(self, subject: bytes, reply: bytes, data: bytes, headers: Mapping[str, str] | None) -> bytes | None:
        """Take one delivery; return the subject to answer with nothing so that the flow goes on, or None."""
        self.heard = True
        if not reply or reply.startswith(_FLOW):
            return self._control(reply, headers)
        if self.gap:
            return None
        try:
            self._deliver(subject, reply, data, headers)
        except ValueError:
            self.gap = True
        return None

    def _deliver(self, subject: bytes, reply: bytes, data: bytes, headers: Mapping[str, str] | None) -> None:
        revision, count, written_ns, pending = place(reply)
        if count != self._count + 1:
            self.gap = True
            return
        self._count = count
        key = subject[self._skip :]
        if headers is None and not self._max_age_s:
            self._target.apply(key, data, revision)
        elif headers is not None and is_removal(headers):
            self._target.remove(key, revision, passing="Nats-TTL" in headers)
        else:
            self._target.apply(key, data, revision, ends_at(headers or {}, written_ns, self._max_age_s))
        if not self.complete and (count == self._expected or not pending):
            self._finish()

    def _control(self, reply: bytes, headers: Mapping[str, str] | None) -> bytes | None:
        """Flow control, to be answered, or an idle heartbeat, which tells the last count that was sent."""
        if reply or headers is None:
            return reply or None
        stalled = headers.get("Nats-Consumer-Stalled")
        if stalled is not None:
            return stalled.encode()
        sent = headers.get("Nats-Last-Consumer")
        if sent is not None:
            self.gap = self.gap or int(sent) != self._count
            self.idle = True
            if not self.gap and not self.complete:
                self._finish()
        return None

    def _finish(self) -> None:
        self.complete = True
        if self._target is not self._live:
            self._live.swap(self._target)
            self.replaced, self._target = self._target, self._live
