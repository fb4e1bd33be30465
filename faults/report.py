"""Prints a row for each scenario as soon as it stands, for people or, with --json, one object a line."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faults.runner import Outcome

COLUMNS = (
    ("scenario", 26),
    ("seconds", 7),
    ("what legitimate clients saw", 44),
    ("rows, admitted", 18),
    ("left behind", 26),
    ("what was done", 0),
)
_COLOURS = {"ok": "32", "FAIL": "31"}


def heading() -> None:
    """Print the names of the columns."""
    _line("    ", [name for name, _ in COLUMNS])


def _line(state: str, cells: list[str]) -> None:
    texts = [f"{cell:<{width}}" for cell, (_, width) in zip(cells, COLUMNS, strict=True)]
    print(" ", state, *texts, flush=True)


def row(outcome: Outcome) -> None:
    """Print one scenario, and below it what was wrong."""
    state = f"{outcome.state:<4}"
    if sys.stdout.isatty():
        state = f"\x1b[{_COLOURS[outcome.state]}m{state}\x1b[0m"
    seconds = f"{outcome.seconds:6.1f} "
    _line(state, [outcome.name, seconds, outcome.clients, outcome.rows, outcome.leaked, outcome.did])
    for text in outcome.wrong:
        print("         ", text, flush=True)


def json_row(outcome: Outcome) -> None:
    """Print one scenario as an object."""
    print(json.dumps({**dataclasses.asdict(outcome), "state": outcome.state}), flush=True)


def total(outcomes: list[Outcome]) -> None:
    """Print the verdict."""
    red = [outcome.name for outcome in outcomes if outcome.wrong]
    seconds = sum(outcome.seconds for outcome in outcomes)
    print(f"{len(outcomes) - len(red)} of {len(outcomes)} ok in {seconds:.0f} s", *(["red:", *red] if red else []))
