"""The reading end of a child's pipe, emptied as the event loop finds it readable.

What is read goes to a function at once. Where that returns an awaitable, as one that writes to a disk may, no more is
read until it is done: the pipe fills up and the program waits, so memory stays bounded.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

READ_BYTES: Final = 65_536
"""Most that is read at once: what a pipe holds on Linux."""
SWEPT_BYTES: Final = 1024 * 1024
"""Most that is read behind the end of the program: the most that a pipe of an ordinary user can hold on Linux."""


class Pipe:
    """Reads a descriptor, which becomes its own, into `output`.

    `ended` is done at end of file or when output fails; `failed` then only, and `finish` raises why.
    """

    def __init__(self, descriptor: int, output: Callable[[bytes], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._output = output
        self._pending: asyncio.Future[Any] | None = None
        self._finishing = False
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.failed: asyncio.Future[None] = self._loop.create_future()
        self._error: BaseException | None = None
        self._loop.add_reader(descriptor, self._readable)

    async def finish(self) -> None:
        """Give out what is in the pipe, without waiting for more. Raises what output has raised."""
        self._stop()
        left = SWEPT_BYTES
        while True:
            if self._pending is not None:
                await asyncio.wait((self._pending,))
            if self.ended.done() or left <= 0:
                break
            left -= self._read()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Give the descriptor back."""
        self._stop()
        os.close(self._descriptor)

    def _stop(self) -> None:
        self._finishing = True
        self._loop.remove_reader(self._descriptor)

    def _readable(self) -> None:
        self._read()
        if self._pending is not None or self.ended.done():
            self._loop.remove_reader(self._descriptor)

    def _read(self) -> int:
        """Read once; return how much that was, and for nothing more than there ever is."""
        try:
            piece = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return SWEPT_BYTES
        if not piece:
            self._end(None)
            return 0
        try:
            answer: object = self._output(piece)
        except Exception as error:  # noqa: BLE001 - it is the caller's, and raised there
            self._end(error)
            return 0
        if hasattr(answer, "__await__"):
            self._pending = asyncio.ensure_future(_awaited(answer))  # pyright: ignore[reportArgumentType] - as the line above has found
            self._pending.add_done_callback(self._written)
        return len(piece)

    def _written(self, pending: asyncio.Future[Any]) -> None:
        self._pending = None
        error = asyncio.CancelledError() if pending.cancelled() else pending.exception()
        if error is not None:
            self._end(error)
        elif not self._finishing and not self.ended.done():
            self._loop.add_reader(self._descriptor, self._readable)

    def _end(self, error: BaseException | None) -> None:
        for future in (self.ended, self.failed) if error is not None else (self.ended,):
            if not future.done():
                future.set_result(None)
        self._error = self._error or error


async def _awaited(answer: Awaitable[object]) -> None:
    await answer
