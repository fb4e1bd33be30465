"""Where text of a job goes: a descriptor that is written at once, and that its reader may close."""

from __future__ import annotations

import os
from errno import EIO

from beyond_agent.errors import AgentFault


class OutputClosed(Exception):  # noqa: N818 - it says what happened
    """Whoever read stdout has gone: nobody wants the rest."""


def inert(text: str, instead: str = "") -> str:
    """Return a text whose controls cannot act on a terminal: all but line feeds and tabs become `instead`."""
    return "".join(char if char.isprintable() or char in "\n\t" else instead for char in text)


class Output:
    """Writes text to a descriptor, each piece before the next is made. Lone surrogates become `?`.

    What a model says may hold anything, so on a terminal its controls are taken out; a program gets it as it is.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._terminal = os.isatty(descriptor)
        self._column = 0

    @property
    def in_line(self) -> bool:
        """Whether the last line is not ended."""
        return self._column > 0

    def write(self, text: str) -> None:
        """Write it all. Raises OutputClosed where nobody reads, AgentFault where the disk is full."""
        if self._terminal:
            text = inert(text)
        if not text:
            return
        self._column = len(text) - text.rfind("\n") - 1
        self.write_bytes(text.encode("utf-8", "replace"))

    def write_bytes(self, data: bytes) -> None:
        """Write bytes as they are. Raises as `write`; a terminal that was closed is read by nobody."""
        rest = memoryview(data)
        try:
            while rest:
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except BlockingIOError:
                    self._wait()
        except (BrokenPipeError, ConnectionResetError):
            raise OutputClosed from None
        except OSError as error:
            if self._terminal and error.errno == EIO:
                raise OutputClosed from None
            raise AgentFault("io", f"cannot write standard output: {error.strerror}") from None

    def _wait(self) -> None:
        """Return when a descriptor that somebody else has made non-blocking takes more."""
        from select import select  # noqa: PLC0415 - few parents do that

        select([], [self._descriptor], [])

    def end_line(self) -> None:
        """End the line that is not ended."""
        if self.in_line:
            self.write("\n")

    def __repr__(self) -> str:
        return f"<Output {self._descriptor}>"


class Messages(Output):
    """Stderr: what cannot be written there is not missed."""

    def write_bytes(self, data: bytes) -> None:
        """Write bytes as they are, or not."""
        try:
            super().write_bytes(data)
        except (OutputClosed, AgentFault):
            return
