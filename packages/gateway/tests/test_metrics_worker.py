"""What each event adds to a worker's slot."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from beyond_gateway.metrics.cells import CELLS, SLOT_BYTES, cell
from beyond_gateway.metrics.process import resident_bytes
from beyond_gateway.metrics.table import LAG_S, METRICS, OVERHEAD_S, PROVIDER_S
from beyond_gateway.metrics.worker import NATS_CONNECTED, NATS_LOST, WorkerMetrics
from beyond_wire import UsageFacts

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = {metric.name: metric for metric in METRICS}
LAST = 63


def worker() -> tuple[WorkerMetrics, memoryview[float]]:
    cells = memoryview(bytearray(SLOT_BYTES)).cast("d")
    return WorkerMetrics(cells), cells


def at(name: str, value: str = "", *, provider: int = 0, offset: int = 0) -> int:
    return cell(name, value) + provider * ROWS[name].stride + offset


def _two_requests_one_over(metrics: WorkerMetrics) -> None:
    metrics.began()
    metrics.began()
    metrics.settled("timeout", 0.001)


def _refused(metrics: WorkerMetrics) -> None:
    metrics.began()
    metrics.rejected("invalid_key")
    metrics.ended()


def _held_and_let_go(metrics: WorkerMetrics) -> None:
    metrics.buffered(1000)
    metrics.buffered(600)


def _streams(metrics: WorkerMetrics) -> None:
    metrics.stream_began()
    metrics.stream_began()
    metrics.stream_ended()


def _first_token(metrics: WorkerMetrics, seconds: float) -> None:
    metrics.ttft(0, seconds)


def _head(metrics: WorkerMetrics, seconds: float) -> None:
    metrics.responded(0, 200, seconds)


EVENTS: dict[str, tuple[Callable[[WorkerMetrics], None], dict[int, float]]] = {
    "malformed": (WorkerMetrics.malformed, {at("ai_requests_total"): 1}),
    "requests": (
        _two_requests_one_over,
        {
            at("ai_requests_total"): 2,
            at("ai_requests_in_flight"): 1,
            at("ai_outcomes_total", "timeout"): 1,
            at("ai_gateway_overhead_seconds", offset=4): 1,
            at("ai_gateway_overhead_seconds", offset=12): 0.001,
        },
    ),
    "refused": (_refused, {at("ai_requests_total"): 1, at("ai_rejections_total", "invalid_key"): 1}),
    "an unlisted reason": (lambda metrics: metrics.rejected("new"), {at("ai_rejections_total", "other"): 1}),
    "admitted": (WorkerMetrics.admitted_managed, {at("ai_managed_admitted_total"): 1}),
    "overhead": (
        lambda metrics: metrics.settled("ok", 0.0002),
        {
            at("ai_requests_in_flight"): -1,
            at("ai_outcomes_total", "ok"): 1,
            at("ai_gateway_overhead_seconds", offset=2): 1,
            at("ai_gateway_overhead_seconds", offset=12): 0.0002,
        },
    ),
    "held": (_held_and_let_go, {at("ai_buffered_bytes"): 600}),
    "retried": (lambda metrics: metrics.connect_retried(3), {at("ai_connect_retries_total", provider=3): 1}),
    "responded": (
        lambda metrics: metrics.responded(7, 429, 0.3),
        {
            at("ai_upstream_responses_total", "4xx", provider=7): 1,
            at("ai_upstream_latency_seconds", provider=7, offset=5): 1,
            at("ai_upstream_latency_seconds", provider=7, offset=16): 0.3,
        },
    ),
    "no status that an RFC has": (
        lambda metrics: metrics.responded(LAST, 999, 0.3),
        {
            at("ai_upstream_responses_total", "5xx", provider=LAST): 1,
            at("ai_upstream_latency_seconds", provider=LAST, offset=5): 1,
            at("ai_upstream_latency_seconds", provider=LAST, offset=16): 0.3,
        },
    ),
    "first token": (
        lambda metrics: metrics.ttft(LAST, 1000.0),
        {at("ai_ttft_seconds", provider=LAST, offset=15): 1, at("ai_ttft_seconds", provider=LAST, offset=16): 1000},
    ),
    "streams": (_streams, {at("ai_active_streams"): 1}),
    "all kinds of tokens": (
        lambda metrics: metrics.tokens(
            UsageFacts(
                input_tokens=1,
                output_tokens=2,
                cache_read_tokens=3,
                cache_write_tokens=4,
                cache_write_1h_tokens=5,
                reasoning_tokens=6,
                wire="anthropic",
            )
        ),
        {
            at("ai_tokens_total", "input"): 1,
            at("ai_tokens_total", "output"): 2,
            at("ai_tokens_total", "cache_read"): 3,
            at("ai_tokens_total", "cache_write"): 4,
            at("ai_tokens_total", "cache_write_1h"): 5,
            at("ai_tokens_total", "reasoning"): 6,
        },
    ),
    "unknown tokens": (lambda metrics: metrics.tokens(UsageFacts(wire="openai")), {}),
    "unread": (WorkerMetrics.usage_unread, {at("ai_usage_parse_errors_total"): 1}),
    "estimated": (WorkerMetrics.usage_estimated, {at("ai_usage_estimated_total"): 1}),
    "free": (WorkerMetrics.free_call, {at("ai_managed_free_total"): 1}),
    "written": (lambda metrics: metrics.rows_written(50), {at("ai_rows_written_total"): 50}),
    "waiting": (lambda metrics: metrics.rows_waiting(9), {at("ai_rows_waiting"): 9}),
    "late": (
        lambda metrics: metrics.loop_lag(2.0),
        {at("ai_event_loop_lag_seconds", offset=10): 1, at("ai_event_loop_lag_seconds", offset=11): 2},
    ),
    "connections": (
        lambda metrics: metrics.connections(4, 2),
        {at("ai_connections", "client"): 4, at("ai_connections", "provider"): 2},
    ),
    "denied": (lambda metrics: metrics.deny_set_size(77), {at("ai_deny_set_size"): 77}),
    "nats": (lambda metrics: metrics.nats(connected=True), {at("ai_nats_connected"): NATS_CONNECTED}),
    "no nats": (lambda metrics: metrics.nats(connected=False), {at("ai_nats_connected"): NATS_LOST}),
    "resident": (lambda metrics: metrics.resident(4096), {at("process_resident_memory_bytes"): 4096}),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_moves_its_cells_and_no_other(name: str) -> None:
    """Each event leaves exactly its own traces in the slot, of the first provider and of the last."""
    event, expected = EVENTS[name]
    metrics, cells = worker()
    cells[cell("ai_workers")] = 0.0
    event(metrics)
    assert {index: cells[index] for index in range(CELLS) if cells[index]} == expected


def test_every_event_is_in_the_table() -> None:
    """No method of the class goes untested: what the table calls is all there is."""
    called = {name for event, _ in EVENTS.values() for name in event.__code__.co_names} | {
        event.__name__ for event, _ in EVENTS.values()
    }
    assert {name for name in vars(WorkerMetrics) if not name.startswith("_")} <= called


def _work(metrics: WorkerMetrics, seconds: float) -> None:
    metrics.settled("ok", seconds)


@pytest.mark.parametrize(
    ("name", "bounds", "note"),
    [
        ("ai_gateway_overhead_seconds", OVERHEAD_S, _work),
        ("ai_event_loop_lag_seconds", LAG_S, WorkerMetrics.loop_lag),
        ("ai_ttft_seconds", PROVIDER_S, _first_token),
        ("ai_upstream_latency_seconds", PROVIDER_S, _head),
    ],
)
def test_a_bound_belongs_to_its_bucket(
    name: str, bounds: tuple[float, ...], note: Callable[[WorkerMetrics, float], None]
) -> None:
    """A bucket takes what is at most its bound; what is above all bounds goes into the one behind them."""
    metrics, cells = worker()
    for bound in bounds:
        note(metrics, bound)
    note(metrics, bounds[-1] * 2)
    first = cell(name)
    assert list(cells[first : first + len(bounds) + 1]) == [1.0] * (len(bounds) + 1)
    assert cells[first + len(bounds) + 1] == pytest.approx(sum(bounds) + bounds[-1] * 2)


def test_a_worker_is_alive_from_its_making() -> None:
    """Taking a slot says that its worker lives."""
    assert worker()[1][cell("ai_workers")] == 1.0


def test_what_is_no_slot_is_refused() -> None:
    """Too few cells, or cells of another kind, would be counted in somebody else's memory."""
    with pytest.raises(ValueError, match="slot"):
        WorkerMetrics(memoryview(bytearray(SLOT_BYTES - 8)).cast("d"))
    with pytest.raises(ValueError, match="slot"):
        WorkerMetrics(memoryview(bytearray(CELLS * 4)).cast("f"))


def test_a_provider_without_room_writes_nowhere() -> None:
    """An index far outside the slot is an error."""
    with pytest.raises(IndexError):
        worker()[0].ttft(CELLS, 0.1)


def test_the_repr_is_one_line_of_state() -> None:
    """Requests so far and those that run."""
    metrics, _ = worker()
    _two_requests_one_over(metrics)
    assert repr(metrics) == "<WorkerMetrics requests=2 in_flight=1>"


def test_resident_memory_is_that_of_this_process() -> None:
    """It is about what the kernel says the highest was, in KiB (getrusage(2)), which lags by some pages."""
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert highest / 4 < resident_bytes() < highest * 1.1
