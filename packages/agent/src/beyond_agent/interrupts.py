"""Signals: the first ends the run in order, the second ends the process at once.

The handlers are plain ones, not the event loop's, so that they work while a write to a full pipe holds up the loop.
Contract: agent contract, commands and places.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Calls `cancel` at the first signal while it is entered. `number` is that signal's, None before it."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        self._before: dict[int, Any] = {}
        self.number: int | None = None

    @property
    def status(self) -> int:
        """Exit status for the signal that came."""
        return 128 + (self.number or 0)

    def __enter__(self) -> Self:
        for number in SIGNALS:
            # What was started to survive a hang-up, as by nohup, does.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _caught(self, number: int, _: FrameType | None) -> None:
        if self.number is not None:
            os._exit(128 + number)
        self.number = number
        self._cancel()

    def __repr__(self) -> str:
        return f"<Interrupts number={self.number}>"
