"""Questions to whoever is attached: may this call run? Every way of not answering is a no.

The first answer counts. A client that drops leaves the question open for its time, and its replay shows it again.
Contract: agent contract, serve: transports and reconnection; policy and approvals.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_agent.serve.answers import PendingApproval
from beyond_agent.serve.fitting import line_of
from beyond_agent.serve.frames import ApprovalRequest, ApprovalResolved, Decision, Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_agent.seams import SpillFolder
    from beyond_agent.serve.numbered import Numbered

OPTIONS: Final = ("allow", "allow_session", "deny")
"""What a client may offer a person."""
REMEMBERED: Final = 256
"""Questions that are settled and still known, so that a second answer is told from one to nothing."""


class Reply(NamedTuple):
    """What was decided; `reason` says why it is a no."""

    decision: Decision
    scope: Scope | None = None
    reason: str | None = None


class Approvals:
    """The open questions of one session. `new_id` gives ids that were not there before; `timeout_s` is per question."""

    def __init__(self, frames: Numbered, spill: SpillFolder, *, timeout_s: float, new_id: Callable[[], str]) -> None:
        self._frames = frames
        self._spill = spill
        self._timeout_s = timeout_s
        self._new_id = new_id
        self._open: dict[str, tuple[PendingApproval, asyncio.Future[Reply]]] = {}
        self._closed: deque[str] = deque(maxlen=REMEMBERED)

    async def ask(self, tool: str, summary: str, scope_key: str) -> Reply:
        """Return the answer of whoever is attached; a no where nobody is, or nobody answers in time."""
        if not self._frames.heard:
            return Reply("deny", reason="no_client")
        request_id = self._new_id()
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        asked = PendingApproval(request_id=request_id, tool=tool, summary=summary, scope_key=scope_key)
        self._open[request_id] = (asked, answer)
        self._frames.send(lambda seq: line_of(_request(asked, seq), self._spill))
        reply = Reply("deny", reason="cancelled")
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await answer
        except TimeoutError:
            reply = Reply("deny", reason="timeout")
        finally:
            del self._open[request_id]
            self._closed.append(request_id)
            self._tell(request_id, reply)
        return reply

    def answer(self, request_id: str, decision: Decision, scope: Scope) -> bool:
        """Answer a question; return whether this answer was the first. Raises KeyError where nobody asked that."""
        if request_id in self._closed:
            return False
        _, answer = self._open[request_id]
        if answer.done():
            return False
        answer.set_result(Reply(decision, scope, None if decision == "allow" else "denied by the user"))
        return True

    def clear(self) -> int:
        """Deny all that is open, because its session is left; return how many there were."""
        for _, answer in self._open.values():
            if not answer.done():
                answer.set_result(Reply("deny", reason="session left"))
        return len(self._open)

    @property
    def pending(self) -> tuple[PendingApproval, ...]:
        """The open questions."""
        return tuple(asked for asked, _ in self._open.values())

    def _tell(self, request_id: str, reply: Reply) -> None:
        self._frames.send(
            lambda seq: line_of(
                ApprovalResolved(
                    request_id=request_id,
                    decision=reply.decision,
                    scope=reply.scope if reply.decision == "allow" else None,
                    reason=reply.reason,
                    seq=seq,
                ),
                self._spill,
            )
        )


def _request(asked: PendingApproval, seq: int) -> ApprovalRequest:
    return ApprovalRequest(
        request_id=asked.request_id,
        tool=asked.tool,
        summary=asked.summary,
        scope_key=asked.scope_key,
        origin="model",
        options=OPTIONS,
        seq=seq,
    )
