"""The protocol on standard input and output: one client, attached from the start, whose end is the end of the process.

Frames go to a private copy of stdout, and descriptor 1 to stderr, before anything else can write: a stray print, or a
program that a tool starts, cannot come between two frames. Contract: agent contract, serve: frames; transports.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final

from beyond_agent.errors import DONE
from beyond_agent.interrupts import Interrupts
from beyond_agent.serve.connection import Connection
from beyond_agent.serve.handlers import HANDLERS
from beyond_agent.serve.hub import Hub
from beyond_agent.serve.pipes import Pipe

if TYPE_CHECKING:
    from beyond_agent.harness import Chosen, Harness
    from beyond_agent.serve.hub import Store
    from beyond_agent.sessions.stored import StoredSession

FLUSH_S: Final = 2.0
"""Seconds that the last frames may take where a signal ends the process, whose client may not read."""


def claim_stdout() -> int:
    """Return a descriptor that leads where stdout led; descriptor 1 is stderr from now on."""
    own = os.dup(1)
    try:
        os.dup2(2, 1)
    except OSError:
        # There is no stderr either.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
    return own


async def serve_stdio(
    harness: Harness,
    store: Store,
    first: StoredSession,
    *,
    stdin: int,
    stdout: int,
    chosen: Chosen | None = None,
) -> int:
    """Serve until input ends, output breaks or a signal comes; return the exit status. `stdout` is `claim_stdout`'s."""
    return await Stdio(harness, store, first, stdin=stdin, stdout=stdout, chosen=chosen).serve()


class Stdio:
    """One client on two descriptors."""

    def __init__(
        self, harness: Harness, store: Store, first: StoredSession, *, stdin: int, stdout: int, chosen: Chosen | None
    ) -> None:
        self._harness = harness
        self._stdin, self._stdout = stdin, stdout
        self._hub = Hub(harness, store, first, chosen=chosen, pause=self._room)
        self._connection: Connection | None = None
        self._signal = asyncio.Event()

    async def serve(self) -> int:
        """Serve to the end; return the exit status."""
        loop = asyncio.get_running_loop()
        with Interrupts(lambda: loop.call_soon_threadsafe(self._signal.set)) as interrupts:
            try:
                await self._client()
            finally:
                self._hub.close()
        return DONE if interrupts.number is None else interrupts.status

    async def _client(self) -> None:
        loop = asyncio.get_running_loop()
        connection = Connection(
            self._hub, await self._hub.first(), HANDLERS, Pipe(self._stdout, "stdout").write, shared=False
        )
        self._connection = connection
        connection.attach()
        taking = loop.create_task(connection.serve(Pipe(self._stdin, "stdin").read))
        sending = loop.create_task(connection.outbox.run())
        stopping = loop.create_task(self._signal.wait())
        leases = loop.create_task(self._hub.keep_leases())
        tasks: list[asyncio.Task[Any]] = [taking, sending, stopping, leases]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                taking.cancel()
            await self._end(connection, sending, stopping)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            connection.drop()
        for task in (taking, leases):
            if not task.cancelled():
                task.result()
        # That nobody reads the frames any more is an end like any other.
        _ = sending.cancelled() or sending.exception()

    async def _end(self, connection: Connection, sending: asyncio.Task[None], stopping: asyncio.Task[Any]) -> None:
        """End what is done, which stores it, and send what is left to be sent."""
        # Whether or not anybody reads, what was done is stored: from here on nothing waits for the reader.
        connection.outbox.unbound()
        await self._hub.drain(self._grace_s)
        await connection.answered()
        connection.outbox.end()
        # At the end of input a slow reader gets all; behind a signal, what it takes in its time.
        await asyncio.wait([sending, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            await asyncio.wait([sending], timeout=FLUSH_S)

    @property
    def _grace_s(self) -> float:
        return self._harness.options.drain_grace if self._signal.is_set() else 0.0

    async def _room(self) -> None:
        if self._connection is not None:
            await self._connection.outbox.room()
