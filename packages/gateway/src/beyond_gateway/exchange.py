"""ONE request, from its first byte to its settled usage row: joins a client's connection and a provider's.

    ADMIT ──refused──────────────────────────────────────────┐
      │ admitted                                              │
    COLLECT (a managed chat body, whole)                      │
      │ body complete                                         │
    CONNECT ◄──stale connection, nothing answered──┐          │
      │ connected                                  │          │
    RELAY ─────────────────────────────────────────┘          │
      │ response complete, cut, cancelled, timed out          │
    DONE: connection given back, one row written ◄────────────┘

Between the edges bytes go from one transport to the other with the tap looking on; decisions stand in pure modules
(`admit`, `usage_request`, `rewrite`, `meter`, `retry`). Every way out ends in `_settle`, which runs once.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from beyond_gateway import errors, headers, retry
from beyond_gateway.admit import BODY_CAP_BYTES
from beyond_gateway.errors import Refusal
from beyond_gateway.flow_control import FAR_SIDE_FULL, HIGH_WATER_BYTES, NOT_CONNECTED
from beyond_gateway.rewrite import edit_of, plan_response
from beyond_gateway.tally import Tally
from beyond_gateway.usage_request import ask_for_usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_gateway.admit import Admitted
    from beyond_gateway.asked import Asked
    from beyond_gateway.client_protocol import ClientConnection
    from beyond_gateway.framing import BodyReader
    from beyond_gateway.gateway import Gateway
    from beyond_gateway.head_rules import ResponseHead
    from beyond_gateway.ledger import Ledger
    from beyond_gateway.rewrite import Edit, Rewriter
    from beyond_gateway.settle import Outcome
    from beyond_gateway.upstream_protocol import UpstreamConnection

BODY_IDLE_S: Final = 60.0
"""Seconds between two pieces of a request body (gateway contract, relay), then 408."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Stage(Enum):
    """Where an exchange is; it only moves down, but for one retry from RELAY to CONNECT."""

    ADMIT = "admit"
    COLLECT = "collect"
    CONNECT = "connect"
    RELAY = "relay"
    DONE = "done"


# Names of the module: reading a member off its class costs five times as much, and every read asks.
_ADMIT, _COLLECT, _CONNECT, _RELAY, _DONE = Stage


class Exchange:
    """One request. Made by the client's connection; methods are called by both connections and by the clock."""

    __slots__ = (
        "_admitted",
        "_asked",
        "_attached_at",
        "_buffered",
        "_client",
        "_closes",
        "_collected",
        "_corked",
        "_ends_with_close",
        "_gateway",
        "_head_begun",
        "_head_out",
        "_hides_usage",
        "_ledger",
        "_length",
        "_look",
        "_quiet_s",
        "_received",
        "_replay",
        "_request_done",
        "_response",
        "_reused",
        "_rewriter",
        "_stage",
        "_started",
        "_tally",
        "_upstream",
        "request_id",
    )

    def __init__(self, gateway: Gateway, client: ClientConnection, asked: Asked, length: int) -> None:
        self.request_id = gateway.next_request_id()
        self._gateway = gateway
        self._client = client
        self._asked = asked
        self._length = length
        self._started = gateway.now()
        self._tally = Tally(gateway, self._started)
        self._stage = _ADMIT
        self._quiet_s = 0.0
        # What admission found, and the request on its way out.
        self._admitted: Admitted | None = None
        self._ledger: Ledger | None = None
        self._collected: list[bytes] = []
        self._buffered = 0
        self._received = 0
        self._request_done = length == 0
        self._corked = False
        self._hides_usage = False
        # The provider's side.
        self._upstream: UpstreamConnection | None = None
        self._replay: list[bytes] | None = []
        self._attached_at = 0.0
        self._reused = False
        # The response on its way back.
        self._response: ResponseHead | None = None
        self._rewriter: Rewriter | None = None
        self._look: Callable[[bytes], None] | None = None
        self._head_out = b""
        self._head_begun = 0.0
        self._closes = asked.head.wants_close
        self._ends_with_close = False

    # -- the client's side

    def begin(self, *, body_follows: bool) -> None:
        """Admit the request and set it on its way, or answer why not.

        `body_follows`: body bytes come in this very call of the event loop, so that head and body go out in one write.
        """
        self._corked = body_follows
        gateway, asked = self._gateway, self._asked
        begun = gateway.stopwatch()
        gateway.began()
        verdict = gateway.admit(asked, self._length, self._started)
        if isinstance(verdict, Refusal):
            self.refuse(verdict)
            return
        self._admitted = verdict
        self._ledger = self._tally.admitted(verdict, free=asked.free)
        if asked.head.expects_continue:
            self._client.write(_CONTINUE)
        if asked.holds_body and self._length:
            self._stage = _COLLECT
            self._corked = False
        else:
            self._open(verdict, self._length)
        self._tally.busy_s = gateway.stopwatch() - begun

    def request_trailers(self, lines: bytes) -> bytes:
        """Return the trailer fields of the request that go on: none under a pool key, where only listed fields do."""
        return headers.trailers(lines) if self._ledger is None else b""

    def response_trailers(self, lines: bytes) -> bytes:
        """Return the trailer fields of the response that go on."""
        pool_key = self._admitted.pool_key if self._admitted is not None else None
        return headers.trailers(lines, b"" if pool_key is None else pool_key.value)

    def request_bytes(self, raw: bytes, payload: list[bytes], *, done: bool) -> None:
        """Take the next piece of the request's body: `raw` in its framing, `payload` without it."""
        self._quiet_s = 0.0
        self._request_done = done
        ledger = self._ledger
        for piece in payload:
            self._received += len(piece)
        if self._received > BODY_CAP_BYTES:
            self.refuse(errors.BODY_TOO_LARGE)
            return
        if self._stage is _COLLECT:
            self._collect(payload, done=done)
            return
        if ledger is not None:
            for piece in payload:
                ledger.request_piece(piece)
        if done and ledger is not None:
            ledger.request_done()
        if raw or self._corked:
            self._send(raw)

    def client_left(self) -> None:
        """The client is gone: cancel at once and settle."""
        self._finish("client_cancelled")

    def client_writable(self, *, writable: bool) -> None:
        """Pass the client's back-pressure on to the provider."""
        self._quiet_s = 0.0
        if self._upstream is not None:
            self._upstream.valve.set(FAR_SIDE_FULL, stop=not writable)

    # -- the request, outwards

    def _hold(self, size: int) -> None:
        """Account for `size` bytes of a body held whole, against the budget of all such bodies."""
        more, self._buffered = size - self._buffered, size
        if not self._gateway.hold(more):
            self.refuse(errors.BUFFERS_FULL)

    def _collect(self, payload: list[bytes], *, done: bool) -> None:
        self._collected += payload
        self._hold(self._received)
        if not done or self._stage is not _COLLECT or self._admitted is None:
            return
        begun = self._gateway.stopwatch()
        body = self._collected[0] if len(self._collected) == 1 else b"".join(self._collected)
        self._collected = []
        if self._ledger is not None:
            self._ledger.request_body(body)
        ask = ask_for_usage(body)
        self._hides_usage = ask.hide_usage_event
        self._open(self._admitted, len(ask.body), ask.body)
        self._tally.busy_s += self._gateway.stopwatch() - begun

    def _open(self, admitted: Admitted, length: int, body: bytes = b"") -> None:
        """Write the head for the provider and find a connection to send it on."""
        asked = self._asked
        method = asked.head.method
        key = admitted.pool_key
        fixed = b"host: %b\r\n" % admitted.lane.provider.authority if key is None else key.head_lines
        framing = headers.request_framing(method, length)
        head = b"%b %b HTTP/1.1\r\n%b%b%b" % (method, asked.path, fixed, asked.fields, framing)
        self._stage = _CONNECT
        self._replay = [head, body] if body else [head]
        self._connect(admitted)

    def _connect(self, admitted: Admitted, *, fresh: bool = False) -> None:
        upstream = None if fresh else admitted.lane.idle.take()
        if upstream is not None:
            self.attach(upstream, reused=True)
            return
        self._gateway.dialer.dial(self, admitted.lane)

    @property
    def waits(self) -> bool:
        """Whether a connection is still wanted: the client may have left while it was being opened."""
        return self._stage is _CONNECT

    def attach(self, upstream: UpstreamConnection, *, reused: bool = False) -> None:
        """Send what there is of the request on `upstream`, which is this exchange's from now on."""
        self._stage = _RELAY
        self._quiet_s = 0.0
        self._upstream = upstream
        self._reused = reused
        self._attached_at = self._gateway.now()
        upstream.begin(self, head_request=self._asked.head.method == b"HEAD")
        self._client.valve.go(NOT_CONNECTED)
        if not self._corked:
            upstream.write(b"".join(self._replay or ()))
            self._replay = self._replay if reused else None
        if not self._client.writable:
            upstream.valve.stop(FAR_SIDE_FULL)

    def _send(self, raw: bytes) -> None:
        """Send a piece of the body on; keep a reference while it may have to be sent again, on another connection."""
        corked, self._corked = self._corked, False
        if self._replay is not None:
            self._replay.append(raw)
        if self._stage is _RELAY and self._upstream is not None:
            self._upstream.write(b"".join(self._replay or (raw,)) if corked else raw)
            if not self._reused or self._received > retry.KEPT_BYTES:
                self._replay = None
        elif self._received > HIGH_WATER_BYTES:
            self._client.valve.stop(NOT_CONNECTED)

    # -- the provider's side

    def dial_failed(self, refusal: Refusal) -> None:
        """No connection to the provider could be made, for the reason that `refusal` gives."""
        self.refuse(refusal)

    def upstream_writable(self, *, writable: bool) -> None:
        """Pass the provider's back-pressure on to the client."""
        self._quiet_s = 0.0
        self._client.valve.set(FAR_SIDE_FULL, stop=not writable)

    def informational(self, head: ResponseHead) -> None:
        """Pass a 1xx on, but for 100: the client got that at admission."""
        if head.status != 100 and self._asked.head.minor:
            if self._admitted is not None and self._admitted.pool_key is not None:
                head.overwrite(self._admitted.pool_key.value)
            self._client.write(headers.response(head, self.request_id, None, close=False))

    def response_head(self, head: ResponseHead, reader: BodyReader) -> None:
        """Send the provider's head to the client and make ready for its body."""
        self._quiet_s = 0.0
        self._head_begun = self._gateway.stopwatch()
        self._tally.responded(head.status, self._attached_at, stream=head.is_stream)
        self._response = head
        self._replay = None
        if self._buffered:
            self._hold(0)
        self._look = self._first_look
        pool_key = self._admitted.pool_key if self._admitted is not None else None
        edit: Edit | None = None
        if pool_key is not None and self._ledger is not None:
            encoding = head.values.get(b"content-encoding", b"").strip().decode("latin-1")
            self._ledger.response_head(head.status, sse=head.is_stream, encoding=encoding)
            head.overwrite(pool_key.value)
            edit = edit_of(head, encoding, pool_key.value, hides_usage=self._hides_usage)
        plan = plan_response(self._asked.head.minor, head, reader, edit)
        self._rewriter = plan.rewriter
        self._ends_with_close = plan.ends_with_close
        self._closes = self._closes or plan.ends_with_close or not self._request_done
        self._head_out = headers.response(head, self.request_id, plan.framing, close=self._closes)

    def send_head(self) -> None:
        """Send the response head alone: no byte of its body came in the same read."""
        self._write_head(b"")

    def response_bytes(self, raw: bytes, payload: list[bytes], *, done: bool) -> None:
        """Send a piece of the response on the moment it is there."""
        self._quiet_s = 0.0
        for piece in payload:
            if self._look is not None:
                self._look(piece)
        out = raw if self._rewriter is None else self._rewriter.feed(raw, payload)
        if self._head_out:
            self._write_head(out)
        elif out:
            self._client.write(out)
        if done:
            self._finish("ok")

    def _write_head(self, body: bytes) -> None:
        self._client.write(self._head_out + body)
        self._head_out = b""
        self._tally.busy_s += self._gateway.stopwatch() - self._head_begun

    def _first_look(self, piece: bytes) -> None:
        """Meet the first piece of the response body; further ones are for the tap alone."""
        now = self._gateway.now()
        self._tally.first_byte(now)
        self._look = None if self._ledger is None else self._ledger.first_response_piece(piece, now)

    def upstream_lost(self) -> None:
        """The provider's connection ended before its response did."""
        silent = self._upstream is not None and not self._upstream.has_answered
        self._upstream = None
        admitted = self._admitted
        if self._response is not None or admitted is None:
            self._finish("cut_short")
            return
        attempt = retry.Attempt(
            reused=self._reused and silent,
            held=self._replay is not None,
            seconds=self._gateway.now() - self._attached_at,
        )
        if retry.may_send_again(attempt):
            self._stage = _CONNECT
            # The connection that is gone may have been full; the next one says so itself.
            self._client.valve.go(FAR_SIDE_FULL)
            self._connect(admitted, fresh=True)
            return
        self.refuse(errors.UPSTREAM_FAILED)

    def upstream_broken(self) -> None:
        """The provider sent what is not HTTP."""
        if self._response is not None:
            self._finish("cut_short")
        else:
            self.refuse(errors.UPSTREAM_FAILED)

    # -- time

    def tick(self, seconds: float) -> None:
        """Called every `seconds`: end the exchange where whoever must move next has been quiet for too long."""
        self._quiet_s += seconds
        config = self._gateway.config
        if self._gateway.now() - self._started >= config.request_max_secs:
            self._time_out(errors.UPSTREAM_TIMED_OUT if self._request_done else errors.BODY_TIMED_OUT)
        elif not self._request_done and self._response is None and not self._client.valve.closed:
            if self._quiet_s >= BODY_IDLE_S:
                self._time_out(errors.BODY_TIMED_OUT)
        elif self._stage is _RELAY and self._upstream is not None:
            # A next request that waits for its turn stops the client too, and is no reason to hurry the provider.
            stalled = self._upstream.valve.closed or self._client.valve.closed_for(FAR_SIDE_FULL)
            limit = config.write_timeout_secs if stalled else config.read_timeout_secs
            if self._quiet_s >= limit:
                self._time_out(errors.UPSTREAM_TIMED_OUT)

    def _time_out(self, refusal: Refusal) -> None:
        if self._response is None:
            self.refuse(refusal, outcome="timeout")
        else:
            self._finish("timeout")

    # -- the ends

    def refuse(self, refusal: Refusal, outcome: Outcome = "upstream_error") -> None:
        """Answer with an error of the gateway's own, and settle."""
        if self._stage is _DONE:
            return
        if self._response is not None:
            # A second head in the middle of a body would be read as part of it.
            self._finish("client_cancelled")
            return
        if refusal.status < 500 and outcome != "timeout":
            outcome = "client_cancelled"
        self._tally.refused(self.request_id, refusal)
        self._closes = self._closes or refusal.status in (400, 408, 413) or self._asked.head.expects_continue
        self._let_upstream_go(reusable=False)
        self._settle(outcome)
        head_only = self._asked.head.method == b"HEAD"
        self._client.refuse(refusal, self.request_id, close=self._closes, head_only=head_only)

    def cut(self) -> None:
        """The gateway shuts down: end this exchange as it stands."""
        if self._response is None:
            self.refuse(errors.DRAINING, outcome="cut_short")
        else:
            self._finish("cut_short")

    def _finish(self, outcome: Outcome) -> None:
        """End an exchange whose response is complete (`ok`) or will never be."""
        if self._stage is _DONE:
            return
        whole = outcome == "ok"
        self._let_upstream_go(reusable=whole and self._request_done)
        self._settle(outcome)
        if whole:
            self._client.response_done(close=self._closes)
        else:
            # Where only the connection's end tells the body's, a clean end would pass for a whole body: reset it.
            self._client.abort(hard=outcome == "timeout" or self._ends_with_close)

    def _let_upstream_go(self, *, reusable: bool) -> None:
        """Give the provider's connection back once, or close it."""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.end(reusable=reusable)

    def _settle(self, outcome: Outcome) -> None:
        self._stage = _DONE
        if self._buffered:
            self._hold(0)
        self._tally.settle(self.request_id, outcome)
        self._gateway.settled()

    def __repr__(self) -> str:
        return f"<Exchange {self.request_id} {self._stage.name} received={self._received} upstream={self._upstream}>"
