"""How a run is steered from outside: queued messages, a stop, a cancel, another model. Safe from any thread.

Two lanes. A steer joins the next tool results; a follow-up waits until the model has nothing more to do. Taking a
message out of its lane and pushing it into the session is one step under one lock, so that a cancel at any point leaves
each message in exactly one of the two.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from beyond_agent_core.errors import ConfigError, QueueFull
from beyond_wire.types import EFFORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beyond_wire.types import Effort, ImageSource

LANE: Final = 64
"""Messages that a lane holds at most (agent-core contract, steering and control)."""
Mode = Literal["one_at_a_time", "all"]


class Queued(NamedTuple):
    """One message that waits."""

    text: str
    images: tuple[ImageSource, ...] = ()


class QueuedTexts(NamedTuple):
    """The texts that wait in each lane, oldest first; a message of images alone has an empty one."""

    steers: tuple[str, ...]
    follow_ups: tuple[str, ...]


class ModelChoice(NamedTuple):
    """A model, and how much it is to think: a budget in tokens, or an effort where it has levels."""

    model: str
    thinking: int | None = None
    effort: Effort | None = None


class Pending(NamedTuple):
    """How many messages wait in each lane."""

    steers: int
    follow_ups: int


class Control:
    """The handle of one run, or of several in turn. `changed` is called after every request, by its thread."""

    def __init__(self, *, steers: Mode = "one_at_a_time", follow_ups: Mode = "one_at_a_time") -> None:
        for field, mode in (("steers", steers), ("follow_ups", follow_ups)):
            if mode not in ("one_at_a_time", "all"):
                raise ConfigError(field, "must be one_at_a_time or all")
        self._lock = threading.RLock()
        self._steers: deque[Queued] = deque()
        self._follow_ups: deque[Queued] = deque()
        self._modes = (steers, follow_ups)
        self._running = False
        self._cancelled = False
        self._stop = False
        self._model: ModelChoice | None = None
        self._tools: tuple[str, ...] | None = None
        self._abort_retry = False
        self.changed: Callable[[], None] = _nobody

    # -- requests

    def steer(self, text: str, images: Sequence[ImageSource] = ()) -> None:
        """Say something that joins the next tool results. Raises QueueFull."""
        self._queue(self._steers, Queued(text, tuple(images)))

    def follow_up(self, text: str, images: Sequence[ImageSource] = ()) -> None:
        """Say something for when the model has nothing more to do. Raises QueueFull."""
        self._queue(self._follow_ups, Queued(text, tuple(images)))

    def cancel(self) -> None:
        """End the run now; what is queued stays queued. Twice is once, and without a run it does nothing."""
        with self._lock:
            self._cancelled = self._running
        self.changed()

    def request_stop(self) -> None:
        """End the run before its next model call."""
        self._set("_stop")

    def abort_retry(self) -> None:
        """End a wait for a further attempt, and the run with the fault that was to be retried."""
        self._set("_abort_retry")

    def switch_model(self, model: str, thinking: int | None = None, effort: Effort | None = None) -> None:
        """Ask another model from the next turn on, or the same one with other thinking.

        `thinking` is a budget in tokens; neither it nor `effort` is kept from the model before. Raises ConfigError.
        """
        if not model:
            raise ConfigError("model", "must name one")
        if thinking is not None and thinking <= 0:
            raise ConfigError("thinking", "must be above 0")
        if effort is not None and effort not in EFFORTS:
            raise ConfigError("effort", f"must be one of {', '.join(EFFORTS)}")
        with self._lock:
            self._model = ModelChoice(model, thinking, effort)
        self.changed()

    def set_tools(self, names: Sequence[str]) -> None:
        """Give the model these tools from the next turn on."""
        with self._lock:
            self._tools = tuple(sorted(set(names)))
        self.changed()

    def pending(self) -> Pending:
        """Return how many messages wait."""
        with self._lock:
            return Pending(len(self._steers), len(self._follow_ups))

    def queued(self) -> QueuedTexts:
        """Return what waits, for a display; it stays where it is."""
        with self._lock:
            steers, follow_ups = self._steers, self._follow_ups
            return QueuedTexts(tuple(one.text for one in steers), tuple(one.text for one in follow_ups))

    def clear(self) -> Pending:
        """Drop what waits; return how many messages that was."""
        with self._lock:
            dropped = self.pending()
            self._steers.clear()
            self._follow_ups.clear()
        return dropped

    # -- what the run asks

    @property
    def cancelled(self) -> bool:
        """Whether the run is to end now."""
        return self._cancelled

    @property
    def stop_requested(self) -> bool:
        """Whether the run is to end before its next model call."""
        return self._stop

    @property
    def retry_aborted(self) -> bool:
        """Whether nobody wants to wait for further attempts."""
        return self._abort_retry

    def begin(self) -> None:
        """Forget what was asked of an earlier run; queued messages stay."""
        with self._lock:
            self._running = True
            self._cancelled = self._stop = self._abort_retry = False

    def finish(self) -> None:
        """Forget that a stop was asked for: the run has ended."""
        with self._lock:
            self._running = self._stop = False

    def take_model(self) -> ModelChoice | None:
        """Return the model that was asked for, once."""
        with self._lock:
            asked, self._model = self._model, None
        return asked

    def take_tools(self) -> tuple[str, ...] | None:
        """Return the tools that were asked for, once."""
        with self._lock:
            asked, self._tools = self._tools, None
        return asked

    def deliver_steers(self, push: Callable[[list[Queued]], None]) -> int:
        """Take the steers that are due and push them in one step; return how many."""
        return self._deliver(self._steers, self._modes[0], push)

    def deliver_at_rest(self, push: Callable[[list[Queued]], None]) -> int:
        """Take the follow-ups that are due, else steers that no tool round has taken, and push them in one step."""
        with self._lock:
            return self._deliver(self._follow_ups, self._modes[1], push) or self.deliver_steers(push)

    def _deliver(self, lane: deque[Queued], mode: Mode, push: Callable[[list[Queued]], None]) -> int:
        with self._lock:
            due = list(lane) if mode == "all" else list(lane)[:1]
            if due:
                push(due)
                for _ in due:
                    lane.popleft()
            return len(due)

    def _queue(self, lane: deque[Queued], message: Queued) -> None:
        with self._lock:
            if len(lane) >= LANE:
                raise QueueFull
            lane.append(message)
        self.changed()

    def _set(self, flag: str) -> None:
        with self._lock:
            setattr(self, flag, True)
        self.changed()

    def __repr__(self) -> str:
        waiting = self.pending()
        return f"<Control steers={waiting.steers} follow_ups={waiting.follow_ups} cancelled={self._cancelled}>"


def _nobody() -> None:
    """Whoever drives the run looks by itself."""
