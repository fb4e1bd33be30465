"""A model that plays a script: for tests of agents, tools and hooks, with the real loop and the real driver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import cycle
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from beyond_agent_core.errors import AgentError, RunFault
from beyond_agent_core.transport import TransportFailed
from beyond_wire.types import (
    ContentBlockStop,
    InputJsonDelta,
    MessageStart,
    MessageStop,
    ModelRequest,
    RedactedThinking,
    RedactedThinkingBlock,
    SignatureDelta,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
    ToolUseBlock,
    ToolUseStart,
    Turn,
    usage_event,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator

    from beyond_wire.types import ContentBlock, StreamEvent

PIECES: Final = (7, 3, 1, 5, 2, 6, 4)
"""Characters of text or arguments in one event, in turn: small, so that what is joined is really joined."""


class ScriptExhausted(AgentError):  # noqa: N818 - it says what happened
    """The model was asked more often than the script has answers; the text names the call's number."""


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """The first `after` events of `turn`, and then `fault`; without a fault nothing follows, for ever."""

    turn: Turn
    after: int
    fault: RunFault | None = None


Entry: TypeAlias = Turn | RunFault | Broken | Callable[[ModelRequest], "Turn | RunFault | Broken"]
"""What a script has for one call; a function makes it of the request."""


class ScriptedTransport:
    """Answers from a script: a `Turn` is streamed, a `RunFault` fails. `requests` records what was asked.

    `seed` moves the places at which text and arguments are cut into events. A cancel is taken at every event.
    """

    def __init__(self, script: Iterable[Entry], *, seed: int = 0) -> None:
        self._script = iter(script)
        self._seed = seed
        self.requests: list[ModelRequest] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        """Yield the next answer in small pieces. Raises TransportFailed for a fault, ScriptExhausted behind the end."""
        self.requests.append(request)
        try:
            entry = next(self._script)
        except StopIteration:
            raise ScriptExhausted(f"call {len(self.requests)} has no answer in the script") from None
        if not isinstance(entry, Turn | RunFault | Broken):
            entry = entry(request)
        if isinstance(entry, RunFault):
            raise TransportFailed(entry)
        turn, after = (entry.turn, entry.after) if isinstance(entry, Broken) else (entry, None)
        for event in events_of(turn, seed=self._seed)[:after]:
            await asyncio.sleep(0)
            yield event
        if isinstance(entry, Broken):
            if entry.fault is None:
                await asyncio.get_running_loop().create_future()
            else:
                raise TransportFailed(entry.fault)


def events_of(turn: Turn, *, seed: int = 0) -> list[StreamEvent]:
    """Return the events that give `turn`, its text and arguments in small pieces. Raises TypeError for other blocks."""
    sizes = cycle((*PIECES[seed % len(PIECES) :], *PIECES[: seed % len(PIECES)]))
    events: list[StreamEvent] = [MessageStart()]
    for index, block in enumerate(turn.message.content):
        events += [*_block(index, block, sizes), ContentBlockStop(index=index)]
    return [*events, usage_event(turn.usage), MessageStop(stop_reason=turn.stop_reason)]


def _block(index: int, block: ContentBlock, sizes: Iterator[int]) -> Iterator[StreamEvent]:
    match block:
        case TextBlock():
            yield from (TextDelta(index=index, text=piece) for piece in _pieces(block.text, sizes))
        case ThinkingBlock():
            yield from (ThinkingDelta(index=index, text=piece) for piece in _pieces(block.thinking, sizes))
            if block.signature:
                yield SignatureDelta(index=index, signature=block.signature)
        case RedactedThinkingBlock():
            yield RedactedThinking(index=index, data=block.data)
        case ToolUseBlock():
            yield ToolUseStart(index=index, id=block.id, name=block.name)
            raw = msgspec.json.encode(block.input).decode()
            yield from (InputJsonDelta(index=index, partial_json=piece) for piece in _pieces(raw, sizes))
        case _:
            raise TypeError(f"a model does not answer with {type(block).__name__}")


def _pieces(text: str, sizes: Iterator[int]) -> Iterator[str]:
    at = 0
    while at < len(text):
        size = next(sizes)
        yield text[at : at + size]
        at += size
