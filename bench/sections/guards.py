"""What the guards cost: each alone in this process, and all of them in a gateway beside one without."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING

from bench import guard_calls, shapes
from bench.compare import Subject, measure, middle, ratio, shared_core
from bench.gateway import KID, gateway
from bench.load import check
from bench.nginx import json_mock
from bench.report import Table, Verdict
from bench.setting import progress
from bench.stopwatch import call_us
from beyond_gateway.deny.entries import DenySet
from beyond_gateway.managed_key import Identity

if TYPE_CHECKING:
    from bench.setting import Setting

DENIED = 1_000_000
# Tenants at work in one worker: as many as one core serves, and as many as push everything out of its caches.
AT_WORK, CROWD = 1_000, 50_000
# Odd multipliers spread counted numbers over all 64 bits.
SPREAD, OTHER_SPREAD = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03


def run(setting: Setting) -> list[Table]:
    """Microseconds a call, then requests a second with guards of those without."""
    return [_alone(setting), _together(setting)]


def _alone(setting: Setting) -> Table:
    progress("guards, one by one")
    table = Table("Guards, one call in this process", ["call", "CPU µs"])
    table.notes.append("Each figure has up to 0.1 µs of the loop around it.")
    _deny(setting, table)
    turns = {
        "managed key, remembered": guard_calls.remembered(),
        "managed key, first sight": guard_calls.first_sight(),
        "rate guard, one key": guard_calls.rate(same=True),
        "rate guard, a new key each time": guard_calls.rate(same=False),
        "breaker, asked and told of a success": guard_calls.breaker(),
        "metrics of one managed request": guard_calls.metrics(),
    }
    costs = {label: call_us(turn, setting.runs) / guard_calls.BATCH for label, turn in turns.items()}
    table.rows += [[label, us] for label, us in costs.items()]
    scrape_us = call_us(guard_calls.scrape(), setting.runs)
    table.notes.append(
        f"A scrape of 2 workers with {len(guard_calls.SCRAPED)} providers takes {scrape_us / 1000:.2f} ms."
    )
    hit = costs["managed key, remembered"]
    table.verdicts.append(Verdict("remembered managed key", hit, 1, " µs"))
    return table


def _deny(setting: Setting, table: Table) -> None:
    """Looks into an empty and a full set, turn by turn: a neighbour that takes the cache takes it from both."""
    empty, full = DenySet(), DenySet()
    full.spend.update(number * SPREAD % 2**64 for number in range(DENIED))
    for tenants in (AT_WORK, CROWD):
        asked = [Identity(KID, number * OTHER_SPREAD % 2**64, 1, None) for number in range(1, tenants + 1)]
        pairs = [(_look_us(empty, asked), _look_us(full, asked)) for _ in range(setting.runs)]
        none, million = (median(times) for times in zip(*pairs, strict=True))
        table.rows.append([f"deny-set, nobody denied, {tenants:,} tenants ask in turn", none])
        table.rows.append([f"deny-set, {DENIED:,} denied, {tenants:,} tenants ask in turn", million])
        if tenants == AT_WORK:
            times = median(full_us / empty_us for empty_us, full_us in pairs)
            table.verdicts.append(Verdict("look into a deny-set of a million, of an empty one's", times, 1.3, "x"))
            table.verdicts.append(Verdict("look into a deny-set of a million", million, 1, " µs"))
    table.notes.append(f"Where {CROWD:,} tenants ask in turn, each look waits for memory that no cache holds.")


def _look_us(denied: DenySet, asked: list[Identity]) -> float:
    look = denied.refusal

    def turn() -> None:
        for identity in asked:
            look(identity)

    return call_us(turn, 1) / len(asked)


def _together(setting: Setting) -> Table:
    managed = shapes.chat(managed=True)
    high = dict.fromkeys(("rate_limit_rps", "byo_rate_limit_rps"), guard_calls.HIGH)
    with ExitStack() as stack:
        mock = stack.enter_context(json_mock(setting))
        without = stack.enter_context(gateway(setting, mock.port, circuit_breaker_threshold=0))
        guarded = stack.enter_context(gateway(setting, mock.port, **high))
        subjects = [Subject("no rate guard, no breaker", without, managed), Subject("both", guarded, managed)]
        for subject in subjects:
            check(managed, subject.server.port, needle=b'"finish_reason":"stop"')
        found = measure(setting, subjects, connections=32, seconds=setting.seconds)
    table = Table("Guards in the gateway, managed JSON", ["guards", "req/s", "CPU µs/req", "busy", "others"])
    for label, samples in found.items():
        table.rows.append([label, *(middle(samples, field) for field in ("rps", "cpu_us", "busy", "others"))])
    both, none = found["both"], found["no rate guard, no breaker"]
    table.notes += [f"CPU with both of that with none: {ratio(both, none, 'cpu_us'):.2f}.", *shared_core(found)]
    table.verdicts.append(
        Verdict("requests a second with guards, of those without", ratio(both, none, "rps"), 0.95, "x", at_least=True)
    )
    return table
