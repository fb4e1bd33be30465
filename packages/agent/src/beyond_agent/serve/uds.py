"""The protocol on a Unix socket: many clients, many sessions, and runs that go on when clients leave.

Only the owner may connect: the socket is 0600, in a directory that nobody else could put another one into. A socket
that a dead server has left is replaced, one that somebody serves is an error.
Contract: agent contract, serve: transports and reconnection.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import stat
from typing import TYPE_CHECKING, Any, Final

from beyond_agent.errors import AgentFault
from beyond_agent.interrupts import Interrupts
from beyond_agent.serve.connection import Connection
from beyond_agent.serve.faults import LOG
from beyond_agent.serve.fitting import line_of
from beyond_agent.serve.frames import Closing
from beyond_agent.serve.handlers import HANDLERS
from beyond_agent.serve.hub import Hub
from beyond_agent.sessions.errors import SessionError

if TYPE_CHECKING:
    from beyond_agent.harness import Chosen, Harness
    from beyond_agent.serve.hub import Store
    from beyond_agent.sessions.stored import StoredSession

ANSWER_S: Final = 2.0
"""Seconds that a server may take to take a connection; it is there all the same where it does not."""
FLUSH_S: Final = 2.0
"""Seconds that clients get to read their last frames where the server ends."""
WAITING: Final = 128
"""Connections that may wait to be accepted."""


async def serve_uds(
    harness: Harness, store: Store, first: StoredSession, path: str, *, chosen: Chosen | None = None
) -> int:
    """Serve on a socket at `path` until a signal comes; return the exit status. Raises AgentFault, OSError."""
    return await Server(Hub(harness, store, first, chosen=chosen), harness.options.drain_grace).serve(path)


class Server:
    """Clients of `hub`; at a signal runs get `grace_s` to end by themselves."""

    def __init__(self, hub: Hub, grace_s: float) -> None:
        self._hub = hub
        self._grace_s = grace_s
        self._connections: set[Connection] = set()
        self._clients: set[asyncio.Task[None]] = set()

    async def serve(self, path: str) -> int:
        """Serve until a signal comes; return the exit status."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        with Interrupts(lambda: loop.call_soon_threadsafe(stop.set)) as interrupts:
            try:
                listener = bound(path)
                identity = os.stat(path)  # noqa: PTH116 - paths are text here
                server = await asyncio.start_unix_server(self._accept, sock=listener, backlog=WAITING)
                leases = loop.create_task(self._hub.keep_leases())
                try:
                    await stop.wait()
                finally:
                    server.close()
                    await self._end()
                    leases.cancel()
                    await asyncio.wait([leases])
                    _remove(path, identity)
            finally:
                self._hub.close()
        return interrupts.status

    async def _end(self) -> None:
        await self._hub.drain(self._grace_s)
        for connection in tuple(self._connections):
            await connection.answered()
            connection.end("cancelled", "the server is stopping")
        if self._clients:
            await asyncio.wait(self._clients, timeout=FLUSH_S)
        for task in tuple(self._clients):
            task.cancel()
        if self._clients:
            await asyncio.wait(self._clients)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._client(reader, writer))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it leaves, or the server ends it."""

        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        connection = None
        try:
            connection = Connection(self._hub, await self._hub.first(), HANDLERS, write, shared=True)
            self._connections.add(connection)
            await _both(connection, reader)
        except OSError:
            # It has left; what it has started goes on.
            pass
        except SessionError as error:
            # Another process has the session for new connections.
            await write(line_of(Closing(error_code=error.code, error=str(error)), self._hub.harness.spills))
        except Exception as error:  # noqa: BLE001 - one connection's end is not that of the server
            LOG.error("a connection failed", exc_info=error)
        finally:
            if connection is not None:
                self._connections.discard(connection)
                connection.drop()
            writer.close()


async def _both(connection: Connection, reader: asyncio.StreamReader) -> None:
    """Take commands and send frames. A client that only ends its input gets the answers to what it has asked."""
    loop = asyncio.get_running_loop()
    taking = loop.create_task(connection.serve(reader.read))
    sending = loop.create_task(connection.outbox.run())
    tasks: list[asyncio.Task[Any]] = [taking, sending]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if taking.done() and not sending.done():
            taking.result()
            answered = loop.create_task(connection.answered())
            tasks.append(answered)
            await asyncio.wait([answered, sending], return_when=asyncio.FIRST_COMPLETED)
            connection.outbox.end()
        await sending
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            _ = task.cancelled() or task.exception()


def bound(path: str) -> socket.socket:
    """Return a listening socket at `path`, for its owner alone. Raises AgentFault where it cannot be there."""
    folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120 - paths are text here
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise AgentFault("io", f"--listen-uds: cannot open the directory {folder}: {error.strerror}") from None
    try:
        owner = os.fstat(held).st_uid
        if owner != os.geteuid():
            raise AgentFault("io", f"--listen-uds: {folder} belongs to user {owner}: choose a directory of your own")
        # Of two servers that find a stale socket, the second finds the first one's.
        fcntl.flock(held, fcntl.LOCK_EX)
        _make_way(path)
        return _listening(path)
    finally:
        os.close(held)


def _make_way(path: str) -> None:
    """Remove a socket that nobody serves. Raises AgentFault for one that somebody does, and for anything else."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise AgentFault("io", f"--listen-uds: {path} is there and is no socket: choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(ANSWER_S)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - paths are text here
            return
        except (BlockingIOError, TimeoutError):
            # A server for which too many wait, because it is stopped, is one all the same.
            pass
        except OSError as error:
            raise AgentFault("io", f"--listen-uds: {path}: {error.strerror}") from None
    raise AgentFault("io", f"--listen-uds: another server listens on {path}: use it, end it, or choose another path")


def _listening(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mode holds from the first moment on, not from a chmod behind it.
    mask = os.umask(0o177)
    try:
        listener.bind(path)
        listener.listen(WAITING)
    except OSError as error:
        listener.close()
        raise AgentFault("io", f"--listen-uds: cannot listen on {path}: {error.strerror or error}") from None
    finally:
        os.umask(mask)
    return listener


def _remove(path: str, ours: os.stat_result) -> None:
    """Remove our socket, unless another server's stands there by now."""
    try:
        there = os.lstat(path)
        if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
            os.unlink(path)  # noqa: PTH108 - paths are text here
    except OSError:
        return
