"""What calls tell while they run, bounded: whatever a tool prints, its watchers get ten snapshots a second."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from beyond_agent_core.clip import tail
from beyond_agent_core.events import ToolProgress
from beyond_agent_core.hooks import LOG
from beyond_wire.surrogates import clean_text, clean_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_agent_core.events import AgentEvent
    from beyond_wire.types import ToolUseBlock

PROGRESS_S: Final = 0.1
"""Seconds between two snapshots of a call (agent-core contract, agent configuration)."""


class Progress:
    """The snapshots of one call: the first at once, then one each `interval_s`, the last always, none behind it."""

    def __init__(
        self, block: ToolUseBlock, emit: Callable[[AgentEvent], None], *, interval_s: float, most_bytes: int
    ) -> None:
        self._block = block
        self._emit = emit
        self._interval_s = interval_s
        self._most_bytes = most_bytes
        self._loop = asyncio.get_running_loop()
        # Only the newest matters, so a tool that is faster than its watchers costs no memory; and a deque is changed
        # in one step, which a thread cannot come between.
        self._latest: deque[tuple[str, dict[str, Any] | None]] = deque(maxlen=1)
        self._called = False
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False

    def told(self, snapshot: str, details: dict[str, Any] | None = None) -> None:
        """Take all that the call has put out so far, from any thread. Raises TypeError for what is no text."""
        if not isinstance(snapshot, str):  # pyright: ignore[reportUnnecessaryIsInstance] - tools are others' code
            raise TypeError(f"a snapshot is text, not {type(snapshot).__name__}")
        self._latest.append((snapshot, details))
        if not self._called:
            self._called = True
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake)

    def end(self) -> None:
        """Tell the last snapshot, and no further one."""
        if self._ended:
            return
        self._flush()
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self) -> None:
        self._called = False
        if self._timer is None and not self._ended:
            self._again()

    def _again(self) -> None:
        told = self._flush()
        self._timer = self._loop.call_later(self._interval_s, self._again) if told else None

    def _flush(self) -> bool:
        """Tell the newest snapshot, unless it has been told."""
        try:
            snapshot, details = self._latest.pop()
        except IndexError:
            return False
        kept, left_out = tail(clean_text(snapshot), self._most_bytes)
        details = tellable(details)
        if left_out:
            details = {**(details or {}), "omitted_bytes": left_out}
        self._emit(ToolProgress(id=self._block.id, name=self._block.name, snapshot=kept, details=details))
        return True


def tellable(details: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return details as an event can hold them: clean of lone surrogates, None where JSON cannot hold them."""
    if details is not None and not isinstance(details, dict):  # pyright: ignore[reportUnnecessaryIsInstance] - tools are others' code
        LOG.warning("details of a call left out: %s is no dict", type(details).__name__)
        return None
    try:
        try:
            msgspec.json.encode(details)
        except UnicodeEncodeError:
            details = clean_value(details)
            msgspec.json.encode(details)
    except (TypeError, ValueError, RecursionError) as error:
        LOG.warning("details of a call left out: %s", error)
        return None
    return details
