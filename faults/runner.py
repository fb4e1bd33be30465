"""Runs one scenario from start to judgement, within its time, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from faults.audit import Audit
from faults.background import Background
from faults.clock import WrongError
from faults.world import World

if TYPE_CHECKING:
    from faults.world import Scenario

AROUND_S = 40.0
"""Seconds that start, warm-up and audit may take together."""
WARM_UP_S = 0.4
LEAST_S = 0.7
"""Seconds of legitimate traffic around even the shortest fault."""


@dataclass
class Outcome:
    """One row of the table."""

    name: str
    did: str
    clients: str = "-"
    rows: str = "-"
    leaked: str = "-"
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list[str])

    @property
    def state(self) -> str:
        """The verdict."""
        return "FAIL" if self.wrong else "ok"


async def run(scenario: Scenario) -> Outcome:
    """Return how `scenario` went; it never raises for what the gateway did."""
    began = time.monotonic()
    outcome = Outcome(scenario.name, scenario.did)
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        world = World(Path(folder), scenario)
        try:
            async with asyncio.timeout(scenario.limit_s + AROUND_S):
                await _play(world, outcome)
        except WrongError as fault:
            outcome.wrong.append(str(fault))
        except TimeoutError:
            outcome.wrong.append("the harness ran into its own deadline")
        finally:
            await world.stop()
    outcome.seconds = time.monotonic() - began
    return outcome


async def _play(world: World, outcome: Outcome) -> None:
    scenario = world.scenario
    await world.start()
    audit = Audit(world)
    await audit.begin()
    await _warm_up(world)
    audit.warmed_up()
    world.background.start(scenario.background)
    played_from = time.monotonic()
    try:
        async with asyncio.timeout(scenario.limit_s):
            remark = await scenario.play(world)
            if remark:
                outcome.did += f": {remark}"
    except WrongError as fault:
        outcome.wrong.append(str(fault))
    except TimeoutError:
        outcome.wrong.append(f"not over within {scenario.limit_s:g} s")
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as fault:
        outcome.wrong.append(f"a client could not go on: {fault!r}")
    await asyncio.sleep(max(0.0, LEAST_S - (time.monotonic() - played_from)))
    await world.background.stop()
    await audit.judge()
    outcome.clients = world.background.summary()
    outcome.rows, outcome.leaked = audit.rows, audit.leaked
    outcome.wrong += audit.wrong


async def _warm_up(world: World) -> None:
    """Serve every kind of request, so that what is remembered once is not taken for growth."""
    warm = Background(lambda: world.gateway.port)
    warm.start(3)
    await asyncio.sleep(WARM_UP_S)
    await warm.stop()
    if warm.wrong:
        raise WrongError(f"before any fault: {warm.wrong[0]}")
    world.background.ids += warm.ids
