"""What one exchange tells others about itself: the provider's breaker, the metrics, and at its end the usage row.

The exchange says what happened; what that means to each of the three is decided here. Every exchange ends in `settle`,
once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from beyond_gateway import errors
from beyond_gateway.ledger import Ledger

if TYPE_CHECKING:
    from beyond_gateway.admit import Admitted
    from beyond_gateway.errors import Refusal
    from beyond_gateway.gateway import Gateway
    from beyond_gateway.settle import Outcome

_PROVIDERS_FAULT: Final = (errors.UNREACHABLE, errors.UPSTREAM_FAILED, errors.UPSTREAM_TIMED_OUT)
"""Answers that say the provider did not: failures to its breaker. A client that aborts or stalls is none."""


class Tally:
    """One exchange's account.

    `ledger` is there for an admitted managed request. `busy_s` is our own work for it, which the exchange adds up: what
    waits for client or provider is not in it. `started` is monotonic seconds.
    """

    __slots__ = ("_admitted", "_gateway", "_judged", "_started", "_streams", "busy_s", "ledger")

    def __init__(self, gateway: Gateway, started: float) -> None:
        self._gateway = gateway
        self._started = started
        self.busy_s = 0.0
        self._admitted: Admitted | None = None
        self._judged = False
        self._streams = False
        self.ledger: Ledger | None = None

    def admitted(self, admitted: Admitted, *, free: bool) -> Ledger | None:
        """Note that the request may go out; return the ledger of a managed one."""
        self._admitted = admitted
        if admitted.identity is not None:
            gateway = self._gateway
            gateway.metrics.admitted_managed()
            self.ledger = Ledger(admitted.route, admitted.identity, self._started, gateway.prompts, free=free)
        return self.ledger

    def refused(self, request_id: str, refusal: Refusal) -> None:
        """Note an answer of the gateway's own."""
        if self._admitted is not None and refusal in _PROVIDERS_FAULT:
            self._judge(self._admitted, self._gateway.now(), failed=True)
        self._gateway.metrics.rejected(refusal.reason)
        self._gateway.log.refused(request_id, refusal)

    def responded(self, status: int, sent_at: float, *, stream: bool) -> None:
        """Note the provider's final head, for a request that was sent on its connection at `sent_at`."""
        gateway, admitted = self._gateway, self._admitted
        if admitted is not None:
            now = gateway.now()
            self._judge(admitted, now, failed=status >= 500)
            gateway.metrics.responded(admitted.lane.index, status, now - sent_at)
        if stream:
            self._streams = True
            gateway.metrics.stream_began()

    def first_byte(self, now: float) -> None:
        """Note the first byte of the response's body."""
        if self._admitted is not None:
            self._gateway.metrics.ttft(self._admitted.lane.index, now - self._started)

    def _judge(self, admitted: Admitted, now: float, *, failed: bool) -> None:
        """Tell the provider's breaker once how it went, as far as that is the provider's doing."""
        if self._judged:
            return
        self._judged = True
        breaker = admitted.lane.breaker
        (breaker.failure if failed else breaker.success)(now, probe=admitted.probe)

    def settle(self, request_id: str, outcome: Outcome) -> None:
        """End the account: a probe without an answer is given back, everything is counted, the row is written."""
        gateway, metrics, admitted = self._gateway, self._gateway.metrics, self._admitted
        if self._streams:
            metrics.stream_ended()
        if admitted is None:
            metrics.ended()
            return
        if admitted.probe and not self._judged:
            admitted.lane.breaker.give_back()
        if self.ledger is None:
            metrics.settled(outcome, self.busy_s)
            return
        row = self.ledger.row(request_id, outcome, gateway.now())
        metrics.settled(row.outcome, self.busy_s)
        if row.metered.facts is not None:
            metrics.tokens(row.metered.facts)
        if row.metered.estimated:
            metrics.usage_estimated()
        if row.metered.parse_error:
            metrics.usage_unread()
        if row.line is None:
            metrics.free_call()
        else:
            gateway.rows.put(row.line)
