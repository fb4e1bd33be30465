"""A small JSON completion: nothing between, nginx, nginx with a log row, ours managed, ours BYO."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench import shapes
from bench.compare import Samples, Subject, measure, middle, ratio, shared_core
from bench.gateway import gateway
from bench.load import check
from bench.nginx import json_mock, proxy
from bench.report import Table, Verdict

if TYPE_CHECKING:
    from bench.setting import Setting

RATES = ["req/s 1", "req/s 32", "req/s 128"]
COLUMNS = ["JSON completion", *RATES, "p50 µs", "p99 µs", "CPU µs/req", "busy", "others", "MB"]


def run(setting: Setting) -> list[Table]:
    """Requests a second at 1, 32 and 128 connections, latency at 1, CPU and memory at 32."""
    managed, byo = shapes.chat(managed=True), shapes.chat(managed=False)
    with ExitStack() as stack:
        mock = stack.enter_context(json_mock(setting))
        plain = stack.enter_context(proxy(setting, mock.port))
        logging = stack.enter_context(proxy(setting, mock.port, log=True))
        ours = stack.enter_context(gateway(setting, mock.port))
        subjects = [
            Subject("direct", mock, managed, measured=False),
            Subject("nginx", plain, managed),
            Subject("nginx, log row", logging, managed),
            Subject("ours, managed", ours, managed),
            Subject("ours, BYO", ours, byo),
        ]
        for subject in subjects:
            check(subject.shape, subject.server.port, needle=b'"finish_reason":"stop"')
        one = measure(setting, subjects, connections=1, seconds=setting.side_seconds)
        many = measure(setting, subjects, connections=32, seconds=setting.seconds)
        crowd = measure(setting, subjects, connections=128, seconds=setting.side_seconds)
    return [_table(one, many, crowd)]


def _table(one: Samples, many: Samples, crowd: Samples) -> Table:
    table = Table("Small JSON completion", COLUMNS)
    for label, samples in many.items():
        latency = [middle(one[label], "p50_us"), middle(one[label], "p99_us")]
        rates = [middle(runs[label], "rps") for runs in (one, many, crowd)]
        cost = [middle(samples, field) for field in ("cpu_us", "busy", "others")]
        table.rows.append([label, *rates, *latency, *cost, middle(samples, "resident") / 1e6])
    ours, nginx = many["ours, managed"], many["nginx"]
    table.notes += [
        "Latency at 1 connection; CPU, shares of the proxy's core (its own and others') and MB at 32.",
        f"CPU of managed against nginx with a log row: {ratio(ours, many['nginx, log row'], 'cpu_us'):.2f}.",
        *shared_core(one, many, crowd),
        f"CPU of BYO against nginx without: {ratio(many['ours, BYO'], nginx, 'cpu_us'):.2f}.",
    ]
    table.verdicts += [
        Verdict("managed JSON, requests a second of nginx's", ratio(ours, nginx, "rps"), 0.5, "x", at_least=True),
        Verdict("managed JSON, CPU of nginx's", ratio(ours, nginx, "cpu_us"), 1.6, "x"),
        Verdict("p50 at one connection of nginx's", ratio(one["ours, managed"], one["nginx"], "p50_us"), 1.15, "x"),
        Verdict("resident", max(sample.resident for sample in crowd["ours, managed"]) / 1e6, 40, " MB"),
    ]
    return table
