"""`python -m faults.soak`: ten minutes at 2,000 requests a second, a tenth of them streams that the client leaves.

What is measured is resident memory: the median of the second minute against that of the last. A gateway that forgets
nothing grows by a row here and a connection there, which no short test can tell from noise. Exits 0 when memory grew by
less than a mebibyte, every admitted request has its row and no request failed, else 1.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import cast

import uvloop

from faults.admin import metrics_of
from faults.client import NOTHING, Client, chat, managed_key, request
from faults.gateway import Gateway
from faults.procfs import resident_bytes
from faults.provider import Healthy

MOST_GROWTH = 1 << 20
CLIENTS = 100
CANCELLED = 0.1
SAMPLE_S = 1.0
SAY_S = 30.0
PATH = "/openai/v1/chat/completions"


@dataclass
class Soak:
    """What was done and seen so far."""

    port: int
    pause_s: float
    done: int = 0
    cancelled: int = 0
    failed: int = 0
    late: int = 0
    memory: list[int] = field(default_factory=list[int])


async def client(soak: Soak, number: int, until: float) -> None:
    """Ask at an even pace until the time is over, on one connection for as long as it lives."""
    chance = random.Random(number)  # the same mixture in every run
    whole = request(PATH, chat("gpt-x"), key=managed_key(1, number))
    stream = request(PATH, chat("mock:events=50,gap=0.02", stream=True), key=managed_key(2, number))
    line: Client | None = None
    due = time.monotonic() + chance.random() * soak.pause_s
    while (now := time.monotonic()) < until:
        soak.late += now - due > soak.pause_s
        await asyncio.sleep(max(0.0, due - now))
        due = max(due + soak.pause_s, now)
        line = line or await Client.open(soak.port)
        if chance.random() < CANCELLED:
            line.send(stream)
            await line.reader.read(4096)
            line.leave()
            line = None
            soak.cancelled += 1
        else:
            line.send(whole)
            answer = await line.answer()
            if answer is NOTHING or answer.status != 200 or not answer.whole:
                soak.failed += 1
                line.leave()
                line = None
        soak.done += 1
    if line is not None:
        line.leave()


async def watch(soak: Soak, pid: int, seconds: float) -> None:
    """Look at the memory every second, and say twice a minute how it goes."""
    began = said = time.monotonic()
    before = 0
    while (now := time.monotonic()) - began < seconds:
        soak.memory.append(resident_bytes(pid))
        if now - said >= SAY_S:
            rate = (soak.done - before) / (now - said)
            print(f"  {now - began:5.0f} s  {rate:6,.0f} req/s  {soak.memory[-1] / 2**20:6.1f} MiB", flush=True)
            said, before = now, soak.done
        await asyncio.sleep(SAMPLE_S)


async def run(minutes: float, rate: float) -> int:
    """Return the exit status."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        provider = Healthy(Path(folder))
        gateway = Gateway(Path(folder), {}, {"read_timeout_secs": "600"})
        try:
            await provider.start()
            gateway.providers = {"openai": provider.port}
            await gateway.start()
            await gateway.serves()
            soak = Soak(gateway.port, CLIENTS / rate)
            until = time.monotonic() + minutes * 60
            async with asyncio.TaskGroup() as tasks:
                for number in range(CLIENTS):
                    tasks.create_task(client(soak, number, until))
                tasks.create_task(watch(soak, gateway.child.pid, minutes * 60))
            await asyncio.sleep(2)
            return await judge(soak, gateway, minutes)
        finally:
            await gateway.stop()
            await provider.stop()


async def judge(soak: Soak, gateway: Gateway, minutes: float) -> int:
    """Print what came of it; return the exit status."""
    part = max(1, len(soak.memory) // max(2, round(minutes)))
    growth = median(soak.memory[-part:]) - median(soak.memory[part : 2 * part])
    metrics = await metrics_of(gateway.admin_port) or {}
    rows = _count_lines(gateway.rows_path)
    wrong = {
        f"memory grew by {growth / 2**20:.2f} MiB": growth >= MOST_GROWTH,
        f"{soak.failed} requests failed": soak.failed > 0,
        f"{rows} rows for {soak.done} requests": rows != soak.done,
        f"{metrics.get('ai_requests_in_flight')} requests still in flight": metrics.get("ai_requests_in_flight") != 0,
    }
    print(
        f"{soak.done:,} requests, {soak.cancelled:,} streams left in the middle, {soak.late:,} times late; "
        f"memory {growth / 2**20:+.2f} MiB (less than {MOST_GROWTH / 2**20:.0f})"
    )
    for text, is_wrong in wrong.items():
        if is_wrong:
            print(f"FAIL  {text}")
    return 1 if any(wrong.values()) else 0


def _count_lines(path: Path) -> int:
    """Count without holding them: ten minutes write half a gigabyte."""
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))


def main() -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m faults.soak", description="does memory grow")
    parser.add_argument("--minutes", type=float, default=10.0, help="default 10")
    parser.add_argument("--rate", type=float, default=2000.0, help="requests a second, default 2000")
    asked = parser.parse_args()
    return uvloop.run(run(cast("float", asked.minutes), cast("float", asked.rate)))


if __name__ == "__main__":
    sys.exit(main())
