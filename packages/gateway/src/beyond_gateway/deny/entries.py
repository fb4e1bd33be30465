"""The denied tenants and keys: what a managed request asks, and what a change in the bucket does.

Mechanism. An entry is one integer, a tenant as it is and a key id inverted (so below zero), in one of two plain sets:
refused with 402 or with 403. A set of a million integers is a third smaller than a dict with reasons, and a look into
it costs the same whether it is empty or full. Deadlines are kept only for entries that have one, by whole seconds,
rounded up: an entry never leaves before the store drops it. Time is an argument. Format: gw contract, deny-set.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import ceil
from typing import TYPE_CHECKING, Final

import msgspec

from beyond_gateway.errors import OVER_LIMIT, SUSPENDED

if TYPE_CHECKING:
    from beyond_gateway.errors import Refusal
    from beyond_gateway.managed_key import Identity

_ZERO: Final = 0x30
_U64: Final = 2**64 - 1


class _Reason(msgspec.Struct):
    reason: str


_REASON: Final = msgspec.json.Decoder(_Reason)


def parse_key(key: bytes) -> int | None:
    """Entry of `blackhole.{tenant}` (the tenant) or `blackhole.key.{key_id}` (the id inverted); None for other keys."""
    # By hand, because a scan does this a million times: a regular expression takes twice as long.
    if not key.startswith(b"blackhole."):
        return None
    digits = key[10:]
    is_tenant = digits.isdigit()
    if not is_tenant:
        digits = digits[4:] if digits.startswith(b"key.") else b""
        if not digits.isdigit():
            return None
    if len(digits) > 20 or (digits[0] == _ZERO and len(digits) > 1):
        return None
    number = int(digits)
    if number > _U64:
        return None
    return number if is_tenant else ~number


def key_of(entry: int) -> str:
    """Key of an entry, as it stands in the bucket: the inverse of `parse_key`."""
    return f"blackhole.{entry}" if entry >= 0 else f"blackhole.key.{~entry}"


def parse_reason(value: bytes) -> str | None:
    """Reason in a value: `spend`, `fraud`, or the string `reason` of a JSON object; None where there is none."""
    if value in (b"spend", b"fraud"):
        return value.decode()
    try:
        return _REASON.decode(value).reason
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class DenySet:
    """Denied tenants and key ids of one worker. Empty denies nobody.

    `spend` and `suspended` hold the entries refused with 402 and with 403, `deadlines` the second at which an entry
    ends, in the store's wall time; others read them only. `revision` is the highest one applied, `changes` counts
    every change, so that a slow reader can tell that it was overtaken, `unannounced` the messages that the store drops
    without a word: entries that ended by their time, and markers that will.
    """

    __slots__ = ("_due", "_seconds", "changes", "deadlines", "revision", "spend", "suspended", "unannounced")

    def __init__(self) -> None:
        self.spend: set[int] = set()
        self.suspended: set[int] = set()
        self.deadlines: dict[int, int] = {}
        self.revision = 0
        self.changes = 0
        self.unannounced = 0
        self._due: dict[int, set[int]] = {}
        self._seconds: list[int] = []

    def __len__(self) -> int:
        return len(self.spend) + len(self.suspended)

    def __repr__(self) -> str:
        return (
            f"<DenySet spend={len(self.spend)} suspended={len(self.suspended)} expiring={len(self.deadlines)} "
            f"revision={self.revision}>"
        )

    def refusal(self, identity: Identity) -> Refusal | None:
        """Refusal that a verified identity gets for its tenant or for its key, None for nearly everybody.

        Where the two differ it is 403: what is suspended stays so after a bill is paid.
        """
        tenant = identity.tenant
        key_id = identity.key_id
        if key_id is None:
            if tenant in self.suspended:
                return SUSPENDED
            return OVER_LIMIT if tenant in self.spend else None
        entry = ~key_id
        if tenant in self.suspended or entry in self.suspended:
            return SUSPENDED
        return OVER_LIMIT if tenant in self.spend or entry in self.spend else None

    def apply(self, key: bytes, value: bytes, revision: int, expires_at: float | None = None) -> None:
        """Deny what `key` names, until `expires_at` in the store's wall seconds; a revision already seen does nothing.

        A key that is no entry is ignored. A value that cannot be read denies all the same, as suspended.
        """
        if revision <= self.revision:
            return
        self.revision = revision
        entry = parse_key(key)
        if entry is None:
            return
        if self.deadlines:
            self._drop_deadline(entry)
        if value == b"spend" or parse_reason(value) == "spend":
            self.spend.add(entry)
            self.suspended.discard(entry)
        else:
            self.suspended.add(entry)
            self.spend.discard(entry)
        if expires_at is not None:
            self.set_deadline(entry, ceil(expires_at))
        self.changes += 1

    def remove(self, key: bytes, revision: int, *, passing: bool = False) -> None:
        """Deny it no longer; a revision already seen does nothing. `passing`: what says so will itself be dropped."""
        if revision <= self.revision:
            return
        self.revision = revision
        self.unannounced += passing
        entry = parse_key(key)
        if entry is not None:
            self._drop_deadline(entry)
            self._forget(entry)
            self.changes += 1

    def expire(self, now: float) -> int:
        """Drop the entries whose second is over at `now`, in the store's wall seconds; return how many there were."""
        before = len(self)
        while self._seconds and self._seconds[0] <= now:
            for entry in self._due.pop(heappop(self._seconds), ()):
                del self.deadlines[entry]
                self._forget(entry)
        ended = before - len(self)
        self.changes += ended
        self.unannounced += ended
        return ended

    def due(self, now: float) -> int:
        """How many entries end within two seconds of `now`, in the store's wall time."""
        first = int(now)
        return sum(len(self._due.get(first + more, ())) for more in range(3))

    def swap(self, other: DenySet) -> None:
        """Become, at once, what a new scan found in `other`, which becomes what this was."""
        self.spend, other.spend = other.spend, self.spend
        self.suspended, other.suspended = other.suspended, self.suspended
        self.deadlines, other.deadlines = other.deadlines, self.deadlines
        self.revision, other.revision = other.revision, self.revision
        self.unannounced, other.unannounced = other.unannounced, self.unannounced
        self._due, other._due = other._due, self._due
        self._seconds, other._seconds = other._seconds, self._seconds
        self.changes += 1

    def shrink(self, most: int) -> bool:
        """Drop up to `most` entries of a set no longer used and say whether there are more: freeing millions blocks."""
        for entries in (self.spend, self.suspended):
            for _ in range(min(most, len(entries))):
                entries.pop()
        return len(self) > 0

    def set_deadline(self, entry: int, second: int) -> None:
        """Let an entry that has no deadline end at a whole second of the store's wall time."""
        self.deadlines[entry] = second
        due = self._due.get(second)
        if due is None:
            due = self._due[second] = set()
            heappush(self._seconds, second)
        due.add(entry)

    def _drop_deadline(self, entry: int) -> None:
        second = self.deadlines.pop(entry, None)
        if second is not None:
            due = self._due[second]
            due.discard(entry)
            if not due:
                self._give_back(second)

    def _forget(self, entry: int) -> None:
        self.spend.discard(entry)
        self.suspended.discard(entry)

    def _give_back(self, second: int) -> None:
        """Forget a second at which nothing ends any more; entries written again and again must not pile up seconds."""
        del self._due[second]
        if len(self._seconds) > 2 * len(self._due) + 64:
            self._seconds = list(self._due)
            heapify(self._seconds)
