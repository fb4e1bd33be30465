"""Faults that input bytes can cause.

- `WireError`: the root; catch this one
  - `SseLineTooLong`: a line or an event above the framing bound
  - `SseBadUtf8`: event data that is not UTF-8

Usage readers raise none of them: there a byte sequence without meaning is an unknown count.
"""

from __future__ import annotations

from typing import Any, ClassVar


class WireError(Exception):
    """A failure caused by the bytes that were fed, never by the caller's code.

    `code` is stable and safe to log, `retryable` says whether the same request may succeed later, and `events` holds
    what the same chunk decoded before the fault, in order, so that a fault in the middle of a chunk loses nothing.
    """

    code: ClassVar[str] = "wire_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, events: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.events = events


class SseLineTooLong(WireError):  # noqa: N818  the wire contract names it so
    """A line, or the joined data of one event, is above 32 MiB (wire contract, SSE framing)."""

    code = "sse_line_too_long"


class SseBadUtf8(WireError):  # noqa: N818  the wire contract names it so
    """The data of one event is not UTF-8; the text names the offset of the first bad byte in that data."""

    code = "sse_bad_utf8"
