"""Measure gateway, loop and agent beside rivals: run.py [SECTION …] [--runs 5] [--seconds 3] [--json FILE]."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import machine, results
from bench.load import LoadFailedError
from bench.report import failed_table
from bench.servers import StartFailedError
from bench.setting import Setting, progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.report import Table

# Section to module: the table of contents. A section is imported when it is run, so that one that cannot be is alone.
SECTIONS = {
    "json": "json_relay",
    "sse": "sse",
    "memory": "memory",
    "streams": "streams",
    "scanner": "scanner",
    "usage": "usage",
    "wire": "wire",
    "core": "core",
    "agent-start": "agent_start",
    "agent-tools": "agent_tools",
    "agent-sessions": "agent_sessions",
    "agent-serve": "agent_serve",
    "agent-run": "agent_run",
    "startup": "startup",
    "guards": "guards",
    "deny": "deny",
    "workers": "workers",
    "lifecycle": "lifecycle",
    "flood": "flood",
    "peers": "peers",
    "core-peers": "core_peers",
}


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default all")
    parser.add_argument("--runs", type=int, default=5, help="runs of which the median is printed (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a load run at 32 connections (3)")
    parser.add_argument("--quick", action="store_true", help="one run of one second: for work on the bench itself")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to FILE as well")
    parser.add_argument("--write", action="store_true", help="write bench/RESULTS.md as well")
    asked = parser.parse_args()
    unknown = [name for name in cast("list[str]", asked.sections) if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {unknown[0]}; there are {', '.join(SECTIONS)}")
    return asked


def measured(names: list[str], setting: Setting) -> dict[str, list[Table]]:
    """The tables of the named sections, each printed as soon as it stands."""
    tables: dict[str, list[Table]] = {}
    for name in names:
        progress(f"section {name}")
        try:
            section = importlib.import_module(f"bench.sections.{SECTIONS[name]}")
            found = cast("Callable[[Setting], list[Table]]", section.run)(setting)
        except (ImportError, StartFailedError, LoadFailedError) as error:
            progress(f"section {name} failed: {error}")
            found = [failed_table(name, str(error).strip().splitlines()[-1])]
        tables[name] = found
        for table in found:
            print(table.text(), flush=True)
    return tables


def main() -> int:
    """Exit status: 0 when every target was met, 1 when one was missed, 2 when nothing could be measured."""
    asked = arguments()
    missing, pair = machine.missing_tools(), machine.cores()
    if missing or pair is None:
        print(f"bench: install {' '.join(missing)}" if missing else "bench: two cores are needed, one is usable")
        return 2
    peers = os.environ.get("BENCH_PEERS") == "1"
    names = cast("list[str]", asked.sections) or [name for name in SECTIONS if peers or not name.endswith("peers")]
    facts = {**machine.facts(), "load before": machine.load_average()}
    print("\n".join(f"{name:12} {value}" for name, value in facts.items()), flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as tmp:
        runs, seconds = (1, 1.0) if asked.quick else (cast("int", asked.runs), cast("float", asked.seconds))
        setting = Setting(runs=runs, seconds=seconds, proxy_core=pair[0], load_core=pair[1], tmp=Path(tmp))
        tables = measured(names, setting)
    outcome = results.Outcome(facts, setting.runs, setting.seconds, time.monotonic() - began, tables)
    print(results.summary(outcome))
    if asked.json:
        results.write_json(outcome, cast("Path", asked.json))
    if asked.write:
        results.write_markdown(outcome, SECTIONS)
    return 0 if all(verdict.met for verdict in outcome.verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
