"""Idle connections, for one transport or for many: the one used last is used first, and few are kept for long.

Nothing looks after them in the background. A connection that the server has ended is found when it is next wanted, and
one that lies too long is dropped then, before the server's own patience ends: a request sent into a closing connection
may or may not have been read.

A connection must not outlive its event loop, and users forget to close. The one thing that a loop does at its end, as
`asyncio.run` ends it, is to close the asynchronous generators that still run; so one of ours waits for just that.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from ssl import SSLContext
    from types import TracebackType

    from beyond_agent_core.client_http1 import Connection
    from beyond_agent_core.client_target import Origin

MAX_IDLE: Final = 32
"""Most connections that are kept, to all servers together."""
MAX_IDLE_S: Final = 60.0
"""Longest that one is kept, in seconds; the gateway closes idle ones after 90 (gw contract, relay)."""


class ConnectionPool:
    """Keeps connections between requests; made once, shared by any number of transports of one thread.

    A connection is used in the event loop that opened it, and no other. It is closed with the pool, with its loop, or
    when nobody keeps the pool.
    """

    def __init__(
        self, *, max_idle: int = MAX_IDLE, max_idle_s: float = MAX_IDLE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._idle: list[Connection] = []
        self._max_idle = max_idle
        self._max_idle_s = max_idle_s
        self._clock = clock
        self._tls: SSLContext | None = None
        self._guarded: asyncio.AbstractEventLoop | None = None
        self._guard: AsyncGenerator[None] | None = None

    def __repr__(self) -> str:
        return f"<ConnectionPool idle={len(self._idle)}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    @property
    def idle(self) -> int:
        """Number of connections that wait for a request."""
        return len(self._idle)

    async def take(self, origin: Origin, tls: SSLContext | None, connect_s: float) -> Connection:
        """Return a connection to `origin`, an idle one that is still good or a new one; give it back after use.

        `tls` is the context to verify the server with, None for what the system trusts. Raises `TransportFailed`.
        """
        # h11 with them takes half as long to import as the rest of the package: not before somebody asks a model.
        from beyond_agent_core.client_connect import connect, verifying  # noqa: PLC0415 - as said above

        if tls is None and origin.tls:
            # Loading the system's certificates takes longer than a request over plain HTTP: once, and when needed.
            tls = self._tls = self._tls or verifying()
        while (found := self._pop((origin, tls))) is not None:
            try:
                good = await found.quiet()
            except BaseException:
                found.close()
                raise
            if good:
                return found
            found.close()
        if self._guarded is not asyncio.get_running_loop():
            self._guarded = asyncio.get_running_loop()
            self._guard = _closing_with_the_loop(self._idle)
            await anext(self._guard)
        return await connect(origin, tls, connect_s)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection that can have a further request, close any other."""
        if not connection.renew():
            connection.close()
            return
        connection.idle_since = self._clock()
        self._idle.append(connection)
        while len(self._idle) > self._max_idle:
            self._idle.pop(0).close()

    def close(self) -> None:
        """Close all idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _pop(self, key: tuple[Origin, SSLContext | None]) -> Connection | None:
        oldest = self._clock() - self._max_idle_s
        kept: list[Connection] = []
        for one in self._idle:
            if one.idle_since > oldest and not one.loop.is_closed():
                kept.append(one)
            else:
                one.close()
        self._idle[:] = kept
        for at in range(len(kept) - 1, -1, -1):
            if kept[at].fits(key):
                return self._idle.pop(at)
        return None


async def _closing_with_the_loop(idle: list[Connection]) -> AsyncGenerator[None]:
    """Wait to be closed; then close those of `idle` that belong to this loop."""
    loop = asyncio.get_running_loop()
    try:
        yield
    finally:
        ours = [one for one in idle if one.loop is loop]
        idle[:] = [one for one in idle if one.loop is not loop]
        for one in ours:
            one.close()
