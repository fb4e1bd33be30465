"""What is kept of a run: a summary line, figures as JSON, and the page bench/RESULTS.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from bench.setting import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bench.report import Table, Verdict

RESULTS = ROOT / "bench/RESULTS.md"
MARK = "*Section `{name}`, measured on {date} UTC.*"
_MARKED = re.compile(r"^\*Section `([a-z-]+)`, measured on [^*]+\.\*$", re.MULTILINE)
PREFACE = """\
# Results

Written by `make bench` with `--write`, last on {date} UTC: medians of {runs} runs, of {seconds:g} s under load, and
ratios run by run. A section that was not run then keeps what it had; each says when it was measured.

Reasons to distrust these figures: two cores of a virtual machine, shared with its neighbours; loopback instead of a
network; clear text to the provider instead of TLS; models that play a script. nginx only swaps a header, while the
gateway verifies the key, reads the model, reads the usage and writes a row. The proxy has one core to itself, load and
mock share the other; only in the section on workers the gateway may use both. JSON comes from nginx as the mock;
streams come from `sse_mock.py`, which writes each event by itself and serves both proxies alike: it is the limit of
requests a second there, so that CPU is the figure to compare. A ratio is the median of each run divided by its
neighbour in time; CPU is user and system time of the processes from /proc.

Where a target is missed, `docs/decisions/0011-where-the-time-goes.md` says why.
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a run found; `took_s` is wall time in seconds."""

    facts: dict[str, str]
    runs: int
    seconds: float
    took_s: float
    sections: dict[str, list[Table]]

    @property
    def tables(self) -> list[Table]:
        """Those of all sections, in order."""
        return [table for tables in self.sections.values() for table in tables]

    @property
    def verdicts(self) -> list[Verdict]:
        """Every figure that has a target, in the order of the tables."""
        return [verdict for table in self.tables for verdict in table.verdicts]


def summary(outcome: Outcome) -> str:
    """How many targets were met, and how long it took."""
    met = sum(verdict.met for verdict in outcome.verdicts)
    return f"\n{met} of {len(outcome.verdicts)} targets met in {outcome.took_s:.0f} s"


def write_json(outcome: Outcome, path: Path) -> None:
    """Every table, note and verdict as one JSON object."""
    verdicts = [{"text": v.text, "figure": v.figure, "target": v.target, "met": v.met} for v in outcome.verdicts]
    page = {"date": _now(), "machine": outcome.facts, "runs": outcome.runs, "seconds": outcome.seconds}
    path.write_bytes(msgspec.json.encode({**page, "tables": outcome.tables, "verdicts": verdicts}))


def write_markdown(outcome: Outcome, order: Iterable[str], page: Path = RESULTS) -> None:
    """The page bench/RESULTS.md: caveats first, then machine, then tables by section; those not run stay."""
    kept = _sections(page.read_text(encoding="utf-8")) if page.exists() else {}
    for name, tables in outcome.sections.items():
        body = "\n".join(table.markdown() for table in tables).strip()
        kept[name] = f"{MARK.format(name=name, date=_now())}\n\n{body}\n"
    machine = "\n".join(f"- {name}: {value}" for name, value in outcome.facts.items())
    preface = PREFACE.format(date=_now(), runs=outcome.runs, seconds=outcome.seconds)
    parts = [f"{preface}\n{machine}\n", *(kept[name] for name in order if name in kept)]
    page.write_text("\n".join(parts), encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    """The sections of a page by name, each with its mark."""
    starts = [*_MARKED.finditer(text)]
    ends = [*(mark.start() for mark in starts[1:]), len(text)]
    return {mark[1]: text[mark.start() : end].rstrip() + "\n" for mark, end in zip(starts, ends, strict=True)}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
