"""What one scenario has: a gateway between clients and two providers, and what it must account for at the end."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faults.background import Background
from faults.client import FAULTY, Answer, Client, managed_key
from faults.gateway import Gateway
from faults.provider import Healthy, Peer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Scenario:
    """One fault. `play` makes it happen, judges what its own clients saw, and may return a remark for the row.

    `settings` are lines of config.toml; `growth` is how many bytes more the gateway may hold afterwards; `ends` says
    that the scenario itself ends the process, with `status`; `before` are words in front of its command, `module` what
    is run in its place; `prepare` runs before the gateway starts and may change its settings.
    """

    name: str
    did: str
    play: Callable[[World], Awaitable[str | None]]
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    limit_s: float = 20.0
    growth: int = 8 * MIB
    background: int = 1
    ends: bool = False
    status: int = 0
    piped: bool = False
    before: tuple[str, ...] = ()
    module: str = "beyond_gateway"
    prepare: Callable[[World], Awaitable[None]] | None = None


@dataclass
class Expected:
    """Rows that must be there and rows that may be, of the scenario's own clients, and what they must say."""

    must: int = 0
    may: int = 0
    outcomes: set[str] = field(default_factory=set[str])
    lost: int = 0
    restarts: int = 0


class World:
    """The parts, made but not started."""

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        self.folder = folder
        self.healthy = Healthy(folder)
        self.peer = Peer()
        self.scenario = scenario
        self.gateway = Gateway(folder, {}, scenario.settings, piped=scenario.piped)
        self.background = Background(lambda: self.gateway.port)
        self.expected = Expected()
        self.key = managed_key(FAULTY)
        self.peak_growth = 0
        self.to_close = AsyncExitStack()

    async def start(self) -> None:
        """Start the providers, then the gateway before them."""
        await self.healthy.start()
        await self.peer.start()
        self.gateway.providers = {
            "openai": self.healthy.port,
            "anthropic": self.healthy.port,
            "peer": self.peer.port,
        }
        if self.scenario.prepare is not None:
            await self.scenario.prepare(self)
        await self.gateway.start(self.scenario.before, self.scenario.module)
        await self.gateway.serves()

    async def stop(self) -> None:
        """End all of it."""
        await self.gateway.stop()
        await self.peer.stop()
        await self.healthy.stop()
        await self.to_close.aclose()

    async def client(self, source: str = "127.0.0.1") -> Client:
        """Return a new connection to the gateway."""
        return await Client.open(self.gateway.port, source)

    async def ask(self, data: bytes, seconds: float = 15.0) -> Answer:
        """Send `data` on a new connection; return the answer as far as it came."""
        client = await self.client()
        try:
            client.send(data)
            return await client.answer(seconds)
        finally:
            client.leave()
