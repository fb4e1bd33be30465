"""What one worker adds to its slot while requests pass: two or three stores a call, no lock, no allocation that stays.

Every method is on the way of each request, so each reads its cell's index from a name of this module instead of asking
the table, and a bucket is found by bisection in a tuple. Buckets are counted apart here and added up at a scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from beyond_gateway.metrics.cells import CELLS, cell
from beyond_gateway.metrics.table import (
    LAG_S,
    OTHER,
    OUTCOMES,
    OVERHEAD_S,
    PROVIDER_S,
    REASONS,
    STATUSES,
    TOKENS,
)

if TYPE_CHECKING:
    from beyond_gateway.settle import Outcome
    from beyond_wire import UsageFacts

_REQUESTS: Final = cell("ai_requests_total")
_IN_FLIGHT: Final = cell("ai_requests_in_flight")
_STREAMS: Final = cell("ai_active_streams")
_REASON: Final = {reason: cell("ai_rejections_total", reason) for reason in REASONS}
_OUTCOME: Final = {outcome: cell("ai_outcomes_total", outcome) for outcome in OUTCOMES}
_STATUS: Final = cell("ai_upstream_responses_total", "1xx") - 1
_STATUSES: Final = len(STATUSES)
_RETRIES: Final = cell("ai_connect_retries_total")
_INPUT, _OUTPUT, _CACHE_READ, _CACHE_WRITE, _CACHE_WRITE_1H, _REASONING = (
    cell("ai_tokens_total", kind) for kind in TOKENS
)
_TTFT: Final = cell("ai_ttft_seconds")
_LATENCY: Final = cell("ai_upstream_latency_seconds")
_PROVIDER_SUM: Final = len(PROVIDER_S) + 1
_PROVIDER_WIDTH: Final = len(PROVIDER_S) + 2
_OVERHEAD: Final = cell("ai_gateway_overhead_seconds")
_OVERHEAD_SUM: Final = _OVERHEAD + len(OVERHEAD_S) + 1
_LAG: Final = cell("ai_event_loop_lag_seconds")
_LAG_SUM: Final = _LAG + len(LAG_S) + 1
_PARSE_ERRORS: Final = cell("ai_usage_parse_errors_total")
_ESTIMATED: Final = cell("ai_usage_estimated_total")
_ADMITTED: Final = cell("ai_managed_admitted_total")
_FREE: Final = cell("ai_managed_free_total")
_WRITTEN: Final = cell("ai_rows_written_total")
_BUFFERED: Final = cell("ai_buffered_bytes")
_CLIENTS: Final = cell("ai_connections", "client")
_UPSTREAMS: Final = cell("ai_connections", "provider")
_WAITING: Final = cell("ai_rows_waiting")
_DENIED: Final = cell("ai_deny_set_size")
_NATS: Final = cell("ai_nats_connected")
_RESIDENT: Final = cell("process_resident_memory_bytes")
_WORKERS: Final = cell("ai_workers")

NATS_LOST: Final = 1.0
NATS_CONNECTED: Final = 2.0
"""How a slot says it: zero is a worker that uses no NATS, or none at all."""


class WorkerMetrics:
    """One worker's hand in the shared counters. Providers are indexes of the table, seconds are durations.

    `cells` is the worker's own slot. Raises ValueError where it is no slot, IndexError for a provider without room.
    """

    __slots__ = ("_cells",)

    def __init__(self, cells: memoryview[float]) -> None:
        if len(cells) != CELLS or cells.format != "d":
            raise ValueError(f"a slot is {CELLS} doubles")
        self._cells = cells
        cells[_WORKERS] = 1.0

    # -- a request

    def malformed(self) -> None:
        """Count a request whose head was none: it is refused before there is an exchange."""
        self._cells[_REQUESTS] += 1.0

    def began(self) -> None:
        """Count an exchange in."""
        cells = self._cells
        cells[_REQUESTS] += 1.0
        cells[_IN_FLIGHT] += 1.0

    def rejected(self, reason: str) -> None:
        """Count an answer of the gateway's own by its `Refusal.reason`."""
        self._cells[_REASON.get(reason) or _REASON[OTHER]] += 1.0

    def admitted_managed(self) -> None:
        """Count an admitted managed request, which owes a usage row from now on."""
        self._cells[_ADMITTED] += 1.0

    def ended(self) -> None:
        """Count an exchange out that was never admitted."""
        self._cells[_IN_FLIGHT] -= 1.0

    def settled(self, outcome: Outcome, busy_s: float) -> None:
        """Count an admitted exchange out, with its end and with the seconds of our own work for it."""
        cells = self._cells
        cells[_IN_FLIGHT] -= 1.0
        cells[_OUTCOME[outcome]] += 1.0
        cells[_OVERHEAD + bisect_left(OVERHEAD_S, busy_s)] += 1.0
        cells[_OVERHEAD_SUM] += busy_s

    def buffered(self, size: int) -> None:
        """Set how many bytes of bodies this worker holds whole."""
        self._cells[_BUFFERED] = size

    # -- a provider

    def connect_retried(self, provider: int) -> None:
        """Count a further try to connect."""
        self._cells[_RETRIES + provider] += 1.0

    def responded(self, provider: int, status: int, latency_s: float) -> None:
        """Count a final response head of three-digit `status`, which came `latency_s` after the request was sent."""
        cells = self._cells
        # A class that no RFC has counts as the last: the next cell belongs to another provider.
        cells[_STATUS + provider * _STATUSES + (status if status < 600 else 599) // 100] += 1.0
        first = _LATENCY + provider * _PROVIDER_WIDTH
        cells[first + bisect_left(PROVIDER_S, latency_s)] += 1.0
        cells[first + _PROVIDER_SUM] += latency_s

    def ttft(self, provider: int, seconds: float) -> None:
        """Note the time from a request's first byte to the first byte of its response's body."""
        cells = self._cells
        first = _TTFT + provider * _PROVIDER_WIDTH
        cells[first + bisect_left(PROVIDER_S, seconds)] += 1.0
        cells[first + _PROVIDER_SUM] += seconds

    def stream_began(self) -> None:
        """Count in a response of server-sent events."""
        self._cells[_STREAMS] += 1.0

    def stream_ended(self) -> None:
        """Count it out."""
        self._cells[_STREAMS] -= 1.0

    # -- usage

    def tokens(self, facts: UsageFacts) -> None:
        """Add up what one managed request cost; what is unknown adds nothing."""
        cells = self._cells
        if count := facts.input_tokens:
            cells[_INPUT] += count
        if count := facts.output_tokens:
            cells[_OUTPUT] += count
        if count := facts.cache_read_tokens:
            cells[_CACHE_READ] += count
        if count := facts.cache_write_tokens:
            cells[_CACHE_WRITE] += count
        if count := facts.cache_write_1h_tokens:
            cells[_CACHE_WRITE_1H] += count
        if count := facts.reasoning_tokens:
            cells[_REASONING] += count

    def usage_unread(self) -> None:
        """Count a complete success without usage that could be read."""
        self._cells[_PARSE_ERRORS] += 1.0

    def usage_estimated(self) -> None:
        """Count a row with a lower bound."""
        self._cells[_ESTIMATED] += 1.0

    def free_call(self) -> None:
        """Count a managed request that owes no row after all."""
        self._cells[_FREE] += 1.0

    def rows_written(self, count: int) -> None:
        """Count rows that the operating system has taken whole."""
        self._cells[_WRITTEN] += count

    # -- the worker, once a tick

    def loop_lag(self, seconds: float) -> None:
        """Note how late the clock ticked."""
        cells = self._cells
        cells[_LAG + bisect_left(LAG_S, seconds)] += 1.0
        cells[_LAG_SUM] += seconds

    def connections(self, clients: int, upstreams: int) -> None:
        """Set how many connections are open on either side."""
        self._cells[_CLIENTS] = clients
        self._cells[_UPSTREAMS] = upstreams

    def rows_waiting(self, count: int) -> None:
        """Set how many rows are not yet written."""
        self._cells[_WAITING] = count

    def deny_set_size(self, count: int) -> None:
        """Set how many entries this worker's deny-set has."""
        self._cells[_DENIED] = count

    def nats(self, *, connected: bool) -> None:
        """Set whether this worker, which uses NATS, is connected to it; not called where NATS is not configured."""
        self._cells[_NATS] = NATS_CONNECTED if connected else NATS_LOST

    def resident(self, size: int) -> None:
        """Set this worker's resident memory in bytes."""
        self._cells[_RESIDENT] = size

    def __repr__(self) -> str:
        cells = self._cells
        return f"<WorkerMetrics requests={cells[_REQUESTS]:.0f} in_flight={cells[_IN_FLIGHT]:.0f}>"
