"""Rules of how a transport gives an answer, and of how it lets go of one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from beyond_agent_core.testing.model_server_answers import stream
from beyond_agent_core.testing.model_server_http import head
from beyond_agent_core.testing.model_server_script import BrokenStream, Raw
from beyond_agent_core.testing.transport_trial import MODELS, PATIENCE_S, Trial
from beyond_agent_core.testing.turns import calls, refuses, says
from beyond_wire.dialects import DIALECTS
from beyond_wire.types import TextDelta

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from beyond_agent_core.testing.transport_trial import TransportFactory

_TEXT = "an answer that comes in many pieces"


async def gives_the_answer(factory: TransportFactory) -> AsyncIterator[str]:
    """The events are those that the dialect's decoder makes of the stream."""
    turns = [says(_TEXT), calls(("read", {"path": "a"}), ("read", {"path": "b"}), text="two"), refuses()]
    for dialect in MODELS:
        async with Trial(factory, turns) as trial:
            for turn in turns:
                await trial.ask(dialect)
                decoder = DIALECTS[dialect].decoder()
                wanted = [*decoder.feed(b"".join(stream(dialect, turn))), *decoder.finish()]
                if trial.error is not None:
                    yield f"{dialect}: raises {type(trial.error).__name__}"
                elif trial.events != wanted:
                    yield f"{dialect}: {trial.events}, not {wanted}"


async def gives_events_as_they_come(factory: TransportFactory) -> AsyncIterator[str]:
    """What has arrived is given before more does."""
    for dialect in MODELS:
        async with Trial(factory, [BrokenStream(turn=says(_TEXT), after=5, then="stall")]) as trial:
            events = trial.open(dialect)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    while not isinstance(await anext(events), TextDelta):
                        pass
            except TimeoutError:
                yield f"{dialect}: nothing of a stream that pauses"
            finally:
                await events.aclose()


async def ignores_keep_alives(factory: TransportFactory) -> AsyncIterator[str]:
    """Comments between events are no events."""
    for dialect in MODELS:
        told = b": keep-alive\n\n".join([b"", *stream(dialect, says(_TEXT))])
        plain = head(200, {"content-type": "text/event-stream", "connection": "close"})
        async with Trial(factory, [Raw(data=plain + told)]) as trial:
            await trial.ask(dialect)
            if trial.error is not None or trial.text != _TEXT:
                yield f"{dialect}: gives {trial.text!r}"
            pieces = [event for event in trial.events if isinstance(event, TextDelta)]
            if any(not event.text for event in pieces):
                yield f"{dialect}: an event without content"


async def closes_when_left(factory: TransportFactory) -> AsyncIterator[str]:
    """Closing the iterator in the middle of an answer closes the connection."""
    async with Trial(factory, [BrokenStream(turn=says(_TEXT), after=5, then="stall")]) as trial:
        events = trial.open()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await anext(events)
        except TimeoutError:
            pass
        finally:
            await events.aclose()
        if not await trial.left():
            yield "the connection of an iterator that was closed stays open"


async def closes_when_cancelled(factory: TransportFactory) -> AsyncIterator[str]:
    """Cancelling a task that waits for an event closes the connection."""
    async with Trial(factory, [BrokenStream(turn=says(_TEXT), after=0, then="stall")]) as trial:
        waiting = asyncio.ensure_future(anext(trial.open()))
        try:
            await asyncio.to_thread(trial.server.until, lambda server: bool(server.requests), PATIENCE_S)
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])
        if not await trial.left():
            yield "the connection of a request that was cancelled stays open"


RULES = (gives_the_answer, gives_events_as_they_come, ignores_keep_alives, closes_when_left, closes_when_cancelled)
