"""The numbers of all workers as the text that Prometheus reads.

A family is in every answer, so that a rate over it begins at zero, but series of a provider are only there once it had
traffic: sixty-four names with two histograms each would be five thousand lines that say nothing. Wording and escaping
are the Prometheus client library's; its registry and its own counters are not used, because those know one process.
Importing this module costs that library, 70 ms and 3 MB: do it before the workers are forked.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Final, cast

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder

from beyond_gateway.metrics.cells import CELLS, FIRST_CELL, PROVIDERS
from beyond_gateway.metrics.table import METRICS, OTHER, Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from prometheus_client import Metric as Family

TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = b"application/openmetrics-text; version=1.0.0; charset=utf-8"

_quality = re.compile(rb";\s*q=([01](?:\.[0-9]{0,3})?)\s*(?:;|$)").search


class Exposition:
    """Answers a scrape for the whole host, from any worker.

    `slots` are those of all workers; `providers` gives the names by index, `breakers` whether the breaker of each
    provider, by name, is open. Both are asked at each scrape, because a reload may change what they tell.
    """

    def __init__(
        self,
        slots: Sequence[memoryview[float]],
        *,
        version: str,
        providers: Callable[[], Sequence[str]],
        breakers: Callable[[], Mapping[str, bool]],
    ) -> None:
        self._slots = slots
        self._version = version
        self._providers = providers
        self._breakers = breakers
        # No name of ours needs escaping; asked to leave them, the library does not look at every letter of each line.
        self._openmetrics, _ = choose_encoder("application/openmetrics-text; version=1.0.0; escaping=allow-utf-8")
        self._text, _ = choose_encoder("")

    def render(self, accept: bytes) -> tuple[bytes, bytes]:
        """Return content type and body: OpenMetrics 1.0.0 where the Accept value `accept` asks for it, else 0.0.4."""
        if _wants_openmetrics(accept):
            return OPENMETRICS, self._openmetrics(self)
        return TEXT, self._text(self)

    def collect(self) -> Iterator[Family]:
        """Yield every family, as the client library asks a collector for them."""
        totals = self._totals()
        providers = _with_traffic(totals, self._providers())
        for metric in METRICS:
            yield _family(metric, totals, providers)
        breakers = GaugeMetricFamily("ai_breaker_open", "1 while a provider's breaker is open.", labels=["provider"])
        for name, is_open in self._breakers().items():
            breakers.add_metric([name], float(is_open))
        yield breakers
        build = InfoMetricFamily("ai_build", "What runs here.", labels=[])
        build.add_metric([], {"version": self._version})
        yield build

    def _totals(self) -> list[float]:
        """Return the cells of one slot that stands for all."""
        rows = [cast("list[float]", slot.tolist()) for slot in self._slots]
        totals: list[float] = [sum(column) for column in zip(*rows, strict=True)]
        for metric in METRICS:
            first = FIRST_CELL[metric.name]
            if metric.merge == "max":
                totals[first] = max(row[first] for row in rows)
            elif metric.merge == "min":
                # One above what is told, so that zero is a slot which has nothing to say.
                totals[first] = min((row[first] for row in rows if row[first]), default=1.0) - 1.0
        return totals

    def __repr__(self) -> str:
        return f"<Exposition slots={len(self._slots)} of {CELLS} cells>"


def _wants_openmetrics(accept: bytes) -> bool:
    weights = {b"application/openmetrics-text": 0.0, b"text/plain": 0.0}
    for choice in accept.lower().split(b","):
        kind = choice.partition(b";")[0].strip()
        if kind in weights:
            found = _quality(choice)
            weights[kind] = max(weights[kind], float(found[1]) if found else 1.0)
    asked, plain = weights.values()
    return asked > 0 and asked >= plain


def _with_traffic(totals: list[float], names: Sequence[str]) -> list[tuple[int, str]]:
    families = [(FIRST_CELL[metric.name], metric.stride) for metric in METRICS if metric.per_provider]
    return [
        (index, names[index] if index < len(names) else f"{OTHER}-{index}")
        for index in range(PROVIDERS)
        if any(any(totals[first + index * stride : first + (index + 1) * stride]) for first, stride in families)
    ]


def _family(metric: Metric, totals: list[float], providers: list[tuple[int, str]]) -> Family:
    labels = ["provider"] * metric.per_provider + [metric.label] * bool(metric.label)
    series = _series(metric, providers)
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.text, labels=labels)
        bounds = [*map(str, metric.buckets), "+Inf"]
        for values, first in series:
            *counts, seconds = totals[first : first + metric.width]
            histogram.add_metric(values, list(zip(bounds, accumulate(counts), strict=True)), seconds)
        return histogram
    make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = make(metric.name, metric.text, labels=labels)
    for values, first in series:
        family.add_metric(values, totals[first])
    return family


def _series(metric: Metric, providers: list[tuple[int, str]]) -> Iterator[tuple[list[str], int]]:
    """Yield the label values of each series with its first cell."""
    for index, name in providers if metric.per_provider else [(0, "")]:
        first = FIRST_CELL[metric.name] + index * metric.stride
        for number, value in enumerate(metric.values):
            labels = [name] * metric.per_provider + [value] * bool(metric.label)
            yield labels, first + number * metric.width
