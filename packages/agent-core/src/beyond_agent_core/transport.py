"""The model seam: a request in, the events of one answer out, one attempt, typed failure.

Whether an attempt is repeated is the loop's affair, so every transport gets the same policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from beyond_agent_core.errors import AgentError, RunFault
from beyond_wire.errors import EncodeError, ProviderError, StreamTruncated, WireError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from beyond_wire.types import ModelRequest, StreamEvent


class TransportFailed(AgentError):  # noqa: N818 - it says what happened
    """One attempt failed; `fault` says how. Raised before the first event or while iterating."""

    def __init__(self, fault: RunFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class ModelTransport(Protocol):
    """Asks a model once."""

    def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """Yield the events of the answer as they come. Closing the iterator closes the connection.

        Raises TransportFailed, or a WireError of the bytes that came.
        """
        ...


def fault_of(error: TransportFailed | WireError, *, started: bool) -> RunFault:
    """Return what a failed attempt is to the loop; `started` says that something of the answer had arrived."""
    match error:
        case TransportFailed():
            return error.fault
        case StreamTruncated():
            return RunFault(code="stream_truncated", message=str(error), transient=True, started=started)
        case ProviderError():
            code = "context_overflow" if error.overflow else "provider_error"
            transient = error.retryable and not error.overflow
            return RunFault(
                code=code, message=str(error), transient=transient, started=started, retry_after=error.retry_after
            )
        case EncodeError():
            return RunFault(code="request_invalid", message=str(error))
        case _:
            return RunFault(code="bad_frame", message=str(error), started=started)
