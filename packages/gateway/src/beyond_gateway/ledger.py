"""What one managed request cost: looks on while bytes pass, and turns what it saw into the usage row.

Nothing here delays a byte or holds a body: the request is kept by reference while that is cheap (`request_scan`), the
response as its head and tail (`tap`), and everything is read once, at the end (`meter`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_gateway.meter import Metered, meter
from beyond_gateway.request_scan import HELD_BYTES, RequestScan
from beyond_gateway.settle import Outcome, UsageFields, UsageLine, encode
from beyond_gateway.tap import Tap
from beyond_gateway.wall_clock import rfc3339
from beyond_wire import prompt_text_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_gateway.managed_key import Identity
    from beyond_gateway.route import Route

KEPT_PROMPTS_BYTES: Final = 64 * 1024 * 1024
"""Prompts that a worker's open streams keep in memory, all together: those of 800 coding agents at 80 KB each."""
COUNTED_PROMPT_BYTES: Final = 64 * 1024
"""Bytes of a prompt whose text is counted where it is not kept: two milliseconds' work at most."""

_NOTHING: Final = Metered(facts=None, model=None, estimated=False, error_event=False, parse_error=False)


class Row(NamedTuple):
    """The end of one account: the row as its line, None for a free call whose provider reported no usage."""

    line: bytes | None
    outcome: Outcome
    metered: Metered


class PromptBudget:
    """Room for the prompts of open streams, which only a cut stream needs again.

    Counting a prompt's text takes up to 3 ms for the 80 KB of a coding agent, as much as twenty small requests, and
    nearly every stream ends with its usage. So prompts are kept by reference, within a bound, and counted when a stream
    is cut; without room their beginning is counted at once and the bytes are let go.
    """

    __slots__ = ("room",)

    def __init__(self, room: int = KEPT_PROMPTS_BYTES) -> None:
        self.room = room

    def take(self, size: int) -> bool:
        """Return whether `size` bytes may be kept; whoever keeps them gives them back."""
        if size > self.room:
            return False
        self.room -= size
        return True

    def give_back(self, size: int) -> None:
        """End the keeping of `size` bytes."""
        self.room += size


class Ledger:
    """One managed request's facts. Times are monotonic seconds."""

    __slots__ = (
        "_first_byte_at",
        "_free",
        "_identity",
        "_kept",
        "_prompt_bytes",
        "_prompts",
        "_received",
        "_route",
        "_scan",
        "_started",
        "_status",
        "_tap",
        "stream",
    )

    def __init__(self, route: Route, identity: Identity, started: float, prompts: PromptBudget, *, free: bool) -> None:
        self._free = free
        self._prompts = prompts
        self._kept = 0
        self._route = route
        self._identity = identity
        self._started = started
        self._scan = RequestScan()
        self._received = 0
        self._prompt_bytes: int | None = None
        self._tap: Tap | None = None
        self._status: int | None = None
        self._first_byte_at: float | None = None
        self.stream = False

    def request_piece(self, piece: bytes) -> None:
        """Look at a piece of the request body."""
        self._received += len(piece)
        if self._received > HELD_BYTES and self._prompt_bytes is None:
            # Too long to be kept, and too long to be counted whole while others wait: its beginning is a lower bound.
            self._prompt_bytes = prompt_text_bytes((self._scan.held() or b"")[:COUNTED_PROMPT_BYTES])
        self._scan.feed(piece)

    def request_body(self, body: bytes) -> None:
        """Look at a whole request body, which was collected elsewhere."""
        self._received = len(body)
        if self._received > HELD_BYTES:
            self._prompt_bytes = prompt_text_bytes(body[:COUNTED_PROMPT_BYTES])
        self._scan.take(body)

    def request_done(self) -> None:
        """Read the model out of the body, whose last piece has passed."""
        self._scan.finish()

    def response_head(self, status: int, *, sse: bool, encoding: str) -> None:
        """Make ready for the response."""
        self._status = status
        self.stream = sse
        self._tap = Tap(dialect=self._route.dialect, sse=sse, encoding=encoding)

    def first_response_piece(self, piece: bytes, now: float) -> Callable[[bytes], None]:
        """Look at the first piece of the response body; return what looks at the others."""
        self._first_byte_at = now
        tap = self._tap
        if tap is None:
            raise RuntimeError("a response body without a head")
        if self.stream and self._prompt_bytes is None:
            self._keep_prompt(piece)
        tap.feed(piece)
        return tap.feed

    def _keep_prompt(self, first: bytes) -> None:
        """Keep the prompt while the stream runs, or count it, or neither: Anthropic's first event tells the input."""
        if self._route.dialect == "anthropic" and first.find(b'"message_start"') >= 0:
            self._prompt_bytes = 0
        elif self._prompts.take(self._received):
            self._kept = self._received
            return
        else:
            self._prompt_bytes = prompt_text_bytes((self._scan.held() or b"")[:COUNTED_PROMPT_BYTES])
        self._scan.release()

    def _prompt_text_bytes(self) -> int:
        if self._prompt_bytes is None:
            self._prompt_bytes = prompt_text_bytes(self._scan.held() or b"")
        return self._prompt_bytes

    def row(self, request_id: str, outcome: Outcome, now: float) -> Row:
        """Return the usage row, and what it says in numbers. For once, at the end."""
        metered = self._meter(complete=outcome == "ok")
        self._prompts.give_back(self._kept)
        self._kept = 0
        if outcome == "ok" and (metered.error_event or (self._status or 0) >= 400):
            outcome = "upstream_error"
        if self._free and metered.facts is None:
            return Row(None, outcome, metered)
        line = encode(UsageLine(timestamp=rfc3339(), fields=self._fields(request_id, outcome, metered, now)))
        return Row(line, outcome, metered)

    def _meter(self, *, complete: bool) -> Metered:
        if self._tap is None or self._status is None:
            return _NOTHING
        return meter(
            self._tap,
            status=self._status,
            complete=complete,
            prompt_bytes=self._prompt_text_bytes,
            free=self._free,
        )

    def _fields(self, request_id: str, outcome: Outcome, metered: Metered, now: float) -> UsageFields:
        asked = self._scan.finish()
        facts = metered.facts
        fields = UsageFields(
            message="usage",
            request_id=request_id,
            tenant_id=self._identity.tenant,
            vpc_id=self._identity.vpc,
            key_id=self._identity.key_id,
            provider=self._route.provider.name,
            model=metered.model or asked.model,
            requested_model=asked.model,
            stream=self.stream or asked.stream,
            latency_ms=_ms(now - self._started),
            ttft_ms=None if self._first_byte_at is None else _ms(self._first_byte_at - self._started),
            upstream_status=self._status,
            outcome=outcome,
            usage_estimated=metered.estimated,
        )
        if facts is not None:
            fields.input_tokens = facts.input_tokens
            fields.output_tokens = facts.output_tokens
            fields.cache_read_tokens = facts.cache_read_tokens
            fields.cache_write_tokens = facts.cache_write_tokens
            fields.cache_write_1h_tokens = facts.cache_write_1h_tokens
            fields.reasoning_tokens = facts.reasoning_tokens
            fields.usage_wire = facts.wire
        return fields


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
