"""The loop: asks the model, runs what it calls, and asks again until something ends it. It does nothing itself.

It is a generator of effects (`effects`): whoever drives it performs each and sends the answer back, with an event loop,
threads or by hand. Top to bottom:

    agent_start ─► prompt ─► ┌─ must it end? ─► boundary requests ─► model turn ─► calls? ──no──► queued? ──no──► done
                             └────────────── yes ◄── after turn ◄── tool round ◄──yes──┘  └─────yes────► again

State is `run.Run`; what an end means for the session is settled before it is told: every call has its result, nothing
that was finished is lost, and one `agent_end` comes last, whatever happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from beyond_agent_core import compaction, events
from beyond_agent_core import effects as ask
from beyond_agent_core.errors import RunFault
from beyond_agent_core.retry import Counts
from beyond_agent_core.run import BROKEN_OFF, End, Run
from beyond_agent_core.run_attempts import turn_attempts
from beyond_agent_core.run_steps import asked, checkpoint, emit
from beyond_wire.types import ToolUseBlock, Turn, tool_uses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_agent_core.control import Queued
    from beyond_agent_core.run_steps import Steps

TRUNCATED_TURNS: Final = 3
"""Turns in a row that may be cut in the middle of their calls (agent-core contract, the loop)."""
_CUT: Final = "tool call not run: the answer was cut at its token limit; make the call again, in smaller parts"
_REFUSED: Final = "tool call not run: the model refused"
_NOT_SAVED: Final = "tool call not run: the session could not be saved"


def loop(run: Run, prompt: Queued | None = None) -> Steps[End]:
    """Run from `prompt`, or from where the session stands, to an end.

    An exception that the driver throws in, or an answer of the wrong kind, ends the run as error `internal`.
    """
    run.control.begin()
    try:
        end = yield from _in_order(run, prompt)
        return (yield from _finish(run, end))
    finally:
        # A driver that goes away without a word leaves a session that can be sent, too.
        run.repair()
        run.control.finish()


def _in_order(run: Run, prompt: Queued | None) -> Steps[End]:
    try:
        yield from emit(events.AgentStart())
        end = yield from _accept(run, prompt)
        while end is None:
            end = run.must_end() or (yield from _turn(run))
    except Exception as error:  # noqa: BLE001 - a fault of driver or hook ends the run in order, and is told
        end = _internal(error)
    return end


def _accept(run: Run, prompt: Queued | None) -> Steps[End | None]:
    """Let what is to be answered into the session."""
    run.repair()
    messages, control = run.session.messages, run.control
    said = 0
    if prompt is not None:
        said = control.deliver_steers(lambda steers: run.push_prompt(prompt, steers))
        if not said:
            run.push_prompt(prompt, ())
    elif not messages or messages[-1].role == "assistant":
        said = control.deliver_at_rest(run.push_said)
        if not said:
            fault = RunFault(code="nothing_to_do", message="no prompt, and the session waits for nothing")
            return End(outcome="error", fault=fault)
    if said:
        yield from emit(events.Steered(messages=said))
    return (yield from checkpoint("prompt"))


def _turn(run: Run) -> Steps[End | None]:
    """Ask the model once and do what it wants; None goes on."""
    yield from _boundary(run)
    if compaction.due(run):
        made = yield from compaction.compact(run, "threshold")
        end = made if isinstance(made, End) else run.must_end()
        if end is not None:
            return end
    step = run.session.steps + 1
    run.open_step = step
    yield from emit(events.TurnStart(step=step))
    turn = yield from _model(run, step)
    if isinstance(turn, End):
        return turn
    run.commit(turn)
    run.open_step = None
    yield from emit(events.TurnEnd(stop_reason=turn.stop_reason, step=step))
    calls = tuple(tool_uses(turn.message))
    cut = turn.stop_reason == "max_tokens" and bool(calls)
    run.truncated_turns = run.truncated_turns + 1 if cut else 0
    if turn.stop_reason == "refusal":
        run.push_not_run(calls, _REFUSED)
        yield from _tell_not_run(run, calls, _REFUSED)
        return End(outcome="refused")
    if not calls:
        return (yield from _rest(run))
    if cut:
        said = run.control.deliver_steers(lambda steers: run.push_not_run(calls, _CUT, steers))
        if not said:
            run.push_not_run(calls, _CUT)
        yield from _tell_not_run(run, calls, _CUT)
        if said:
            yield from emit(events.Steered(messages=said))
        if run.truncated_turns < TRUNCATED_TURNS:
            return None
        message = f"{TRUNCATED_TURNS} answers in a row were cut in the middle of their tool calls"
        return End(outcome="error", fault=RunFault(code="output_truncated", message=message))
    return (yield from _tools(run, turn, calls))


def _boundary(run: Run) -> Steps[None]:
    """Apply what was asked for between turns: nothing changes in the middle of one."""
    model, tools = run.control.take_model(), run.control.take_tools()
    if model is not None:
        run.switch(model)
        yield from emit(events.ModelSwitched(model=model.model, thinking=model.thinking))
    if tools is not None:
        yield from emit(events.ToolsUpdated(tool_names=run.retain(tools)))


def _model(run: Run, step: int) -> Steps[Turn | End]:
    """Ask until there is an answer, or no further attempt; a history that is too large is made smaller once."""
    counts = Counts()
    answer = yield from turn_attempts(run, step, counts)
    if isinstance(answer, RunFault) and answer.code == "context_overflow" and not compaction.breaker_open(run):
        made = yield from compaction.compact(run, "overflow")
        if isinstance(made, End):
            return made
        if isinstance(made, events.Compacted):
            yield from emit(_overflowed(step, answer))
            answer = yield from turn_attempts(run, step, counts)
    return End(outcome="error", fault=answer) if isinstance(answer, RunFault) else answer


def _rest(run: Run) -> Steps[End | None]:
    """The model has nothing more to do: take what waits, or be done."""
    said = run.control.deliver_at_rest(run.push_said)
    if not said:
        return End(outcome="done")
    yield from emit(events.Steered(messages=said))
    return None


def _tools(run: Run, turn: Turn, calls: tuple[ToolUseBlock, ...]) -> Steps[End | None]:
    """Run the calls of a turn; one message has all results, and then what was said meanwhile."""
    unsaved = yield from checkpoint("assistant")
    why = _NOT_SAVED if unsaved is not None else BROKEN_OFF if run.control.cancelled else None
    if why is not None:
        run.push_not_run(calls, why)
        yield from _tell_not_run(run, calls, why)
        return unsaved or run.interrupted("cancelled")
    done = yield from asked(ask.RunTools(calls=calls, bad_args=turn.bad_args), ask.ToolsDone)
    if done.interrupted is not None:
        run.push_results(calls, done.results)
        return run.interrupted(done.interrupted)
    said = run.control.deliver_steers(lambda steers: run.push_results(calls, done.results, steers))
    if said:
        yield from emit(events.Steered(messages=said))
    else:
        run.push_results(calls, done.results)
    unsaved = yield from checkpoint("results")
    if unsaved is not None:
        return unsaved
    if all(result.terminate for result in done.results):
        return End(outcome="done")
    after = yield from asked(ask.AfterTurn(step=run.session.steps, turn=turn), ask.GoOn, ask.Stop)
    return End(outcome="done") if isinstance(after, ask.Stop) else None


def _tell_not_run(run: Run, calls: Sequence[ToolUseBlock], why: str) -> Steps[None]:
    """Tell of every call of a turn that it got a result without running."""
    for call in calls:
        run.open_calls.append(call)
        yield from emit(events.ToolStart(id=call.id, name=call.name, input=call.input))
    while run.open_calls:
        call = run.open_calls.pop(0)
        yield from emit(events.ToolEnd(id=call.id, name=call.name, result=why, is_error=True))


def _finish(run: Run, end: End) -> Steps[End]:
    """Settle the run and tell its end, once and last; nothing that the driver throws in keeps it from that."""
    run.repair()
    yield from _surely(_balanced(run, end))
    unsaved = yield from _surely(checkpoint("end"))
    if unsaved is not None and end.outcome != "error":
        end = unsaved
    if end.fault is not None and end.outcome in ("error", "limit"):
        yield from _surely(emit(events.Failed(message=end.fault.message, error_code=end.fault.code)))
    waiting = run.control.pending()
    ended = events.AgentEnd(
        steps=run.used.steps,
        outcome=end.outcome,
        stop_reason=run.stop_reason,
        error_code=end.fault.code if end.fault is not None else None,
        limit=end.limit,
        undelivered=events.Undelivered(steers=waiting.steers, follow_ups=waiting.follow_ups),
    )
    yield from _surely(emit(ended))
    return end


def _balanced(run: Run, end: End) -> Steps[None]:
    """Close what a fault has left open for the watchers."""
    if run.open_compaction is not None:
        reason, run.open_compaction = run.open_compaction, None
        why = end.fault or RunFault(code="internal", message=end.outcome)
        yield from emit(events.CompactionFailed(reason=reason, message=why.message, error_code=why.code))
    if run.open_step is not None:
        step, run.open_step = run.open_step, None
        yield from emit(events.TurnEnd(stop_reason="error" if end.outcome == "error" else "aborted", step=step))
    yield from _tell_not_run(run, (), BROKEN_OFF)


def _surely(steps: Steps[End | None] | Steps[None]) -> Steps[End | None]:
    try:
        return (yield from steps)
    except Exception as error:  # noqa: BLE001 - the end is told whatever happens, and the fault with it
        return _internal(error)


def _internal(error: Exception) -> End:
    return End(
        outcome="error", fault=RunFault(code="internal", message=f"{type(error).__name__}: {error}"), cause=error
    )


def _overflowed(step: int, fault: RunFault) -> events.TurnRetry:
    return events.TurnRetry(
        step=step, attempt=1, max_attempts=1, delay_ms=0, phase="overflow", error_code=fault.code, message=fault.message
    )
