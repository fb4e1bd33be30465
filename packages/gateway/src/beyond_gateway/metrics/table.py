"""What is counted: one row a metric, as Prometheus knows it. Sizes and offsets follow from the rows, in `cells`."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

OTHER: Final = "other"
"""Where reasons and providers without a place of their own are counted."""

REASONS: Final = (
    "missing_key",
    "invalid_key",
    "denied_spend",
    "denied_fraud",
    "rate_limited",
    "bad_request",
    "unknown_provider",
    "endpoint_refused",
    "method_refused",
    "target_too_long",
    "head_too_large",
    "body_timeout",
    "body_too_large",
    "unreachable",
    "upstream_failed",
    "upstream_timeout",
    "no_provider_key",
    "breaker_open",
    "draining",
    "buffers_full",
    "usage_backlog",
    "no_descriptor",
    OTHER,
)
"""Reasons of `errors.Refusal`."""
STATUSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
TOKENS: Final = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
OUTCOMES: Final = ("ok", "upstream_error", "client_cancelled", "cut_short", "timeout")

# Seconds. A provider answers in tens of milliseconds at best and thinks for minutes at worst; our own work is tens of
# microseconds, and what takes longer than a few milliseconds makes every stream of the worker wait.
PROVIDER_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
OVERHEAD_S: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
LAG_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

Kind = Literal["counter", "gauge", "histogram"]
Merge = Literal["sum", "max", "min"]


class Metric(NamedTuple):
    """One row: a family of series. `values` are those of the label `label`; `merge` says how slots become one number.

    A `min` is taken over the slots that are not zero, and zero where all are.
    """

    name: str
    kind: Kind
    text: str
    label: str = ""
    values: tuple[str, ...] = ("",)
    per_provider: bool = False
    buckets: tuple[float, ...] = ()
    merge: Merge = "sum"

    @property
    def width(self) -> int:
        """Cells of one series: a histogram has one a bucket, one for what is above all of them, and the sum."""
        return len(self.buckets) + 2 if self.kind == "histogram" else 1

    @property
    def stride(self) -> int:
        """Cells from one provider to the next."""
        return self.width * len(self.values)


METRICS: Final = (
    Metric("ai_requests_total", "counter", "Requests, refused ones too."),
    Metric("ai_rejections_total", "counter", "Answers made by the gateway itself, by reason.", "reason", REASONS),
    Metric(
        "ai_upstream_responses_total",
        "counter",
        "Final response heads from providers, by class of status.",
        "status",
        STATUSES,
        per_provider=True,
    ),
    Metric(
        "ai_connect_retries_total", "counter", "Connections to a provider that were tried again.", per_provider=True
    ),
    Metric("ai_tokens_total", "counter", "Tokens of managed requests, as providers count them.", "kind", TOKENS),
    Metric(
        "ai_ttft_seconds",
        "histogram",
        "From a request's first byte to the first byte of its response's body.",
        per_provider=True,
        buckets=PROVIDER_S,
    ),
    Metric(
        "ai_upstream_latency_seconds",
        "histogram",
        "From a request's sending on a provider's connection to the head of the response.",
        per_provider=True,
        buckets=PROVIDER_S,
    ),
    Metric(
        "ai_gateway_overhead_seconds",
        "histogram",
        "The gateway's own work for a request, without waiting for client or provider.",
        buckets=OVERHEAD_S,
    ),
    Metric(
        "ai_event_loop_lag_seconds", "histogram", "How late a worker's clock ticked, each time it did.", buckets=LAG_S
    ),
    Metric("ai_outcomes_total", "counter", "Admitted requests that ended, by outcome.", "outcome", OUTCOMES),
    Metric("ai_usage_parse_errors_total", "counter", "Complete successes whose usage could not be read."),
    Metric("ai_usage_estimated_total", "counter", "Usage rows with a lower bound instead of reported usage."),
    Metric("ai_managed_admitted_total", "counter", "Admitted managed requests: each owes a usage row, or was free."),
    Metric("ai_managed_free_total", "counter", "Free managed calls without reported usage, which write no row."),
    Metric("ai_rows_written_total", "counter", "Usage rows handed to the operating system whole."),
    Metric("ai_rows_lost_total", "counter", "Admitted managed requests whose usage row died with their worker."),
    Metric("ai_worker_restarts_total", "counter", "Workers started in the place of one that died."),
    Metric("ai_workers", "gauge", "Workers alive."),
    Metric("ai_requests_in_flight", "gauge", "Requests begun and not settled."),
    Metric("ai_active_streams", "gauge", "Responses of server-sent events that are being relayed."),
    Metric("ai_connections", "gauge", "Open connections.", "side", ("client", "provider")),
    Metric("ai_buffered_bytes", "gauge", "Bytes of request bodies that are held whole."),
    Metric("ai_rows_waiting", "gauge", "Usage rows not yet handed to the operating system."),
    Metric("ai_deny_set_size", "gauge", "Denied tenants and keys.", merge="max"),
    Metric(
        "ai_nats_connected",
        "gauge",
        "1 while every worker that uses NATS is connected to it, else 0; 0 where none uses it.",
        merge="min",
    ),
    Metric(
        "process_resident_memory_bytes",
        "gauge",
        "Resident memory of all workers; pages that they share count once for each.",
    ),
)
