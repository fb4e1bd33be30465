"""A command that cannot be done, as its response will say, and what every kind of error becomes there."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from beyond_agent.errors import UsageError
from beyond_agent.sessions.errors import SessionError
from beyond_agent_core.errors import ConfigError, InvalidInput, QueueFull, SessionBusy

if TYPE_CHECKING:
    from beyond_agent.serve.frames import FaultCode

LOG: Final = logging.getLogger("beyond_agent.serve")


class CommandFault(Exception):  # noqa: N818 - it says whose fault it is
    """Becomes `error` and `error_code` of the response; `data` is what is known all the same."""

    def __init__(self, code: FaultCode, text: str, data: object = None) -> None:
        super().__init__(text)
        self.code: FaultCode = code
        self.data = data


def fault_of(error: Exception) -> CommandFault:
    """Return what a response says of an error; one that nobody expected is `internal`, and goes to the log."""
    match error:
        case CommandFault():
            return error
        case SessionError():
            return CommandFault(error.code, str(error))
        case QueueFull():
            return CommandFault("queue_full", str(error))
        case SessionBusy():
            return CommandFault("busy", str(error))
        case UsageError() | ConfigError() | InvalidInput():
            return CommandFault("invalid_field", str(error))
        case OSError():
            return CommandFault("io", str(error))
        case _:
            LOG.error("a command failed", exc_info=error)
            return CommandFault("internal", f"{type(error).__name__}: {error}")
