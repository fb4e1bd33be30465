"""Streams of events: a chat of 100, and a coding agent's 76 KB request with 200."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench import shapes
from bench.compare import Samples, Subject, measure, middle, ratio
from bench.gateway import gateway
from bench.load import check
from bench.mocks import events_sent, sse_mock
from bench.nginx import proxy
from bench.report import Table, Verdict

if TYPE_CHECKING:
    from bench.setting import Setting
    from bench.shapes import Shape

COLUMNS = ["stream", "req/s 1", "req/s 32", "p50 ms", "p99 ms", "CPU µs/req", "CPU µs/event", "core busy", "MB"]
NOTE = (
    "Latency at 1 connection is the whole stream's; the rest at 32. The mock writes each event by itself and is the "
    "limit of requests a second; it serves both proxies alike, so CPU is the figure to compare."
)


def run(setting: Setting) -> list[Table]:
    """CPU a request and an event at 32 connections, for both stream shapes."""
    usage, plain, agent = (
        shapes.chat_stream(include_usage=True),
        shapes.chat_stream(include_usage=False),
        shapes.agent(),
    )
    chat = _measure(setting, "openai", 100, {"ours, managed": usage, "ours, usage event hidden": plain})
    chat_table = _table("SSE of 100 events", chat)
    event = ratio(chat[1]["ours, managed"], chat[1]["nginx"], "cpu_us_event")
    chat_table.verdicts.append(Verdict("SSE event, CPU of nginx's", event, 1.3, "x"))
    coding = _measure(setting, "anthropic", 200, {"ours, managed": agent})
    agent_table = _table("A coding agent's shape: Messages, 76 KB request, 200 events", coding)
    request = ratio(coding[1]["ours, managed"], coding[1]["nginx"], "cpu_us")
    agent_table.verdicts.append(Verdict("agent's shape, CPU of nginx's", request, 1.5, "x"))
    return [chat_table, agent_table]


def _measure(setting: Setting, dialect: str, events: int, asked: dict[str, Shape]) -> tuple[Samples, Samples]:
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

        def sent() -> int:
            return events_sent(mock)

        one = measure(setting, subjects, connections=1, seconds=setting.side_seconds, events=sent)
        many = measure(setting, subjects, connections=32, seconds=setting.seconds, events=sent)
    return one, many


def _table(title: str, samples: tuple[Samples, Samples]) -> Table:
    one, many = samples
    table = Table(title, COLUMNS, notes=[NOTE])
    for label, runs in many.items():
        rates = [middle(one[label], "rps"), middle(runs, "rps")]
        latency = [middle(one[label], field) / 1000 for field in ("p50_us", "p99_us")]
        cost = [middle(runs, field) for field in ("cpu_us", "cpu_us_event", "busy")]
        table.rows.append([label, *rates, *latency, *cost, middle(runs, "resident") / 1e6])
    table.notes.append(
        f"At 1 connection CPU an event: nginx {middle(one['nginx'], 'cpu_us_event'):.1f} µs, "
        f"ours {middle(one['ours, managed'], 'cpu_us_event'):.1f} µs."
    )
    return table
