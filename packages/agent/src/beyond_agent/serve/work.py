"""What is done on a session, each to its end: a run, a compaction, the summary of a branch that is left.

Whatever happens, the session is stored, and the answer or the fault says what came of it.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, cast

from beyond_agent.serve.answers import BranchChosen, CompactDone, Counts, PromptDone
from beyond_agent.serve.faults import CommandFault
from beyond_agent.sessions.errors import SessionSuperseded
from beyond_agent_core.events import AgentEnd, Compacted, CompactionFailed, Failed
from beyond_agent_core.run import End

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from beyond_agent.serve.live import LiveSession
    from beyond_agent_core.control import Control
    from beyond_agent_core.events import AgentEvent
    from beyond_agent_core.session import Session
    from beyond_wire.types import ImageSource, Message

CANCELLED: Final = "run cancelled"
"""Exact text (agent-core contract, failure and retry)."""
_COUNTS: Final = tuple(Counts.__struct_fields__)


def counts_of(session: Session) -> dict[str, Any]:
    """Return the counts of a session, by the names that answers have for them."""
    return {name: getattr(session, name) for name in _COUNTS}


async def run(live: LiveSession, text: str, images: Sequence[ImageSource]) -> PromptDone:
    """Answer a prompt. Raises CommandFault for every end but done and refused.

    The end is told when it is stored: who sees it may begin the next run at once.
    """
    end, fault = None, None
    try:
        stream = live.agent().stream(live.stored.session, text, images=images, control=live.control)
        async with aclosing(cast("AsyncGenerator[AgentEvent]", stream)) as events:
            async for event in events:
                if isinstance(event, AgentEnd):
                    end = event
                    continue
                if isinstance(event, Failed):
                    fault = event
                live.tell(event)
                await live.room()
    finally:
        # A choice that was made for this run must not come back in the next one.
        live.control.take_model()
        await _settle(live, end)
    assert end is not None  # noqa: S101 - a run that tells no end raises
    refused = end.outcome == "refused"
    done = PromptDone(
        outcome=end.outcome, stop_reason=end.stop_reason, refused=refused, **counts_of(live.stored.session)
    )
    if refused or end.outcome == "done":
        return done
    raise CommandFault(end.error_code or "internal", CANCELLED if fault is None else fault.message, done)


async def _settle(live: LiveSession, end: AgentEnd | None) -> None:
    """Store how a run ended, and tell it, whether or not that could be stored. Raises SessionError."""
    try:
        await live.stored.end_run("error" if end is None else end.outcome)
    except SessionSuperseded:
        live.tell_superseded()
        raise
    finally:
        if end is not None:
            live.tell(end)


async def compact(live: LiveSession, instructions: str) -> CompactDone:
    """Make the history of a session smaller now. Raises CommandFault where that failed."""
    made = await live.agent().compact(live.stored.session, instructions, on_event=live.tell, control=live.control)
    live.must_be_ours()
    match made:
        case Compacted():
            kept = live.stored.ids[1:2] if made.mode == "summary" else live.stored.ids[:1]
            return CompactDone(
                compacted=True,
                reason=made.reason,
                summary=made.summary,
                tokens_before=made.tokens_before,
                tokens_after=made.tokens_after,
                first_kept_entry_id=next(iter(kept), None),
            )
        case CompactionFailed():
            raise CommandFault(made.error_code, made.message)
        case End():
            fault = made.fault
            raise CommandFault(
                "cancelled" if fault is None else fault.code, CANCELLED if fault is None else fault.message
            )
        case _:
            return CompactDone(compacted=False, reason=made.why)


async def switch_branch(
    live: LiveSession, target_id: str, control: Control, *, before: bool, summarize: bool, instructions: str
) -> BranchChosen:
    """Go on from another entry; what is left is told there as a summary. A summary that fails moves nothing."""
    stored = live.stored
    left = stored.left_by(target_id, before=before) if summarize else []
    summary = await _summary(live, left, control, instructions) if left else ""
    from_id = stored.leaf_id
    stored.switch(target_id, before=before)
    if summary:
        stored.add_branch_summary(from_id, summary)
    await stored.checkpoint("end")
    return BranchChosen(target_id=target_id, dropped=live.leave())


async def _summary(live: LiveSession, left: Sequence[Message], control: Control, instructions: str) -> str:
    """Ask the model, on a session of its own, what happened on a branch. Raises CommandFault."""
    from beyond_agent_core import compaction_text as texts  # noqa: PLC0415 - few clients change the branch
    from beyond_agent_core.agent import Agent  # noqa: PLC0415 - few clients change the branch
    from beyond_agent_core.compaction_plan import sizes_for  # noqa: PLC0415 - few clients change the branch
    from beyond_agent_core.session import Session  # noqa: PLC0415 - few clients change the branch

    caps = live.harness.caps(live.chosen.model)
    asks, options = live.agent().settings, live.harness.options
    sizes = sizes_for(asks.compaction, caps)
    agent = Agent(
        live.harness.transport,
        model=live.chosen.model,
        system=texts.SYSTEM,
        limits=asks.limits,
        max_tokens=sizes.summary_max,
        retry=not options.no_retry,
        max_retries=options.retry_max_retries,
        retry_base_delay_ms=options.retry_base_delay_ms,
        caps=caps,
    )
    question = texts.history_prompt(left, "", instructions, sizes.trigger)
    result = await agent.run(Session(), question, control=control, on_event=live.notice_start)
    if result.outcome == "refused":
        raise CommandFault("refused", "the model refused to summarise the branch; nothing was moved")
    if result.fault is not None:
        raise CommandFault(result.fault.code, f"{result.fault.message}; nothing was moved")
    summary = texts.stripped(result.text)
    if not summary:
        raise CommandFault("summary_empty", "the model gave no summary of the branch; nothing was moved")
    return summary
