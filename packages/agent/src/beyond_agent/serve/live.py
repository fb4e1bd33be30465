"""A session that is loaded: its conversation on disk, its frames, and the one piece of work that is done on it.

Work is a run, a compaction or a change of branch. It belongs to the session and not to the connection that asked for
it, so that a client that drops cancels nothing. What a client asks of work before that has really begun is kept until
it has: a cancel that is too early must not be lost.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from beyond_agent.redact import redact
from beyond_agent.serve.answers import Dropped
from beyond_agent.serve.approvals import Approvals
from beyond_agent.serve.faults import LOG, CommandFault
from beyond_agent.serve.frames import SessionSuperseded
from beyond_agent.serve.narrator import Narrator
from beyond_agent.serve.numbered import Numbered
from beyond_agent.serve.shell import Shell
from beyond_agent.sessions.errors import SessionError
from beyond_agent_core.control import Control
from beyond_agent_core.events import AgentStart, CompactionFailed, CompactionStart, Failed, TurnRetry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from beyond_agent.harness import Chosen, Harness
    from beyond_agent.serve.approvals import Reply
    from beyond_agent.sessions.stored import StoredSession
    from beyond_agent_core.agent import Agent
    from beyond_agent_core.events import AgentEvent

T = TypeVar("T")


class LiveSession:
    """One session of this process. `reserve` shares out the memory for its frames, `pause` waits for slow readers.

    `at_rest` is called when something that was done on it has ended.
    `holders` are the connections that are bound to it. Raises UsageError where its directory's settings are wrong.
    """

    def __init__(
        self,
        harness: Harness,
        stored: StoredSession,
        chosen: Chosen,
        *,
        reserve: Callable[[Numbered, int], None] | None = None,
        pause: Callable[[], Awaitable[object]] | None = None,
        at_rest: Callable[[LiveSession], object] | None = None,
    ) -> None:
        self.harness = harness
        self.stored = stored
        self.chosen = chosen
        self.site = harness.site(stored.cwd)
        self.epoch = os.urandom(8).hex()
        self.control = Control()
        self.frames = Numbered(replay_bytes=harness.options.replay_bytes, reserve=reserve)
        self.narrator = Narrator(self.frames, harness.spills)
        self.approvals = Approvals(
            self.frames, harness.spills, timeout_s=harness.options.approve_timeout_ms / 1000, new_id=_request_id
        )
        self.gate = harness.gate(self.site, self._ask)
        self.shell = Shell(self.site.workplace, self.narrator.tell, self._ended)
        self.holders: set[object] = set()
        self.first_of_run = 1
        self.doing: str | None = None
        self.outcome_before: str | None = None
        self._work: asyncio.Task[Any] | None = None
        self._steered: Control = self.control
        self._cancel_wanted = self._stop_wanted = False
        self._pause = pause
        self._at_rest = at_rest
        self._paused = False
        self._superseded_told = False

    @property
    def id(self) -> str:
        """Its id."""
        return self.stored.id

    # -- work, one at a time

    @property
    def working(self) -> bool:
        """Whether a run, a compaction or a change of branch is in progress."""
        return self._work is not None and not self._work.done()

    @property
    def running(self) -> bool:
        """Whether that is a run."""
        return self.working and self.doing == "prompt"

    @property
    def in_use(self) -> bool:
        """Whether it must stay loaded: somebody holds it, or something is done on it."""
        return bool(self.holders) or self.working or self.shell.busy

    def begin(self, name: str, work: Coroutine[Any, Any, T], control: Control | None = None) -> asyncio.Task[T]:
        """Start the work of command `name`, steered by `control`; not while there is other work."""
        assert not self.working  # noqa: S101 - callers have looked
        self.doing = name
        self.outcome_before = self.stored.last_outcome
        self.first_of_run = self.frames.last_seq + 1
        self._steered = control or self.control
        self._cancel_wanted = self._stop_wanted = False
        self._work = task = asyncio.get_running_loop().create_task(work, name=f"{name} {self.id}")
        task.add_done_callback(self._ended)
        return task

    def cancel(self) -> None:
        """End the work; what is queued stays queued. Without work it does nothing."""
        self._cancel_wanted = self.working
        self._steered.cancel()

    def stop_after_turn(self) -> None:
        """End the run before its next model call."""
        if self.running:
            self._stop_wanted = True
            self.control.request_stop()

    async def unwound(self) -> None:
        """Return when there is no work any more, whatever came of it."""
        if self._work is not None and not self._work.done():
            await asyncio.wait([self._work])

    def _ended(self, task: asyncio.Task[Any]) -> None:
        # Where whoever asked has left, nobody else looks at what went wrong.
        _ = task.cancelled() or task.exception()
        if self._at_rest is not None:
            self._at_rest(self)

    # -- what the work tells

    def agent(self) -> Agent:
        """Return the agent for the choice that stands now."""
        return self.harness.agent(
            self.site, self.chosen, self.gate, checkpoint=self.stored.checkpoint, cache_key=self.stored.id
        )

    def tell(self, event: AgentEvent) -> None:
        """Send an event of the work to whoever is attached."""
        self.notice_start(event)
        self.stored.watch(event)
        if isinstance(event, Failed | TurnRetry | CompactionFailed):
            event = replace(event, message=redact(event.message, self.harness.secrets))
        self.narrator.tell(event)

    def notice_start(self, event: AgentEvent) -> None:
        """Pass on what was asked of the work before it began: only now is there something that it can reach."""
        if isinstance(event, AgentStart | CompactionStart):
            if self._cancel_wanted:
                self._steered.cancel()
            if self._stop_wanted:
                self._steered.request_stop()

    async def room(self) -> None:
        """Return when whoever must not lose a frame has kept up."""
        if self._pause is not None:
            self._paused = True
            await self._pause()
            self._paused = False

    async def _ask(self, tool: str, summary: str, scope_key: str) -> Reply:
        # Events of the run wait in a queue of its own: those before the question are told before it.
        await asyncio.sleep(0)
        while self._paused and self._pause is not None:
            await self._pause()
            await asyncio.sleep(0)
        return await self.approvals.ask(tool, summary, scope_key)

    # -- its end

    def leave(self) -> Dropped:
        """Drop what waits and what was allowed, because the session is left; return how much that was."""
        waiting = self.control.clear()
        approvals = self.approvals.clear() + self.gate.approver.forget()
        return Dropped(steers=waiting.steers, follow_ups=waiting.follow_ups, approvals=approvals)

    def must_be_ours(self) -> None:
        """Raise CommandFault where another process writes the session now."""
        if self.stored.superseded:
            self.tell_superseded()
            raise CommandFault("session_superseded", f"session {self.id} was taken over by another process")

    def tell_superseded(self) -> None:
        """Tell that another process writes it now, once, and end the work."""
        if not self._superseded_told:
            self._superseded_told = True
            self.frames.send(lambda seq: self.narrator.line(SessionSuperseded(session_id=self.id, seq=seq)))
            self.cancel()

    def close(self) -> None:
        """Give up the session's file and its frames; not while there is work.

        What a person's commands have put out and no prompt has taken along is kept for the next one.
        """
        notes = self.shell.take_notes()
        if notes and not self.stored.superseded:
            try:
                self.stored.note("\n\n".join(notes))
            except SessionError as error:
                LOG.warning("session %s: %s", self.id, error)
        self.frames.clear()
        self.stored.close()

    def __repr__(self) -> str:
        return f"<LiveSession {self.id} doing={self.doing if self.working else None} holders={len(self.holders)}>"


def _request_id() -> str:
    return f"ask_{os.urandom(8).hex()}"
