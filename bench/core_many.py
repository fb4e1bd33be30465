"""Many sessions of one agent at a time: sessions, KiB a session, events a second, median and slowest seconds.

A process of its own, so that its memory is that of the sessions. core_many.py COUNT
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from beyond_agent_core import Agent, Session, tool
from beyond_agent_core.testing import calls, says
from beyond_agent_core.testing.scripted import events_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from beyond_agent_core import AgentEvent, ModelRequest, StreamEvent

TURNS = 10


@tool
async def read(path: str) -> str:
    """Read a file."""
    await asyncio.sleep(0)
    return f"content of {path}"


class Model:
    """Calls a tool in each turn but the last, in which it waits for so many others, and then until `open`."""

    def __init__(self) -> None:
        self.others = 0
        self.all_there = asyncio.Event()
        self.open = asyncio.Event()
        self._call = events_of(calls(("read", {"path": "src/module.py"})))
        self._said = events_of(says("done"))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        """Yield the answer that a history of this length gets."""
        last = len(request.messages) >= 2 * (TURNS - 1)
        for event in self._said if last else self._call:
            await asyncio.sleep(0)
            yield event
            if last and self.others > 0:
                self.others -= 1
                if self.others == 0:
                    self.all_there.set()
                await self.open.wait()


def resident_kib() -> int:
    """Resident memory of this process."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0])


async def main(count: int) -> None:
    """Run them twice: once for the time, once for the memory."""
    model, events = Model(), 0
    agent = Agent(model, model="claude-opus-4-8", tools=[read])

    def sink(_: AgentEvent) -> None:
        nonlocal events
        events += 1

    async def one(session: Session) -> float:
        began = time.monotonic()
        result = await agent.run(session, "go", on_event=sink)
        assert (result.outcome, result.steps) == ("done", TURNS)
        return time.monotonic() - began

    await one(Session())
    before, kept = resident_kib(), [Session() for _ in range(count)]
    model.others = count
    async with asyncio.TaskGroup() as tasks:
        for session in kept:
            tasks.create_task(one(session))
        await model.all_there.wait()
        grown = resident_kib() - before
        model.open.set()
    events, began = 0, time.process_time()
    took = await asyncio.gather(*(one(Session()) for _ in range(count)))
    rate = events / (time.process_time() - began)
    print(count, grown / count, rate, median(took), max(took))


asyncio.run(main(int(sys.argv[1])))
