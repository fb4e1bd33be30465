"""What a `ModelServer` is told to do: one entry a request, from a whole answer to a connection that is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec

from beyond_agent_core.errors import RunFault
from beyond_agent_core.testing.scripted import Broken
from beyond_wire.types import DialectName, Turn

Then: TypeAlias = Literal["cut", "reset", "stall", "keep_alives", "error"]
"""How a stream goes on that does not go on well; a stall and keep-alives last until the client leaves."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it came. `headers` have names in lower case, `connection` counts connections from 0."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def dialect(self) -> DialectName | None:
        """The format that the path speaks, None where it is none of the three."""
        ends: dict[str, DialectName] = {
            "/v1/messages": "anthropic",
            "/v1/chat/completions": "chat",
            "/v1/responses": "responses",
        }
        return next((name for end, name in ends.items() if self.path.endswith(end)), None)

    @property
    def json(self) -> Any:
        """The body as a value."""
        return msgspec.json.decode(self.body)


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is no stream: a status, headers and a body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}


class BrokenStream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of `turn` that goes on as `then` says after `after` of its wire events."""

    turn: Turn
    after: int
    then: Then
    error_type: str = "overloaded_error"
    error_message: str = "overloaded"


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes instead of an answer, and then the end of the connection."""

    data: bytes = b""


Served: TypeAlias = Turn | Status | BrokenStream | Raw
"""What can be sent: a `Turn` streams, or comes whole where no stream was asked for."""
Reply: TypeAlias = Served | RunFault | Broken
"""An answer, or an entry of a scripted model that has no HTTP: it becomes what leads to it."""
Entry: TypeAlias = Reply | Callable[[Asked], Reply]
"""An answer, or what makes one of the request."""


def error_status(
    status: int,
    message: str = "no",
    *,
    type: str = "api_error",  # noqa: A002 - the provider's field
    retry_after: str | None = None,
) -> Status:
    """Return an error as providers send it."""
    headers = {"content-type": "application/json"}
    if retry_after is not None:
        headers["retry-after"] = retry_after
    body = msgspec.json.encode({"type": "error", "error": {"type": type, "message": message}})
    return Status(status=status, body=body, headers=headers)


def served(reply: Reply) -> Served:
    """Return what is sent for an answer."""
    if isinstance(reply, RunFault):
        return _of_fault(reply)
    if not isinstance(reply, Broken):
        return reply
    fault = reply.fault
    if fault is None or fault.code == "stream_stalled":
        return BrokenStream(turn=reply.turn, after=reply.after, then="stall")
    if fault.code not in ("provider_error", "quota"):
        return BrokenStream(turn=reply.turn, after=reply.after, then="cut")
    kind = "overloaded_error" if fault.transient else "insufficient_quota"
    return BrokenStream(turn=reply.turn, after=reply.after, then="error", error_type=kind, error_message=fault.message)


def _of_fault(fault: RunFault) -> Status | Raw:
    """Return a fault's status, or a connection that ends without a head."""
    statuses = {"unauthorized": 401, "context_overflow": 413, "provider_error": 503, "http_status": 503}
    status = fault.status or statuses.get(fault.code)
    if fault.code == "quota":
        return error_status(429, fault.message, type="insufficient_quota")
    if status is None:
        return Raw()
    wait = None if fault.retry_after is None else f"{fault.retry_after:g}"
    return error_status(status, fault.message, retry_after=wait)
