"""Streams of events: a chat of 100, and a coding agent's 76 KB request with 200."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bench import shapes
from bench.compare import Samples, Subject, measure, middle, ratio, shared_core
from bench.gateway import gateway
from bench.load import check
from bench.mocks import events_sent, set_pace, sse_mock
from bench.nginx import proxy
from bench.report import Table, Verdict

if TYPE_CHECKING:
    from bench.setting import Setting
    from bench.shapes import Shape

COLUMNS = ["stream", "req/s 1", "req/s 32", "p50 ms", "p99 ms", "CPU µs/req", "CPU µs/event", "busy", "others", "MB"]
NOTE = (
    "Requests a second flat out, where the mock is the limit; latency at 1 connection is the whole stream's. CPU at 32 "
    "streams with an event every 2 ms each, so that no proxy can save work by reading two events at once."
)
PACE_MS = 2


@dataclass(frozen=True, slots=True)
class Found:
    """Flat out over 1 and over 32 connections, and 32 streams at the pace of `PACE_MS` an event."""

    one: Samples
    flat: Samples
    paced: Samples


def run(setting: Setting) -> list[Table]:
    """CPU a request and an event, for both stream shapes."""
    usage, plain, agent = (
        shapes.chat_stream(include_usage=True),
        shapes.chat_stream(include_usage=False),
        shapes.agent(),
    )
    chat = _measure(setting, "openai", 100, {"ours, managed": usage, "ours, usage event hidden": plain})
    chat_table = _table("SSE of 100 events", chat)
    event = ratio(chat.paced["ours, managed"], chat.paced["nginx"], "cpu_us_event")
    chat_table.verdicts.append(Verdict("SSE event, CPU of nginx's", event, 1.3, "x"))
    coding = _measure(setting, "anthropic", 200, {"ours, managed": agent})
    agent_table = _table("A coding agent's shape: Messages, 76 KB request, 200 events", coding)
    request = ratio(coding.paced["ours, managed"], coding.paced["nginx"], "cpu_us_event")
    agent_table.verdicts.append(Verdict("agent's shape, CPU of nginx's", request, 1.5, "x"))
    return [chat_table, agent_table]


def _measure(setting: Setting, dialect: str, events: int, asked: dict[str, Shape]) -> Found:
    with ExitStack() as stack:
        mock = stack.enter_context(sse_mock(setting, dialect, events))
        yardstick = stack.enter_context(proxy(setting, mock.port))
        ours = stack.enter_context(gateway(setting, mock.port))
        first = next(iter(asked.values()))
        subjects = [Subject("nginx", yardstick, first)]
        subjects += [Subject(label, ours, shape) for label, shape in asked.items()]
        for subject in subjects:
            hidden = subject.label.endswith("hidden")
            check(subject.shape, subject.server.port, needle=b"word000", events=events - hidden)
        sent = partial(events_sent, mock)
        one = measure(setting, subjects, connections=1, seconds=setting.side_seconds, events=sent)
        flat = measure(setting, subjects, connections=32, seconds=setting.side_seconds, events=sent)
        set_pace(mock, PACE_MS)
        paced = measure(setting, subjects, connections=32, seconds=setting.seconds, events=sent)
    return Found(one, flat, paced)


def _table(title: str, found: Found) -> Table:
    table = Table(title, COLUMNS, notes=[NOTE, *shared_core(found.one, found.flat, found.paced)])
    for label, runs in found.paced.items():
        rates = [middle(found.one[label], "rps"), middle(found.flat[label], "rps")]
        latency = [middle(found.one[label], field) / 1000 for field in ("p50_us", "p99_us")]
        cost = [middle(runs, field) for field in ("cpu_us", "cpu_us_event", "busy", "others")]
        table.rows.append([label, *rates, *latency, *cost, middle(runs, "resident") / 1e6])
    flat = {label: middle(runs, "cpu_us_event") for label, runs in found.flat.items()}
    table.notes.append(
        "CPU µs an event flat out: " + ", ".join(f"{label} {us:.1f}" for label, us in flat.items()) + "."
    )
    return table
