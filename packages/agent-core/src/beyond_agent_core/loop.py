"""The loop: asks the model, runs what it calls, and asks again until something ends it. It does nothing itself.

It is a generator of effects (`effects`): whoever drives it performs each and sends the answer back, with an event loop,
threads or by hand. Top to bottom:

    agent_start ─► prompt ─► ┌─ must it end? ─► boundary requests ─► model turn ─► calls? ──no──► queued? ──no──► done
                             └────────────── yes ◄── after turn ◄── tool round ◄──yes──┘  └─────yes────► again

State is `run.Run`; what an end means for the session is settled before it is told: every call has its result, nothing
that was finished is lost, and one `agent_end` comes last, whatever happened.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, cast

from beyond_agent_core import effects as ask
from beyond_agent_core import events
from beyond_agent_core.errors import RunFault
from beyond_agent_core.retry import Counts, next_attempt
from beyond_agent_core.run import BROKEN_OFF, End, Run
from beyond_wire.types import ToolUseBlock, Turn, tool_uses

if TYPE_CHECKING:
    from beyond_agent_core.control import Queued

T = TypeVar("T")
Steps: TypeAlias = Generator[ask.Effect, ask.Answer, T]
"""A part of the loop that ends with a T."""

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
    yield from _emit(events.AgentStart())
    try:
        end = yield from _accept(run, prompt)
        while end is None:
            end = run.must_end()
            if end is None:
                end = yield from _turn(run)
    except Exception as error:  # noqa: BLE001 - a fault of driver or hook ends the run in order, and is told
        message = f"{type(error).__name__}: {error}"
        end = End(outcome="error", fault=RunFault(code="internal", message=message))
    return (yield from _finish(run, end))


def _accept(run: Run, prompt: Queued | None) -> Steps[End | None]:
    """Let what is to be answered into the session."""
    messages, control = run.session.messages, run.control
    said = 0
    if prompt is not None:
        with_steers: list[Queued] = []
        said = control.deliver_steers(with_steers.extend)
        run.push_prompt(prompt, with_steers)
    elif not messages or messages[-1].role == "assistant":
        said = control.deliver_at_rest(run.push_said)
        if not said:
            fault = RunFault(code="nothing_to_do", message="no prompt, and the session waits for nothing")
            return End(outcome="error", fault=fault)
    if said:
        yield from _emit(events.Steered(messages=said))
    return (yield from _checkpoint("prompt"))


def _turn(run: Run) -> Steps[End | None]:
    """Ask the model once and do what it wants; None goes on."""
    yield from _boundary(run)
    step = run.session.steps + 1
    run.open_step = step
    yield from _emit(events.TurnStart(step=step))
    turn = yield from _model(run, step)
    if isinstance(turn, End):
        return turn
    run.commit(turn)
    run.open_step = None
    yield from _emit(events.TurnEnd(stop_reason=turn.stop_reason, step=step))
    calls = tuple(tool_uses(turn.message))
    cut = turn.stop_reason == "max_tokens" and bool(calls)
    run.truncated_turns = run.truncated_turns + 1 if cut else 0
    if turn.stop_reason == "refusal":
        yield from _not_run(run, calls, _REFUSED)
        return End(outcome="refused")
    if not calls:
        return (yield from _rest(run))
    if cut:
        yield from _not_run(run, calls, _CUT)
        if run.truncated_turns < TRUNCATED_TURNS:
            return None
        message = f"{TRUNCATED_TURNS} answers in a row were cut in the middle of their tool calls"
        return End(outcome="error", fault=RunFault(code="output_truncated", message=message))
    return (yield from _tools(run, calls, turn.bad_args))


def _boundary(run: Run) -> Steps[None]:
    """Apply what was asked for between turns: nothing changes in the middle of one."""
    model, tools = run.control.take_model(), run.control.take_tools()
    if model is not None:
        run.switch(*model)
        yield from _emit(events.ModelSwitched(model=model[0], thinking=model[1]))
    if tools is not None:
        yield from _emit(events.ToolsUpdated(tool_names=run.retain(tools)))


def _model(run: Run, step: int) -> Steps[Turn | End]:
    """Ask until there is an answer, or no further attempt."""
    counts = Counts()
    while True:
        answer = yield from _ask(ask.CallModel(request=run.request(), step=step), Turn, ask.CallFailed, ask.Interrupted)
        if isinstance(answer, Turn):
            return answer
        if isinstance(answer, ask.Interrupted):
            return run.interrupted(answer.why)
        run.charge_failed(answer.tokens)
        retry = next_attempt(answer.fault, counts, run.chance())
        if retry is None:
            return End(outcome="error", fault=answer.fault)
        yield from _emit(
            events.TurnRetry(
                step=step,
                attempt=retry.attempt,
                max_attempts=retry.most,
                delay_ms=round(retry.seconds * 1000),
                phase=retry.phase,
                error_code=answer.fault.code,
                message=answer.fault.message,
            )
        )
        waited = yield from _ask(
            ask.Sleep(seconds=retry.seconds, why=answer.fault.code), ask.Elapsed, ask.GivenUp, ask.Interrupted
        )
        if isinstance(waited, ask.Interrupted):
            return run.interrupted(waited.why)
        if isinstance(waited, ask.GivenUp):
            return End(outcome="error", fault=answer.fault)
        end = run.must_end()
        if end is not None:
            return end


def _rest(run: Run) -> Steps[End | None]:
    """The model has nothing more to do: take what waits, or be done."""
    said = run.control.deliver_at_rest(run.push_said)
    if not said:
        return End(outcome="done")
    yield from _emit(events.Steered(messages=said))
    return None


def _tools(run: Run, calls: tuple[ToolUseBlock, ...], bad_args: dict[str, str]) -> Steps[End | None]:
    """Run the calls of a turn; one message has all results, and then what was said meanwhile."""
    unsaved = yield from _checkpoint("assistant")
    if unsaved is not None:
        yield from _not_run(run, calls, _NOT_SAVED)
        return unsaved
    if run.control.cancelled:
        yield from _not_run(run, calls, BROKEN_OFF)
        return run.interrupted("cancelled")
    done = yield from _ask(ask.RunTools(calls=calls, bad_args=bad_args), ask.ToolsDone)
    if done.interrupted is not None:
        run.push_results(calls, done.results)
        return run.interrupted(done.interrupted)
    said = run.control.deliver_steers(lambda steers: run.push_results(calls, done.results, steers))
    if said:
        yield from _emit(events.Steered(messages=said))
    else:
        run.push_results(calls, done.results)
    unsaved = yield from _checkpoint("results")
    if unsaved is not None:
        return unsaved
    if all(result.terminate for result in done.results):
        return End(outcome="done")
    after = yield from _ask(ask.AfterTurn(step=run.session.steps), ask.GoOn, ask.Stop)
    return End(outcome="done") if isinstance(after, ask.Stop) else None


def _not_run(run: Run, calls: tuple[ToolUseBlock, ...], why: str) -> Steps[None]:
    """Give every call of a turn a result without running it."""
    if not calls:
        return
    run.push_results(calls, [ask.ToolResult(text=why, is_error=True) for _ in calls])
    for call in calls:
        yield from _emit(events.ToolStart(id=call.id, name=call.name, input=call.input))
    for call in calls:
        yield from _emit(events.ToolEnd(id=call.id, name=call.name, result=why, is_error=True))


def _finish(run: Run, end: End) -> Steps[End]:
    """Settle the run and tell its end, once and last."""
    run.repair()
    if run.open_step is not None:
        stop = "aborted" if end.outcome in ("cancelled", "limit") else "error"
        yield from _emit(events.TurnEnd(stop_reason=stop, step=run.open_step))
        run.open_step = None
    unsaved = yield from _checkpoint("end")
    if unsaved is not None and end.outcome != "error":
        end = unsaved
    if end.fault is not None and end.outcome in ("error", "limit"):
        yield from _emit(events.Failed(message=end.fault.message, error_code=end.fault.code))
    waiting = run.control.pending()
    yield from _emit(
        events.AgentEnd(
            steps=run.used.steps,
            outcome=end.outcome,
            stop_reason=run.stop_reason,
            error_code=end.fault.code if end.fault is not None else None,
            limit=end.limit,
            undelivered=events.Undelivered(steers=waiting.steers, follow_ups=waiting.follow_ups),
        )
    )
    return end


# -- effects, one way


def _emit(event: events.AgentEvent) -> Steps[None]:
    yield ask.Emit(event)


def _checkpoint(at: ask.CheckpointAt) -> Steps[End | None]:
    saved = yield from _ask(ask.Checkpoint(at), ask.Saved, ask.CheckpointFailed)
    if isinstance(saved, ask.Saved):
        return None
    return End(outcome="error", fault=RunFault(code="checkpoint_failed", message=saved.message))


def _ask(effect: ask.Effect, *kinds: type[T]) -> Steps[T]:
    answer = yield effect
    if not isinstance(answer, kinds):
        raise TypeError(f"{type(effect).__name__} was answered with {type(answer).__name__}")
    return cast("T", answer)
