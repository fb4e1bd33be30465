"""Diagnostics: one JSON line each on stderr, at most so many a second, never waited for.

A client in a loop can be refused ten thousand times a second; the log must neither fill a disk nor slow the loop. Lines
above the cap are counted, and the count is told when the second is over. No key, body or header value comes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from beyond_gateway.wall_clock import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_gateway.errors import Refusal
    from beyond_gateway.usage_rows import LineWriter

LINES_PER_SECOND: Final = 100
"""Cap on rejection lines (gateway contract, errors)."""

Field = str | int | float | bool | None


class Log:
    """Writes diagnostics to `lines`; `now` is monotonic seconds, `most` the lines of one second."""

    def __init__(self, lines: LineWriter, now: Callable[[], float], most: int = LINES_PER_SECOND) -> None:
        self._lines = lines
        self._most = most
        self._now = now
        self._window = 0.0
        self._used = 0
        self._suppressed = 0

    def info(self, message: str, **fields: Field) -> None:
        """Say that something happened as it should."""
        self._write("INFO", message, fields)

    def warning(self, message: str, **fields: Field) -> None:
        """Say that an operator may want to look."""
        if self._may_write():
            self._write("WARN", message, fields)

    def refused(self, request_id: str, refusal: Refusal) -> None:
        """Say once that a request was refused, and why."""
        if self._may_write():
            fields: dict[str, Field] = {
                "request_id": request_id,
                "status": refusal.status,
                "type": refusal.type,
                "reason": refusal.reason,
            }
            self._write("WARN", "refused", fields)

    def _may_write(self) -> bool:
        now = self._now()
        if now - self._window >= 1.0:
            self._window = now
            self._used = 0
            if self._suppressed:
                self._write("WARN", "lines suppressed", {"count": self._suppressed})
                self._suppressed = 0
        if self._used >= self._most:
            self._suppressed += 1
            return False
        self._used += 1
        return True

    def _write(self, level: str, message: str, fields: dict[str, Field]) -> None:
        line = {
            "timestamp": rfc3339(),
            "level": level,
            "fields": {"message": message, **fields},
            "target": "ai.gateway",
        }
        self._lines.put(msgspec.json.encode(line) + b"\n")

    def close(self) -> None:
        """Write what still waits, as far as stderr takes it."""
        self._lines.close()
