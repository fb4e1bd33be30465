"""The same question after every fault: was anybody else disturbed, is every row there once, did anything leak."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING

from faults.admin import metrics_of
from faults.client import BACKGROUND, FAULTY
from faults.clock import WrongError, until
from faults.procfs import descriptors, kinds_of_descriptors, resident_bytes
from faults.world import MIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faults.world import World

SETTLE_S = 5.0
"""Seconds after the last client has left until everything must be given back."""
SAME_TIMES = 20
"""Looks, 10 ms apart, that find the same descriptors before they are the baseline."""
SLOW_S = 2.0
"""Seconds that a legitimate client may wait for an answer that takes 2 ms on a machine at rest."""
KEPT = 150
"""Idle connections to the healthy provider: no scenario that is audited has more requests there at a time."""
METRICS_S = 2.0
GAUGES = ("ai_requests_in_flight", "ai_active_streams", "ai_rows_waiting", "ai_buffered_bytes")
"""Metrics that are zero when nothing runs."""


class Audit:
    """Takes its baseline before the first request and after the warm-up, and judges at the end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pid = world.gateway.child.pid
        self._descriptors: list[str] = []
        self._memory = 0
        self.wrong: list[str] = []
        self.rows = "-"
        self.leaked = "-"

    async def begin(self) -> None:
        """Take what is open before the first request, once it stays the same: workers open things as they start."""
        same = 0
        async with asyncio.timeout(SETTLE_S):
            while same < SAME_TIMES:
                seen = kinds_of_descriptors(self._pid)
                same = same + 1 if seen == self._descriptors else 0
                self._descriptors = seen
                await asyncio.sleep(0.01)

    def warmed_up(self) -> None:
        """Memory from here on must not grow."""
        self._memory = resident_bytes(self._pid)

    @property
    def growth(self) -> int:
        """Bytes that the gateway holds more than when it was warm."""
        return resident_bytes(self._pid) - self._memory

    async def judge(self) -> None:
        """Fill `wrong`, `rows` and `leaked`. The background has stopped, the scenario's clients have left."""
        world = self._world
        self.wrong += [f"a legitimate client saw {text}" for text in world.background.wrong]
        if world.background.slowest_s > SLOW_S:
            self.wrong.append(f"a legitimate client waited {world.background.slowest_s:.1f} s")
        self.wrong += world.peer.faults
        self.wrong += self._log_faults()
        await self._rows_come()
        if world.scenario.ends:
            if world.gateway.child.status != world.scenario.status:
                self.wrong.append(f"exit status {world.gateway.child.status}, not {world.scenario.status}")
            self.leaked = "ended"
            return
        if world.gateway.child.status is not None:
            self.wrong.append(f"the gateway ended with {world.gateway.child.status}")
            return
        await self._leaks()

    def _log_faults(self) -> list[str]:
        """Return lines that are not diagnostics (tracebacks, warnings) and complaints about tasks."""
        found: list[str] = []
        for line in self._world.gateway.log():
            text = str(line.get("message", ""))
            if line.get("raw") or "destroyed" in text or "never retrieved" in text:
                found.append(f"on stderr: {text[:200]}")
        return found[:5]

    async def _rows_come(self) -> None:
        world = self._world
        expected, background = world.expected, world.background
        least = expected.must + len(background.ids) - expected.lost
        most = expected.must + expected.may + len(background.ids) + background.uncertain
        with contextlib.suppress(WrongError):
            await until(lambda: len(world.gateway.rows()) >= least, "all rows", SETTLE_S)
        try:
            rows = world.gateway.rows()
        except WrongError as fault:
            self.wrong.append(str(fault))
            return
        self.rows = f"{len(rows)} of {least}" + (f"..{most}" if most != least else "")
        if not least <= len(rows) <= most:
            self.wrong.append(f"{len(rows)} rows for {least} to {most} admitted requests")
        times = Counter(str(row["request_id"]) for row in rows)
        if twice := sum(count > 1 for count in times.values()):
            self.wrong.append(f"{twice} request ids stand in more than one row")
        unbilled = [name for name in background.ids if not times[name]]
        if len(unbilled) > expected.lost:
            self.wrong.append(f"{len(unbilled)} answered requests have no row, such as {unbilled[0]}")
        self._outcomes()

    def _outcomes(self) -> None:
        world = self._world
        found = Counter(str(row["outcome"]) for row in world.gateway.rows(FAULTY))
        if world.expected.outcomes and not set(found) <= world.expected.outcomes:
            self.wrong.append(f"outcomes {dict(found)}, expected {sorted(world.expected.outcomes)}")
        bad = [row for row in world.gateway.rows(BACKGROUND) if row["outcome"] != "ok" or "output_tokens" not in row]
        if len(bad) > world.background.uncertain:
            self.wrong.append(f"{len(bad)} rows of legitimate requests are not ok, such as {bad[0]}")

    async def _leaks(self) -> None:
        world = self._world
        before = len(self._descriptors)
        await self._metrics_agree()
        kept = await world.healthy.open_connections()
        if kept > KEPT:
            self.wrong.append(f"{kept} connections to the healthy provider, more than ever ran at once")
        # The idle pool is no leak: without its providers it must be empty, and then the counts are equal.
        await world.peer.stop()
        await world.healthy.stop()
        try:
            await until(lambda: descriptors(self._pid) <= before, "descriptors given back", SETTLE_S)
        except WrongError:
            left = Counter(kinds_of_descriptors(self._pid)) - Counter(self._descriptors)
            self.wrong.append(f"descriptors left over: {dict(left)}")
        await self._memory_settles()
        extra = descriptors(self._pid) - before
        self.leaked = f"{extra:+d} fd, {self.growth / MIB:+.1f} MiB"
        if world.peak_growth:
            self.leaked += f" (peak {world.peak_growth / MIB:+.0f})"

    async def _metrics_agree(self) -> None:
        """Wait for the metrics to say that nothing runs and that what was admitted was written; gauges lag a tick."""
        deadline = time.monotonic() + METRICS_S
        while wrong := self._disagreements(await metrics_of(self._world.gateway.admin_port)):
            if time.monotonic() > deadline:
                self.wrong += wrong
                return
            await asyncio.sleep(0.05)

    def _disagreements(self, metrics: Mapping[str, float] | None) -> list[str]:
        if metrics is None:
            return ["/metrics does not answer"]
        world = self._world
        wrong = [f"{name} is {metrics[name]:.0f} though nothing runs" for name in GAUGES if metrics[name]]
        restarts = int(metrics["ai_worker_restarts_total"])
        if restarts != world.expected.restarts:
            wrong.append(f"{restarts} restarts of a worker")
        written, lost = int(metrics["ai_rows_written_total"]), int(metrics["ai_rows_lost_total"])
        admitted = int(metrics["ai_managed_admitted_total"] - metrics["ai_managed_free_total"])
        rows = len(world.gateway.rows())
        # A worker that is killed between writing rows and counting them leaves them written and counted as lost.
        agree = rows >= written if restarts else rows == written
        if not agree or written + lost != admitted or lost != world.expected.lost:
            wrong.append(f"{rows} rows; the metrics have {admitted} admitted, {written} written, {lost} lost")
        return wrong

    async def _memory_settles(self) -> None:
        bound = self._world.scenario.growth
        try:
            await until(lambda: self.growth < bound, "memory given back", 2)
        except WrongError:
            self.wrong.append(f"{self.growth / MIB:.1f} MiB more in memory, the bound is {bound / MIB:.0f}")
