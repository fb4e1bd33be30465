"""`python -m faults [SCENARIO …] [--json]`: break everything around the gateway, one row for each fault.

A SCENARIO is a name or the beginning of one (`provider`, `clients.vanish`); without any, all run. Exits 0 when every
row is as the contract says, 1 when one is red, 130 when it was interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import signal
import sys
from typing import TYPE_CHECKING, cast

import uvloop

from faults import report
from faults.runner import Outcome, run
from faults.scenarios import clients, limits, nats, output, process, provider, vanish, workers

if TYPE_CHECKING:
    from faults.world import Scenario

# The table of contents.
FAMILIES = (provider, vanish, clients, limits, process, output, workers, nats)
OPEN_FILES = 20_000


def scenarios() -> list[Scenario]:
    """Return all of them, in the order in which they run."""
    return [scenario for family in FAMILIES for scenario in family.SCENARIOS]


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m faults", description="break everything around the gateway")
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help="a name or the beginning of one; default all")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    return parser.parse_args()


def main() -> int:
    """Run what was asked for; return the exit status."""
    asked = arguments()
    names = cast("list[str]", asked.names)
    chosen = [each for each in scenarios() if not names or any(each.name.startswith(name) for name in names)]
    if asked.list or not chosen:
        print("\n".join(each.name for each in scenarios()))
        return 0 if asked.list else 2
    # Ten thousand clients need as many descriptors here as in the gateway, which inherits the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    try:
        return uvloop.run(_run(chosen, as_json=bool(asked.json)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


async def _run(chosen: list[Scenario], *, as_json: bool) -> int:
    task = asyncio.current_task()
    if task is not None:
        # Ended in order, or what was started would be left behind.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    outcomes: list[Outcome] = []
    if not as_json:
        report.heading()
    for scenario in chosen:
        outcome = await run(scenario)
        outcomes.append(outcome)
        (report.json_row if as_json else report.row)(outcome)
    if not as_json:
        report.total(outcomes)
    return 1 if any(outcome.wrong for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
