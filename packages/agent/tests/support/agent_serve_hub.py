"""A hub of sessions in a folder of a test, with a model that plays a script."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from agent_serve_client import WAIT_S, Talk

from beyond_agent.harness import Harness
from beyond_agent.options import Options
from beyond_agent.serve.hub import Hub
from beyond_agent.serve.outbox import BACKLOG
from beyond_agent.sessions.store import SessionStore
from beyond_agent_core.testing import ScriptedTransport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from beyond_agent.serve.hub import Store
    from beyond_wire.types import ModelRequest

KEY = "bai_v1_0123456789abcdef"


class Parts(NamedTuple):
    """What a hub is made of where it is not the usual: a transport, a store, further arguments."""

    transport: Any = None
    store: Store | None = None
    hub: Mapping[str, Any] = MappingProxyType({})


NOTHING = Parts()


class Served:
    """A hub with its parts; `talk` makes clients."""

    def __init__(self, folder: Path, transport: Any, store: Store | None, options: dict[str, Any], **hub: Any) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir(exist_ok=True)
        self.transport = transport
        self.store = store or SessionStore(folder / "sessions")
        settings: dict[str, Any] = {"model": "claude-test", "max_steps": None, **options}
        environ = {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state")}
        self.harness = Harness(
            Options(**settings),
            transport,
            environ=environ,
            home=str(folder),
            today="2025-01-31",
            secrets=(KEY,),
        )
        first = self.store.create(str(self.work), "claude-test")
        self.room: Callable[[], Awaitable[object]] | None = None
        self.hub = Hub(self.harness, self.store, first, pause=self._pause, **hub)
        self.talks: list[Talk] = []

    async def _pause(self) -> None:
        if self.room is not None:
            await self.room()

    async def talk(self, *, shared: bool = False, backlog: int = BACKLOG) -> Talk:
        talk = Talk(self.hub, await self.hub.first(), shared=shared, backlog=backlog)
        self.talks.append(talk)
        await talk.until(lambda frame: frame["type"] == "ready")
        return talk


async def holds(fact: Callable[[], bool]) -> None:
    """Return once something is so that nobody tells of."""
    async with asyncio.timeout(WAIT_S):
        while not fact():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


@asynccontextmanager
async def serving(
    folder: Path,
    script: Iterable[Any] = (),
    *,
    parts: Parts = NOTHING,
    **options: Any,
) -> AsyncGenerator[Served]:
    """Give a hub whose model answers by `script`; ended in order behind the block."""
    served = Served(folder, parts.transport or ScriptedTransport(script), parts.store, options, **parts.hub)
    leases = asyncio.ensure_future(served.hub.keep_leases())
    try:
        yield served
    finally:
        leases.cancel()
        await asyncio.wait([leases])
        for talk in served.talks:
            talk.read_again()
        await served.hub.drain(0.0)
        for talk in served.talks:
            await talk.vanish()
        served.hub.close()


def said(request: ModelRequest) -> str:
    """All that a request says, as JSON."""
    return msgspec.json.encode(request.messages).decode()


async def state(talk: Talk) -> dict[str, Any]:
    """What `get_state` answers."""
    return (await talk.ask("get_state"))["data"]


async def texts(talk: Talk) -> list[str]:
    """The texts of the messages of the context."""
    messages = (await talk.ask("get_messages"))["data"]["messages"]
    return ["".join(block.get("text", "") for block in message["content"]) for message in messages]
