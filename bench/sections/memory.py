"""Growth of resident memory while 1 GiB passes, each way, BYO and managed, beside nginx."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.gateway import BYO_KEY, MANAGED_KEY, gateway
from bench.load import LoadFailedError
from bench.mocks import bulk_mock
from bench.nginx import proxy
from bench.procfs import PeakResident, resident_bytes
from bench.report import Table, Verdict
from bench.setting import PYTHON, ROOT, progress

if TYPE_CHECKING:
    from bench.servers import Server
    from bench.setting import Setting

GIB = 1 << 30
# The gateway refuses a body above 100 MiB, so a GiB goes up in sixteen; it comes down in one.
UP_BYTES = GIB // 16
UP, DOWN = "/openai/v1/audio/transcriptions", "/openai/v1/embeddings"


NOTE = "Growth is the highest resident memory during the passage less that before it, in one run."


@dataclass(frozen=True, slots=True)
class Passage:
    """What passes through `server`: `times` exchanges that send `size` bytes each, or one that receives 1 GiB."""

    label: str
    server: Server
    path: str
    key: str
    size: int
    times: int = 1


def run(setting: Setting) -> list[Table]:
    """Highest resident memory during the passage less that before it; one run, as growth is a maximum."""
    table = Table("1 GiB each way", ["passage", "growth MiB", "MB/s"], notes=[NOTE])
    with ExitStack() as stack:
        mock = stack.enter_context(bulk_mock(setting, GIB))
        nginx = stack.enter_context(proxy(setting, mock.port))
        ours = stack.enter_context(gateway(setting, mock.port))
        passages = [
            Passage("nginx, up", nginx, UP, BYO_KEY, UP_BYTES, 16),
            Passage("nginx, down", nginx, DOWN, BYO_KEY, 0),
            Passage("ours, BYO, up", ours, UP, BYO_KEY, UP_BYTES, 16),
            Passage("ours, BYO, down", ours, DOWN, BYO_KEY, 0),
            Passage("ours, managed, up", ours, UP, MANAGED_KEY, UP_BYTES, 16),
            Passage("ours, managed, down", ours, DOWN, MANAGED_KEY, 0),
        ]
        for server in (nginx, ours):
            _exchange(setting, Passage("warm-up", server, UP, BYO_KEY, 1 << 20))
        growths = {passage.label: _growth(setting, table, passage) for passage in passages}
    worst = max(growth for label, growth in growths.items() if label.startswith("ours"))
    table.verdicts.append(Verdict("growth while 1 GiB passes, worst of four", worst, 8, " MiB"))
    return [table]


def _growth(setting: Setting, table: Table, passage: Passage) -> float:
    progress(f"1 GiB: {passage.label}")
    before = resident_bytes(passage.server.pid)
    with PeakResident(passage.server.pid) as resident:
        seconds = _exchange(setting, passage)
    growth = (resident.peak_bytes - before) / 2**20
    table.rows.append([passage.label, growth, GIB / seconds / 1e6])
    return growth


def _exchange(setting: Setting, passage: Passage) -> float:
    """Seconds that it took. Raises LoadFailedError where it was refused or cut."""
    script = str(ROOT / "bench/bulk_client.py")
    words = [str(passage.server.port), passage.path, passage.key, str(passage.size), str(passage.times)]
    command = ["taskset", "-c", str(setting.load_core), PYTHON, script, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seen = json.JSONDecoder().decode(done.stdout)
    if seen["status"] != 200 or (not passage.size and seen["received"] < GIB):
        raise LoadFailedError(f"{passage.label}: {done.stdout}")
    return float(seen["seconds"])
