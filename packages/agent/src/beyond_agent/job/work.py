"""A job from top to bottom: each prompt is a run on one session, and the first that is not done ends it.

    begin -> (prompt -> run -> outcome)* -> structured answer, reminded of -> end of the job

Whatever happens, the last run has an `agent_end` in what is shown and an end in the session.
Contract: agent contract, run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from beyond_agent.errors import DONE, FAILED, LIMIT, REFUSED, AgentFault
from beyond_agent.interrupts import Interrupts
from beyond_agent.job.output import OutputClosed
from beyond_agent.job.show import Ending
from beyond_agent.job.structured import MISSING, REMINDER, REMINDERS
from beyond_agent.sessions.errors import SessionError, SessionSuperseded
from beyond_agent_core.control import Control
from beyond_agent_core.events import AgentEnd, Failed, Undelivered
from beyond_wire.types import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beyond_agent.job.inputs import Asked
    from beyond_agent.job.show import Show
    from beyond_agent.job.structured import StructuredOutput
    from beyond_agent.sessions.stored import StoredSession
    from beyond_agent_core.agent import Agent
    from beyond_agent_core.events import AgentEvent, Outcome

_STATUS: dict[Outcome, int] = {"done": DONE, "error": FAILED, "refused": REFUSED, "limit": LIMIT}


class Job:
    """One job on one open session; `answer` is the tool of a structured one."""

    def __init__(
        self,
        agent: Agent,
        stored: StoredSession,
        show: Show,
        answer: StructuredOutput | None = None,
        *,
        again: str = "-c",
    ) -> None:
        self._agent = agent
        self._stored = stored
        self._show = show
        self._answer = answer
        self._again = again
        self.error_code: str | None = None
        self._control = Control()
        self._interrupts = Interrupts(self._control.cancel)
        self._before = (stored.session.steps, stored.session.usage)
        self._open = False
        self._end: AgentEnd | None = None
        self._closed = False

    async def work(self, prompts: Sequence[Asked]) -> int:
        """Do it; return the exit status."""
        with self._interrupts:
            keeping = asyncio.ensure_future(self._keep_lease())
            try:
                status = await self._all(prompts)
            finally:
                keeping.cancel()
                await asyncio.wait([keeping])
        return status

    async def _all(self, prompts: Sequence[Asked]) -> int:
        status = DONE
        for asked in prompts:
            status = await self._one(asked)
            if status != DONE:
                break
        if self._answer is not None and status == DONE:
            status = await self._answered(self._answer)
        self._quietly(lambda: self._show.ended(self._ending()))
        return DONE if self._closed and self._interrupts.number is None else status

    async def _answered(self, answer: StructuredOutput) -> int:
        """Remind the model of the answer that is missing; print the one that came."""
        from beyond_agent.job.inputs import Asked  # noqa: PLC0415 - only a structured job reminds

        for _ in range(REMINDERS):
            if answer.answered:
                break
            status = await self._one(Asked(REMINDER))
            if status != DONE:
                return status
        if answer.answered:
            self._quietly(lambda: self._show.payload(answer.payload))
            return DONE
        self._quietly(lambda: self._show.notice(f"{MISSING}: the model gave no answer of the schema"))
        return FAILED

    async def _one(self, asked: Asked) -> int:
        """Run one prompt to its end; return the status that it stands for."""
        session, outcome = self._stored.session, "error"
        self._open, self._end = True, None
        if self._answer is not None:
            # Of several tasks the last one's answer counts.
            self._answer.answered = False
        try:
            result = await self._agent.run(
                session, asked.text, images=asked.images, on_event=self._tell, control=self._control
            )
            outcome = result.outcome
            await self._stored.end_run(outcome)
            self._tell_end()
        except OutputClosed:
            self._closed = True
            outcome = "cancelled"
            await self._stored.end_run(outcome)
        except AgentFault:
            # Nothing can be shown any more; what was done until then is stored.
            self._closed = True
            await self._stored.end_run("error")
            raise
        except SessionError as error:
            outcome = self._broken(error.code, str(error))
        except Exception as error:
            self._broken("internal", f"{type(error).__name__}: {error}")
            raise
        if outcome == "cancelled":
            return self._interrupts.status if self._interrupts.number else FAILED
        return _STATUS[outcome]

    def _tell(self, event: AgentEvent) -> None:
        if self._interrupts.number is not None and not self._control.cancelled:
            # The signal came when there was no run yet that could be cancelled.
            self._control.cancel()
        self._stored.watch(event)
        if isinstance(event, AgentEnd):
            self._end = event
        elif not self._closed:
            self._show.tell(event)

    def _tell_end(self) -> None:
        """Show the end of a run, which is one when it is stored."""
        self._open = False
        if self._end is not None:
            end, self._end = self._end, None
            self.error_code = end.error_code
            self._quietly(lambda: self._show.tell(end))

    def _broken(self, code: Any, message: str) -> Outcome:
        """Show the end of a run that could not be ended as runs are."""
        if self._open:
            self._open = False
            steps = self._stored.session.steps
            self._quietly(lambda: self._show.tell(Failed(message=message, error_code=code)))
            end = AgentEnd(steps=steps, outcome="error", error_code=code, undelivered=Undelivered())
            self._quietly(lambda: self._show.tell(end))
        else:
            self._quietly(lambda: self._show.notice(f"error: {message}"))
        return "error"

    async def _keep_lease(self) -> None:
        """Renew the lease as long as the job lasts; where it is lost, the job ends."""
        message = str(SessionSuperseded(self._stored.path or ""))
        try:
            await self._stored.keep_lease()
        except SessionError as error:
            message = str(error)
        self._quietly(lambda: self._show.notice(message))
        self._control.cancel()

    def _quietly(self, tell: Callable[[], None]) -> None:
        """Show something, unless nobody reads any more."""
        if self._closed:
            return
        try:
            tell()
        except OutputClosed:
            self._closed = True

    def _ending(self) -> Ending:
        session = self._stored.session
        steps, usage = self._before
        used = {name: getattr(session.usage, name) - getattr(usage, name) for name in TokenUsage.__struct_fields__}
        stored = self._stored.id if self._stored.path is not None else None
        return Ending(steps=session.steps - steps, usage=TokenUsage(**used), session=stored, again=self._again)

    def __repr__(self) -> str:
        return f"<Job {self._stored.id}>"
