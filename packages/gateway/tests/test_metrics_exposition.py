"""The text of a scrape: read back by Prometheus' own parsers, and true over all workers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,  # pyright: ignore[reportUnknownVariableType] - untyped there
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from beyond_gateway.metrics.cells import SLOT_BYTES, retire
from beyond_gateway.metrics.exposition import OPENMETRICS, TEXT, Exposition
from beyond_gateway.metrics.table import METRICS, OTHER, PROVIDER_S
from beyond_gateway.metrics.worker import WorkerMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
TABLE = (OTHER, "openai", "anthropic")


class Host:
    """Some workers and what any of them tells."""

    def __init__(
        self, workers: int = 1, providers: Sequence[str] = TABLE, breakers: Mapping[str, bool] | None = None
    ) -> None:
        self.slots = [memoryview(bytearray(SLOT_BYTES)).cast("d") for _ in range(workers)]
        self.workers = [WorkerMetrics(slot) for slot in self.slots]
        self.exposition = Exposition(
            self.slots, version="9.8.7", providers=lambda: providers, breakers=lambda: breakers or {}
        )

    def text(self, accept: bytes = b"") -> str:
        return self.exposition.render(accept)[1].decode()

    def samples(self) -> Samples:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parse_text(self.text())
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((name, tuple(sorted(labels.items()))))


def busy() -> Host:
    """Two workers that had all kinds of traffic."""
    host = Host(2, breakers={"openai": True, "groq": False})
    for metrics in host.workers:
        metrics.began()
        metrics.responded(1, 200, 0.2)
        metrics.ttft(2, 0.5)
        metrics.settled("ok", 0.00007)
        metrics.loop_lag(3.0)
        metrics.rejected("draining")
    return host


def test_both_formats_tell_the_same() -> None:
    """Both parsers take the text of their format, and read the same values from it."""
    host = busy()
    plain = [sample for family in parse_text(host.text()) for sample in family.samples]
    text = host.text(b"application/openmetrics-text")
    opened = [sample for family in parse_openmetrics(text) for sample in family.samples]
    assert [(s.name, s.labels, s.value) for s in opened] == [(s.name, s.labels, s.value) for s in plain]
    assert len(plain) > len(METRICS)
    assert text.endswith("# EOF\n")


def test_every_family_is_there_before_the_first_request() -> None:
    """A fresh gateway tells every metric, and a value for each that has no provider: rates begin at zero."""
    samples = Host().samples()
    text = Host().text()
    for metric in METRICS:
        assert f"# TYPE {metric.name} {metric.kind}\n" in text
        if metric.per_provider:
            continue
        name = f"{metric.name}_sum" if metric.kind == "histogram" else metric.name
        for value in metric.values:
            labels = ((metric.label, value),) if metric.label else ()
            assert samples[name, labels] == (1.0 if metric.name == "ai_workers" else 0.0)


def test_a_scrape_adds_up_all_workers() -> None:
    """Counters and gauges are those of the host, whoever answers."""
    host = Host(3)
    for number, metrics in enumerate(host.workers):
        for _ in range(number + 1):
            metrics.began()
        metrics.buffered(100)
    assert host.value("ai_requests_total") == 6.0
    assert host.value("ai_requests_in_flight") == 6.0
    assert host.value("ai_buffered_bytes") == 300.0
    assert host.value("ai_workers") == 3.0


def test_a_dead_worker_leaves_its_counts() -> None:
    """After a worker's death totals stand and what it held is gone."""
    host = Host(2)
    for metrics in host.workers:
        metrics.began()
        metrics.admitted_managed()
    retire(host.slots[0])
    assert host.value("ai_requests_total") == 2.0
    assert host.value("ai_requests_in_flight") == 1.0
    assert host.value("ai_workers") == 1.0
    assert host.value("ai_rows_lost_total") == 1.0


def test_the_deny_set_is_the_largest_of_all() -> None:
    """Workers hold copies of one set: a sum would be wrong, and one that is behind must not hide the others."""
    host = Host(3)
    for metrics, size in zip(host.workers, (4, 1000, 7), strict=True):
        metrics.deny_set_size(size)
    assert host.value("ai_deny_set_size") == 1000.0


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((None, None), 0.0),
        ((True, True), 1.0),
        ((True, False), 0.0),
        ((True, None), 1.0),
        ((None, False), 0.0),
    ],
)
def test_nats_is_connected_where_every_user_is(states: tuple[bool | None, ...], expected: float) -> None:
    """One worker without its connection shows; one that uses none, or is dead, does not count."""
    host = Host(len(states))
    for metrics, connected in zip(host.workers, states, strict=True):
        if connected is not None:
            metrics.nats(connected=connected)
    assert host.value("ai_nats_connected") == expected


def test_a_histogram_is_cumulative() -> None:
    """Each bucket holds those below it too; the last one and the count hold all; the sum is in seconds."""
    host = Host(2)
    for metrics in host.workers:
        for seconds in (0.02, 0.02, 4.0, 1000.0):
            metrics.ttft(2, seconds)
    text = host.text()
    found = [
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith('ai_ttft_seconds_bucket{le="') and 'provider="anthropic"' in line
    ]
    assert len(found) == len(PROVIDER_S) + 1
    assert all(below <= above for below, above in pairwise(found))
    assert host.value("ai_ttft_seconds_bucket", le="0.01", provider="anthropic") == 0.0
    assert host.value("ai_ttft_seconds_bucket", le="0.025", provider="anthropic") == 4.0
    assert host.value("ai_ttft_seconds_bucket", le="5.0", provider="anthropic") == 6.0
    assert host.value("ai_ttft_seconds_bucket", le="+Inf", provider="anthropic") == 8.0
    assert host.value("ai_ttft_seconds_count", provider="anthropic") == 8.0
    assert host.value("ai_ttft_seconds_sum", provider="anthropic") == pytest.approx(2008.08)


def test_only_providers_with_traffic_have_series() -> None:
    """A provider appears with its first event, in every family at once."""
    host = Host()
    assert 'provider="' not in host.text()
    host.workers[0].connect_retried(2)
    assert host.value("ai_connect_retries_total", provider="anthropic") == 1.0
    assert host.value("ai_upstream_responses_total", provider="anthropic", status="2xx") == 0.0
    assert host.value("ai_ttft_seconds_count", provider="anthropic") == 0.0
    assert 'provider="openai"' not in host.text()


def test_traffic_without_a_name_is_still_told() -> None:
    """Index 0 is "other"; an index that the table does not know yet gets a name of its own instead of vanishing."""
    host = Host()
    host.workers[0].responded(0, 500, 0.1)
    host.workers[0].responded(40, 500, 0.1)
    assert host.value("ai_upstream_responses_total", provider=OTHER, status="5xx") == 1.0
    assert host.value("ai_upstream_responses_total", provider="other-40", status="5xx") == 1.0


def test_breakers_and_build_are_told_as_they_are() -> None:
    """What no worker counts is asked for at the scrape."""
    host = busy()
    assert host.value("ai_breaker_open", provider="openai") == 1.0
    assert host.value("ai_breaker_open", provider="groq") == 0.0
    assert host.value("ai_build_info", version="9.8.7") == 1.0
    assert repr(host.exposition).startswith("<Exposition slots=2 ")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (b"", TEXT),
        (b"*/*", TEXT),
        (b"text/html", TEXT),
        (b"application/openmetrics-text", OPENMETRICS),
        (b"Application/OpenMetrics-Text; version=0.0.1", OPENMETRICS),
        (b"application/openmetrics-text;q=0, text/plain", TEXT),
        (b"application/openmetrics-text;q=0", TEXT),
        (b"application/openmetrics-text;q=0.2,text/plain;q=0.9", TEXT),
        (b"application/openmetrics-text;q=x", OPENMETRICS),
        (
            b"application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            OPENMETRICS,
        ),
        (b";;,=,q=1,\xff", TEXT),
    ],
)
def test_the_format_is_the_one_asked_for(accept: bytes, expected: bytes) -> None:
    """OpenMetrics where Accept names it and does not prefer plain text; the text fits the content type."""
    content_type, body = Host().exposition.render(accept)
    assert content_type == expected
    assert body.endswith(b"# EOF\n") is (expected == OPENMETRICS)


CALLS: list[Callable[[WorkerMetrics], None]] = [
    WorkerMetrics.began,
    WorkerMetrics.stream_began,
    WorkerMetrics.admitted_managed,
    lambda metrics: metrics.settled("ok", 0.25),
    lambda metrics: metrics.rejected("bad_request"),
    lambda metrics: metrics.responded(1, 404, 0.25),
    lambda metrics: metrics.ttft(2, 2.0),
    lambda metrics: metrics.usage_unread(),
    lambda metrics: metrics.settled("cut_short", 0.5),
    lambda metrics: metrics.rows_written(3),
]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(CALLS)), max_size=40))
def test_it_does_not_matter_who_did_the_work(calls: list[tuple[int, Callable[[WorkerMetrics], None]]]) -> None:
    """Events spread over four workers read the same as all of them at one; only the number of workers differs."""
    four, one = Host(4), Host(1)
    for number, call in calls:
        call(four.workers[number])
        call(one.workers[0])
    told, wanted = four.samples(), one.samples()
    assert told.pop(("ai_workers", ())) == 4.0
    assert wanted.pop(("ai_workers", ())) == 1.0
    assert told == wanted
