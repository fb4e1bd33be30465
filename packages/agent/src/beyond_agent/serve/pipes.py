"""Descriptors of any kind, read and written from an event loop by a thread each.

An event loop cannot wait for a regular file, and would have to make a pipe non-blocking, which changes it for whoever
else has it open. The threads are daemons: one that is stuck in a read or a write does not keep the process alive.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Pipe:
    """Reads or writes one descriptor, a call at a time, each seen to its end before the next."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[tuple[Callable[[], bytes], asyncio.Future[bytes]]] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def read(self, most: int) -> bytes:
        """Return up to `most` bytes as soon as some are there; none at the end. Raises OSError."""
        return await self._done(lambda: self._read(most))

    async def write(self, data: bytes) -> None:
        """Return when all of it is written. Raises OSError where nobody reads any more."""
        await self._done(lambda: self._write(data))

    def _read(self, most: int) -> bytes:
        while True:
            try:
                return os.read(self.descriptor, most)
            except BlockingIOError:
                self._wait(select.POLLIN)

    def _write(self, data: bytes) -> bytes:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self.descriptor, rest) :]
            except BlockingIOError:
                self._wait(select.POLLOUT)
        return b""

    def _wait(self, for_what: int) -> None:
        """Return when more can be read or written: somebody else who has it open has made it non-blocking."""
        poll = select.poll()
        poll.register(self.descriptor, for_what)
        poll.poll()

    async def _done(self, call: Callable[[], bytes]) -> bytes:
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._calls.put((call, answer))
        return await answer

    def _work(self) -> None:
        # A loop that is closed waits for no answer.
        with suppress(RuntimeError):
            while True:
                call, answer = self._calls.get()
                try:
                    value = call()
                except OSError as error:
                    self._loop.call_soon_threadsafe(_fail, answer, error)
                else:
                    self._loop.call_soon_threadsafe(_settle, answer, value)

    def __repr__(self) -> str:
        return f"<Pipe {self.descriptor}>"


def _settle(answer: asyncio.Future[bytes], value: bytes) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail(answer: asyncio.Future[bytes], error: OSError) -> None:
    if not answer.done():
        answer.set_exception(error)
