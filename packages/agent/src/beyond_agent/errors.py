"""What ends a command of the agent, and with which exit status."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REFUSED: Final = 3
LIMIT: Final = 4
"""Exit statuses (agent contract, run); a signal's is 128 and its number."""


class CommandError(Exception):
    """Root of what a command ends with; its text is the one line that a person reads. Never raised itself."""

    status = FAILED


class UsageError(CommandError):
    """What was asked for cannot be done as it was asked; the text names the argument and the mending."""

    status = USAGE


class AgentFault(CommandError):  # noqa: N818 - it says whose fault it is
    """Something failed. `code` is what programs read."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
