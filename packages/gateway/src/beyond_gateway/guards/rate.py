"""Count requests a second, for each credential and for all callers' own keys, over all workers of a host.

Workers share one table and no lock. A credential's hash picks a set of four ways, one cache line; a way packs the
second, a fingerprint and the count into one cell, so that what an earlier second left is free and nothing is ever
cleared. Where all four ways are of this second the lowest count gives way: a flood of distinct keys makes the table
forget counts, and never adds to one. Two keys share a count only where 30 bits of their hashes agree.

A worker that stands still between reading and writing would set a count back by all that others counted meanwhile. So
each way has two cells, written one after the other. The worker that comes back spoils one of them, finds itself behind
in the other, and goes on from there. What two workers count within the same tenth of a microsecond is counted once.

What we leave out: five keys over their limit in one set take turns in its ways, and each passes more than its limit.
"""

from __future__ import annotations

from typing import Final

SETS: Final = 16_384
"""Sets of four ways: some 65,000 credentials active in a second before any count is forgotten, in 1 MiB."""
WAYS: Final = 4

# A cell, from its top: second (30 bits, 34 years), fingerprint (16), count (18).
_MOST: Final = (1 << 18) - 1
_FINGERPRINT: Final = ((1 << 16) - 1) << 18
_SECOND_AT: Final = 34
_SECONDS: Final = (1 << 30) - 1
# A set has a cell for each way, then their twins. The bits of a hash that pick its set stand where they are the
# index of its first cell. The set behind all others counts callers' own keys together.
_SET: Final = (SETS - 1) * WAYS * 2
_TOGETHER: Final = SETS * WAYS * 2


class RateGuard:
    """Tells which requests come too fast. One per worker, all of them over the same cells.

    `cells` are CELLS of format Q, zero at first. Limits are requests a second on this host; 0 is none, and one above
    262,143 counts as that (gw contract, rate guards).
    """

    CELLS: Final = _TOGETHER + WAYS * 2

    __slots__ = ("_begin", "_byo", "_cells", "_end", "_per_key", "_second")

    def __init__(self, cells: memoryview[int], per_key_rps: int, byo_rps: int) -> None:
        self._cells = cells
        self._second = 0
        self._begin = self._end = 0.0
        self.set_limits(per_key_rps, byo_rps)

    def __repr__(self) -> str:
        return f"<RateGuard per_key={self._per_key} byo={self._byo}>"

    def set_limits(self, per_key_rps: int, byo_rps: int) -> None:
        """Hold these limits from now on; what was counted in this second stays counted."""
        self._per_key = min(per_key_rps, _MOST)
        self._byo = min(byo_rps, _MOST)

    def over(self, key_hash: int, now: float, *, managed: bool) -> bool:
        """Whether this request is one too many in its second; if not, it is counted.

        `key_hash` is a 64-bit hash of the credential, the same in all workers; `now` is monotonic seconds. A managed
        request is no part of what callers' own keys may ask together, nor is one that is over its own key's limit.
        """
        if not self._begin <= now < self._end:
            self._begin = now // 1.0
            self._end = self._begin + 1.0
            self._second = (int(now) & _SECONDS) << _SECOND_AT
        limit = self._per_key
        if limit and self._full(key_hash & _SET, self._second | key_hash & _FINGERPRINT, limit):
            return True
        if managed or not self._byo:
            return False
        return self._full(_TOGETHER, self._second, self._byo)

    def _full(self, at: int, entry: int, limit: int) -> bool:
        """Count one request of `entry`, a cell with count 0, in the set that begins `at`; True where it may not be."""
        cells = self._cells
        cell = cells[at]
        if not 0 <= cell - entry < limit:
            if cell < self._second:
                # Free, as are the ways behind it: they are taken in their order.
                cells[at] = entry
            elif 0 <= cell - entry <= _MOST:
                return True
            else:
                at, entry = self._way(at, entry)
                if cells[at] - entry >= limit:
                    return True
        # Read again: what others count between reading and writing is lost, so as little as can be stands between.
        cell = cells[at] + 1
        cells[at] = cell
        twin = at + WAYS
        if cells[twin] < cell:
            cells[twin] = cell
            return False
        return self._behind(at, cell, limit)

    def _way(self, at: int, entry: int) -> tuple[int, int]:
        """Where in its set `entry` is counted, if need be from now on, and the entry to count it as.

        A cell of the next second is gone on with as it is: workers read their clocks a moment apart, and the one that
        is behind must not begin the old second again. One that is further ahead is left from before the seconds began
        again at 0; it gives way before any other.
        """
        cells = self._cells
        latest = entry | _FINGERPRINT | _MOST
        least, least_at = _MOST + 1, at
        for way in range(at, at + WAYS):
            cell = cells[way]
            seconds_ago = (latest - cell) >> _SECOND_AT
            if seconds_ago > 0:
                cells[way] = entry
                return way, entry
            count = cell & _MOST if seconds_ago >= -1 else -1
            if count >= 0 and not (cell ^ entry) & _FINGERPRINT:
                return way, cell - count
            if count < least:
                least, least_at = count, way
        cells[least_at] = entry
        return least_at, entry

    def _behind(self, at: int, cell: int, limit: int) -> bool:
        """Join the others who went on while this worker stood still, so that its `cell` is behind the twin.

        True where they reached the limit. A twin of another key, or from before seconds began again, is not ahead.
        """
        twin = self._cells[at + WAYS]
        if not (cell ^ twin) & _FINGERPRINT and 0 <= (twin >> _SECOND_AT) - (cell >> _SECOND_AT) <= 1:
            cell = twin if twin & _MOST >= limit else twin + 1
            self._cells[at] = cell
        self._cells[at + WAYS] = cell
        return cell == twin
