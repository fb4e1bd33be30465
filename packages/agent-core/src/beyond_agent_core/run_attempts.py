"""One model call with all its attempts: waits and tries again as `retry` decides, until there is an answer or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_agent_core import effects as ask
from beyond_agent_core.events import TurnRetry
from beyond_agent_core.retry import Counts, next_attempt
from beyond_agent_core.run_steps import asked, emit
from beyond_wire.types import Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_agent_core.errors import RunFault
    from beyond_agent_core.run import End, Run
    from beyond_agent_core.run_steps import Steps
    from beyond_wire.types import ModelRequest


def turn_attempts(run: Run, step: int, counts: Counts) -> Steps[Turn | RunFault | End]:
    """Ask for the answer of a turn; return it, the fault that is final, or the end that came between.

    `counts` holds the attempts of the turn so far. Each further one is told to the watchers.
    """
    return (yield from _attempts(run, run.request, step, counts))


def summary_attempts(run: Run, request: ModelRequest) -> Steps[Turn | RunFault | End]:
    """Ask for a summary, which is no turn: watchers see nothing of it. It costs no step, and what it costs counts."""
    answer = yield from _attempts(run, lambda: request, None, Counts())
    if isinstance(answer, Turn):
        run.charge(answer.usage)
    return answer


def _attempts(
    run: Run, request: Callable[[], ModelRequest], step: int | None, counts: Counts
) -> Steps[Turn | RunFault | End]:
    policy = run.settings.retry
    while True:
        # A watcher may have cancelled since the top of the turn, and a wait or a summary may have used up a budget.
        end = run.must_end()
        if end is not None:
            return end
        call = ask.CallModel(request=request(), step=step or 0, purpose="turn" if step else "summary")
        answer = yield from asked(call, Turn, ask.CallFailed, ask.Interrupted)
        if isinstance(answer, Turn):
            return answer
        if isinstance(answer, ask.Interrupted):
            return run.interrupted(answer.why)
        run.charge_failed(answer)
        fault = answer.fault
        retry = None if policy is None else next_attempt(fault, counts, run.chance(), policy)
        if retry is None:
            return fault
        if step is not None:
            yield from emit(
                TurnRetry(
                    step=step,
                    attempt=retry.attempt,
                    max_attempts=retry.most,
                    delay_ms=round(retry.seconds * 1000),
                    phase=retry.phase,
                    error_code=fault.code,
                    message=fault.message,
                )
            )
        wait = ask.Sleep(seconds=retry.seconds, why=fault.code)
        waited = yield from asked(wait, ask.Elapsed, ask.GivenUp, ask.Interrupted)
        if isinstance(waited, ask.Interrupted):
            return run.interrupted(waited.why)
        if isinstance(waited, ask.GivenUp):
            return fault
