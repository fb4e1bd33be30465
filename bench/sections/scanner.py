"""Microseconds to read `model` out of a body that holds it last, in the chunks that a socket delivers."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from bench.load import LoadFailedError
from bench.report import Table, Verdict
from bench.setting import progress
from bench.stopwatch import call_us
from beyond_gateway.request_scan import RequestScan

if TYPE_CHECKING:
    from bench.setting import Setting

SIZES = {"4 KiB": 4 << 10, "256 KiB": 256 << 10, "4 MiB": 4 << 20}
# A read from a loopback socket under load; the event loop would take up to 256 KiB at once.
READ_BYTES = 64 << 10
# A line of prose with one quoted word, as most text is; and text whose every tenth byte is escaped, as JSON in JSON is.
PROSE = 'The reader asked which of the files holds the "total" of a day, and how it is rounded before it is shown.\n'
ESCAPED = '{"a":"bcd",\n"model":"no"}\n'


def run(setting: Setting) -> list[Table]:
    """The scanner alone, fed as the relay feeds it."""
    progress("model scanner")
    table = Table("Model scanner, `model` last, 64 KiB a read", ["body", "µs", "MB/s"])
    bodies = {name: _chunks(size, PROSE) for name, size in SIZES.items()}
    bodies["256 KiB, JSON in its strings"] = _chunks(SIZES["256 KiB"], ESCAPED)
    times = {name: call_us(partial(_scan, chunks), setting.runs) for name, chunks in bodies.items()}
    table.rows += [[name, us, sum(map(len, bodies[name])) / us] for name, us in times.items()]
    table.verdicts.append(Verdict("`model` out of 256 KiB", times["256 KiB"], 150, " µs"))
    return [table]


def _scan(chunks: list[bytes]) -> None:
    scan = RequestScan()
    for chunk in chunks:
        scan.feed(chunk)
    if scan.finish().model != "gpt-4o-mini":
        raise LoadFailedError("the scanner read another model than the body holds")


def _chunks(size: int, line: str) -> list[bytes]:
    """A chat body of about `size` bytes in turns of up to 2 KB, as reads from a socket."""
    turn = {"role": "user", "content": line * max(1, min(2000, size // 4) // len(line))}
    turns = size // len(json.dumps(turn))
    body = json.dumps({"messages": [turn] * turns, "stream": True, "model": "gpt-4o-mini"}).encode()
    return [body[start : start + READ_BYTES] for start in range(0, len(body), READ_BYTES)]
