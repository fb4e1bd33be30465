"""Rules of what calls of a tool do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.testing.tool_trial import OneCall, copied
from beyond_agent_core.tools import ToolOutput
from beyond_wire.types import ImageSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from beyond_agent_core.testing.tool_trial import Trial

QUIET_S: Final = 0.05
"""Seconds for which is listened behind the end of a call."""
ALLOWED = (InvalidInput, ExecutionFailed, OSError)


async def good_input_works(trial: Trial) -> AsyncIterator[str]:
    """No error is told."""
    for given in trial.good:
        tried = await trial.run(copied(given))
        if tried.failed and (tried.raised is None or isinstance(tried.raised, ALLOWED)):
            yield f"{given}: {tried.raised or tried.returned!r}"


async def bad_input_is_refused(trial: Trial) -> AsyncIterator[str]:
    """By the schema, or else as an error of the tool's own."""
    for given in trial.bad:
        taken = trial.taken(given)
        if taken is not None and not (await trial.run(copied(taken))).failed:
            yield f"{given} is taken"


async def faults_are_of_kinds_that_are_told(trial: Trial) -> AsyncIterator[str]:
    """`InvalidInput`, `ExecutionFailed` or an `OSError`; anything else is a bug that the model cannot mend."""
    for given in (*trial.good, *trial.bad):
        taken = trial.taken(given)
        raised = None if taken is None else (await trial.run(copied(taken))).raised
        if raised is not None and not isinstance(raised, ALLOWED):
            yield f"{given} raises {raised!r}"


async def results_are_outputs(trial: Trial) -> AsyncIterator[str]:
    """Text or `ToolOutput`, whose text is text, whose images are sources and whose details are JSON."""
    for given in trial.good:
        tried = await trial.run(copied(given))
        if tried.raised is not None or isinstance(tried.returned, str):
            continue
        output = tried.returned
        if not isinstance(output, ToolOutput):
            yield f"{given}: {type(output).__name__}"
            continue
        if not isinstance(output.text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - a Struct does not check
            yield f"{given}: its text is {type(output.text).__name__}"
        if not all(isinstance(image, ImageSource) for image in output.images):  # pyright: ignore[reportUnnecessaryIsInstance] - the same
            yield f"{given}: an image is no ImageSource"
        try:
            msgspec.json.encode(output.details)
        except (TypeError, UnicodeError) as error:
            yield f"{given}: its details are no JSON: {error}"


async def input_is_left_alone(trial: Trial) -> AsyncIterator[str]:
    """What a call gets may be looked at by others later."""
    for given in trial.good:
        own = copied(given)
        await trial.run(own)
        if own != given:
            yield f"{given} has become {own}"


async def cancel_ends_a_call(trial: Trial) -> AsyncIterator[str]:
    """Within its time; a tool in a thread looks at `context.cancelled`."""
    for given in trial.good:
        call = OneCall()
        task = trial.begin(copied(given), call)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        call.over = True
        task.cancel()
        await asyncio.wait([task], timeout=trial.ends_s)
        if not task.done():
            yield f"{given} has not ended in {trial.ends_s:g} s"
        elif not task.cancelled():
            task.exception()


async def snapshots_are_text_and_end_with_the_call(trial: Trial) -> AsyncIterator[str]:
    """All that the call has put out so far; nobody hears what comes later."""
    for given in trial.good:
        call = OneCall()
        task = trial.begin(copied(given), call)
        await asyncio.wait([task], timeout=trial.ends_s)
        told = len(call.told)
        odd = next((snapshot for snapshot in call.told if not isinstance(snapshot, str)), None)
        if odd is not None:
            yield f"{given}: a snapshot is {type(odd).__name__}"
        if not task.done():
            task.cancel()
            continue
        _ = task.cancelled() or task.exception()
        await asyncio.sleep(QUIET_S if told else 0)
        if len(call.told) > told:
            yield f"{given}: there are snapshots behind its end"


async def event_loop_goes_on(trial: Trial) -> AsyncIterator[str]:
    """A coroutine function waits with await; work that does not is a plain function's, which gets a thread."""
    loop = asyncio.get_running_loop()
    for given in trial.good:
        task = trial.begin(copied(given), OneCall())
        ends, longest = loop.time() + trial.ends_s, 0.0
        while not task.done() and loop.time() < ends:
            before = loop.time()
            await asyncio.wait([task], timeout=0.01)
            longest = max(longest, loop.time() - before)
        if not task.done():
            task.cancel()
        else:
            _ = task.cancelled() or task.exception()
        if longest > trial.blocked_s:
            yield f"{given} keeps it for {longest:.1f} s"


RULES: Sequence[Callable[[Trial], AsyncIterator[str]]] = (
    good_input_works,
    bad_input_is_refused,
    faults_are_of_kinds_that_are_told,
    results_are_outputs,
    input_is_left_alone,
    cancel_ends_a_call,
    snapshots_are_text_and_end_with_the_call,
    event_loop_goes_on,
)
