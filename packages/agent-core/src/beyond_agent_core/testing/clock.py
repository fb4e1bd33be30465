"""A clock that a test moves."""

from __future__ import annotations


class FakeClock:
    """A monotonic clock that stands still unless told otherwise: set or add to `now`, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now
