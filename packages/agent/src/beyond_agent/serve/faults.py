"""A command that cannot be done, as its response will say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from beyond_agent.serve.frames import FaultCode


class CommandFault(Exception):  # noqa: N818 - it says whose fault it is
    """Becomes `error` and `error_code` of the response; `data` is what is known all the same."""

    def __init__(self, code: FaultCode, text: str, data: object = None) -> None:
        super().__init__(text)
        self.code: FaultCode = code
        self.data = data
