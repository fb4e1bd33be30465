"""A `Turn` as providers send it: the events of a stream, one bytes value each, and the whole body, in three dialects.

Text and calls, and the stops that all three know. What is written here is read back by `beyond_wire` as the same turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from beyond_agent_core.testing import model_server_anthropic as anthropic
from beyond_agent_core.testing import model_server_chat as chat
from beyond_agent_core.testing import model_server_responses as responses
from beyond_agent_core.testing.model_server_parts import data, named

if TYPE_CHECKING:
    from beyond_wire.types import DialectName, Turn


def stream(dialect: DialectName, turn: Turn) -> list[bytes]:
    """Return the SSE events that mean `turn`, its text and arguments in small pieces."""
    match dialect:
        case "anthropic":
            return [named(event) for event in anthropic.events(turn)]
        case "chat":
            return [*[data(one) for one in chat.chunks(turn)], b"data: [DONE]\n\n"]
        case "responses":
            return [named(event) for event in responses.events(turn)]


def body(dialect: DialectName, turn: Turn) -> bytes:
    """Return the whole JSON body that means `turn`."""
    made = {"anthropic": anthropic.body, "chat": chat.body, "responses": responses.body}[dialect]
    return msgspec.json.encode(made(turn))


def stream_error(dialect: DialectName, kind: str, message: str) -> bytes:
    """Return the event by which a provider ends a stream with an error."""
    if dialect == "chat":
        return data({"error": {"type": kind, "message": message}})
    if dialect == "responses":
        failed = {"code": kind, "message": message}
        return named({"type": "response.failed", "response": {"status": "failed", "error": failed}})
    return named({"type": "error", "error": {"type": kind, "message": message}})
