"""A model that plays a script: for tests of agents, tools and hooks, with the real loop and the real driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from beyond_agent_core.errors import AgentError, RunFault
from beyond_agent_core.transport import TransportFailed
from beyond_wire.types import (
    ContentBlockStop,
    InputJsonDelta,
    MessageStart,
    MessageStop,
    TextBlock,
    TextDelta,
    ToolUseBlock,
    ToolUseStart,
    Turn,
    usage_event,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from beyond_wire.types import ModelRequest, StreamEvent

PIECE = 7
"""Characters of text or arguments in one event: small, so that what is joined is really joined."""


class ScriptExhausted(AgentError):  # noqa: N818 - it says what happened
    """The model was asked more often than the script has answers; the text names the call's number."""


class ScriptedTransport:
    """Answers from a script: a `Turn` is streamed, a `RunFault` fails. `requests` records what was asked."""

    def __init__(self, script: Iterable[Turn | RunFault]) -> None:
        self._script = iter(script)
        self.requests: list[ModelRequest] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        """Yield the next answer in small pieces. Raises TransportFailed for a fault, ScriptExhausted behind the end."""
        self.requests.append(request)
        try:
            entry = next(self._script)
        except StopIteration:
            raise ScriptExhausted(f"call {len(self.requests)} has no answer in the script") from None
        if isinstance(entry, RunFault):
            raise TransportFailed(entry)
        for event in events_of(entry):
            yield event


def events_of(turn: Turn) -> list[StreamEvent]:
    """Return the events that give `turn`, of text and calls, in small pieces."""
    events: list[StreamEvent] = [MessageStart()]
    for index, block in enumerate(turn.message.content):
        match block:
            case TextBlock():
                events += [TextDelta(index=index, text=piece) for piece in _pieces(block.text)]
            case ToolUseBlock():
                events.append(ToolUseStart(index=index, id=block.id, name=block.name))
                raw = msgspec.json.encode(block.input).decode()
                events += [InputJsonDelta(index=index, partial_json=piece) for piece in _pieces(raw)]
            case _:
                raise TypeError(f"a script has text and calls, not {type(block).__name__}")
        events.append(ContentBlockStop(index=index))
    return [*events, usage_event(turn.usage), MessageStop(stop_reason=turn.stop_reason)]


def _pieces(text: str) -> list[str]:
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
