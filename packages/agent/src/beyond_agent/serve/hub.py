"""All sessions that are loaded in this process: loaded when asked for, kept by their leases, unloaded when idle.

A session is loaded once, however many connections ask for it at the same time. It stays for as long as somebody holds
it or it works, and then for `--session-idle-timeout`, because a client that was cut off comes back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from beyond_agent.serve.faults import LOG, CommandFault
from beyond_agent.serve.live import LiveSession
from beyond_agent.serve.numbered import SharedRoom
from beyond_agent.sessions.errors import SessionError
from beyond_agent.sessions.lease import RENEW_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from beyond_agent.harness import Chosen, Harness
    from beyond_agent.sessions.listing import Listed, Page
    from beyond_agent.sessions.stored import StoredSession


class Store(Protocol):
    """What a hub asks of where sessions are kept: a seam (agent contract, seams), so no class of `sessions` is named.

    `sessions.store.SessionStore` and those of `sessions.memory` have it. Methods may block, and raise SessionError.
    """

    def create(self, cwd: str, model: str, *, parent: str | None = None) -> StoredSession:
        """Make a session."""
        ...

    def open(self, reference: str, *, takeover: bool = False) -> StoredSession:
        """Open the session with a path, an id, or the beginning of one."""
        ...

    def open_or_create(self, session_id: str, cwd: str, model: str, title: str | None = None) -> StoredSession:
        """Open the session with exactly this id, or make it."""
        ...

    def find(self, reference: str) -> str:
        """Return its path."""
        ...

    def fork(
        self,
        source: StoredSession,
        *,
        target_id: str | None = None,
        before: bool = False,
        upto: int | None = None,
    ) -> StoredSession:
        """Copy a session up to an entry, and open the copy."""
        ...

    def list_sessions(self, *, query: str | None = None, limit: int | None = None, offset: int = 0) -> Page:
        """List sessions, newest first."""
        ...

    def delete(self, session_id: str) -> str:
        """Move one to the trash."""
        ...

    def list_trash(self) -> list[Listed]:
        """List what is there."""
        ...

    def restore(self, session_id: str) -> str:
        """Take one out."""
        ...


class Hub:
    """Loads sessions of `store` for `harness`. `first` is the session that the settings chose, for new connections.

    `pause` waits for a reader that must not lose a frame. All methods that load raise SessionError, and go on where
    whoever asked is cancelled: a session that was opened for nobody would keep its lease, even from this process.
    """

    def __init__(
        self,
        harness: Harness,
        store: Store,
        first: StoredSession,
        *,
        chosen: Chosen | None = None,
        pause: Callable[[], Awaitable[object]] | None = None,
        renew_s: float = RENEW_S,
    ) -> None:
        self.harness = harness
        self.store = store
        self.stopping = False
        self._pause = pause
        self._renew_s = renew_s
        self._room = SharedRoom()
        self._lives: dict[str, LiveSession] = {}
        self._loading = asyncio.Lock()
        self._loads: set[asyncio.Task[LiveSession]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._first = self._adopted(first, chosen or harness.choice_for(first))

    # -- which sessions

    def is_live(self, session_id: str) -> bool:
        """Whether a session is loaded here."""
        return session_id in self._lives

    def has(self, path: str) -> bool:
        """Whether the session of a file is loaded here."""
        return any(live.stored.path == path for live in self._lives.values())

    async def first(self) -> LiveSession:
        """Return the session for a new connection, loaded again where it was idle."""
        return await self._to_its_end(self._load_first())

    async def load(self, reference: str, *, takeover: bool = False) -> LiveSession:
        """Return the session with an id, or the beginning of one; `takeover` ends another process's writing.

        Raises CommandFault where the server is stopping; so does `made`.
        """
        self._must_serve()
        return await self._to_its_end(self._load(reference, takeover=takeover))

    async def made(self, make: Callable[[], StoredSession], chosen: Chosen) -> LiveSession:
        """Return the session that `make`, which may block, makes."""
        self._must_serve()
        return await self._to_its_end(self._make(make, chosen))

    def _must_serve(self) -> None:
        if self.stopping:
            raise CommandFault("busy", "the server is stopping: no session is opened")

    async def _to_its_end(self, load: Coroutine[Any, Any, LiveSession]) -> LiveSession:
        task = asyncio.get_running_loop().create_task(load)
        self._loads.add(task)
        task.add_done_callback(self._loaded)
        return await asyncio.shield(task)

    def _loaded(self, task: asyncio.Task[LiveSession]) -> None:
        self._loads.discard(task)
        if not task.cancelled() and task.exception() is None:
            self.rest(task.result())

    async def _load_first(self) -> LiveSession:
        async with self._loading:
            live = self._first
            if live.id in self._lives:
                self._first = self._lives[live.id]
            elif not live.stored.superseded:
                # One in which nothing was said has left no file, and keeps its id all the same.
                old = live.stored
                again = await asyncio.to_thread(self.store.open_or_create, old.id, old.cwd, old.model, old.title)
                self._first = self._adopted(again, live.chosen)
            return self._first

    async def _load(self, reference: str, *, takeover: bool) -> LiveSession:
        async with self._loading:
            live = self._lives.get(reference) or await self._found(reference)
            if live is not None and not (live.stored.superseded and takeover):
                return live
            if live is not None:
                await self._unload(live)
            stored = await asyncio.to_thread(self.store.open, reference, takeover=takeover)
            return self._adopted(stored, self.harness.choice_for(stored))

    async def _make(self, make: Callable[[], StoredSession], chosen: Chosen) -> LiveSession:
        async with self._loading:
            return self._adopted(await asyncio.to_thread(make), chosen)

    async def _found(self, reference: str) -> LiveSession | None:
        path = await asyncio.to_thread(self.store.find, reference)
        return next((live for live in self._lives.values() if live.stored.path == path), None)

    def _adopted(self, stored: StoredSession, chosen: Chosen) -> LiveSession:
        try:
            live = LiveSession(
                self.harness, stored, chosen, reserve=self._room.reserve, pause=self._pause, at_rest=self.rest
            )
        except BaseException:
            stored.close()
            raise
        if stored.skipped.count:
            LOG.warning("session %s: %s", live.id, stored.skipped)
        self._lives[live.id] = live
        return live

    # -- how long

    def hold(self, live: LiveSession, holder: object) -> None:
        """Keep a session loaded for a connection."""
        live.holders.add(holder)
        self._stop_timer(live)

    def let_go(self, live: LiveSession, holder: object) -> None:
        """Keep it no longer for that connection."""
        live.holders.discard(holder)
        self.rest(live)

    def rest(self, live: LiveSession) -> None:
        """Have a session unloaded in its time, unless it is in use; a session that is nowhere else stays."""
        timeout = self.harness.options.session_idle_timeout
        if live.in_use or live.stored.path is None or not timeout or self._lives.get(live.id) is not live:
            return
        self._stop_timer(live)
        loop = asyncio.get_running_loop()
        self._timers[live.id] = loop.call_later(timeout, self._unload_if_idle, live)

    def unload_now(self, live: LiveSession) -> None:
        """Unload a session that nobody can come back to, unless it is in use; one that is nowhere else stays."""
        if live.stored.path is not None:
            self._unload_if_idle(live)

    def _unload_if_idle(self, live: LiveSession) -> None:
        self._timers.pop(live.id, None)
        if not live.in_use and self._lives.get(live.id) is live:
            self._drop(live)

    async def _unload(self, live: LiveSession) -> None:
        live.cancel()
        await live.unwound()
        self._drop(live)

    def _drop(self, live: LiveSession) -> None:
        self._stop_timer(live)
        if self._lives.get(live.id) is live:
            del self._lives[live.id]
        live.close()

    def _stop_timer(self, live: LiveSession) -> None:
        timer = self._timers.pop(live.id, None)
        if timer is not None:
            timer.cancel()

    async def keep_leases(self) -> None:
        """Renew the leases of all sessions for ever; where one is lost, say so and end the work on it."""
        while True:
            await asyncio.sleep(self._renew_s)
            for live in tuple(self._lives.values()):
                if live.stored.superseded or self._lives.get(live.id) is not live:
                    continue
                try:
                    if not live.stored.renew():
                        live.tell_superseded()
                except SessionError as error:
                    LOG.warning("session %s: %s", live.id, error)

    # -- the end

    async def drain(self, grace_s: float) -> None:
        """Begin nothing more, let runs end for so many seconds, then cancel them, and store all."""
        self.stopping = True
        if self._loads:
            await asyncio.wait(self._loads)
        if grace_s:
            await self._settled(grace_s)
        for live in self._lives.values():
            live.cancel()
            live.shell.abort()
        await self._settled(None)

    def close(self) -> None:
        """Give up all sessions; not while one works."""
        for live in tuple(self._lives.values()):
            self._drop(live)

    async def _settled(self, seconds: float | None) -> None:
        ends = [end for live in self._lives.values() for end in (live.unwound(), live.shell.ended())]
        if ends:
            async with asyncio.TaskGroup() as group:
                tasks: list[asyncio.Task[Any]] = [group.create_task(end) for end in ends]
                await asyncio.wait(tasks, timeout=seconds)
                for task in tasks:
                    task.cancel()

    def __repr__(self) -> str:
        return f"<Hub sessions={len(self._lives)} stopping={self.stopping}>"
