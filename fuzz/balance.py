"""What must be true of a free play: after every move, for every client's bytes, and when all have left."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
from playbook import BYO, POOL

from beyond_gateway.guards.breaker import PROBE
from beyond_gateway.ledger import KEPT_PROMPTS_BYTES
from beyond_gateway.metrics.cells import cell
from beyond_gateway.metrics.table import OUTCOMES
from fuzz import oracle
from fuzz.free_play import LIFETIME_S, last_number

if TYPE_CHECKING:
    from fuzz.client_view import Response
    from fuzz.free_play import FreePlay, Peer, Told

_REQUEST_LINE = re.compile(rb"[A-Z]+ /v1/[a-z/]+\?m=([0-9]+) HTTP/1\.1\r\n")
_OWN_STATUSES = {
    "upstream_error": {502, 503},
    "timeout": {408, 504},
    "client_cancelled": {400, 413},
    "cut_short": {503},
}
"""What the gateway itself may have answered where a row has that outcome; `ok` it never answers itself."""


def check(play: FreePlay) -> None:
    """Look at everything that must hold between two moves."""
    gateway = play.gateway
    busy = play.busy
    assert gateway.in_flight == gateway.begun - gateway.ended
    assert gateway.in_flight <= len(gateway.clients)
    assert len(busy) <= gateway.in_flight
    assert gateway.in_flight or not gateway.buffered_bytes
    assert gateway.buffered_bytes >= 0
    assert 0 <= gateway.prompts.room <= KEPT_PROMPTS_BYTES
    assert 0 <= len(play.admitted) - len(play.rows()) <= gateway.in_flight
    if not gateway.in_flight:
        play.balanced()
        assert gateway.prompts.room == KEPT_PROMPTS_BYTES
        _probes_are_back(play)
    play.clean()
    idle = [line for lane in gateway.rules.lanes.values() for line in lane.idle.idle()]
    assert not set(idle) & {line.protocol for line in busy}, "in the pool and in use"
    assert len(set(idle)) == len(idle)
    for line in play.gateway.lines:
        assert line.protocol not in idle or _whole_requests(bytes(line.out)), "half a request waits in the pool"
    _reading(play)


def _reading(play: FreePlay) -> None:
    """Reading is stopped for a reason only, on either side."""
    waits = bool(play.gateway.in_flight and play.gateway.dialling) or any(line.stalled for line in play.busy)
    for peer in play.open_peers:
        assert peer.wire.reading is not peer.connection.valve.closed
        assert peer.wire.reading or waits or "waiting=0" not in repr(peer.connection), "a client waits for nothing"
    for line in play.busy:
        if last_number(line) and not line.is_closing():
            assert line.reading is not play.asked[last_number(line)][0].wire.stalled


def check_end(play: FreePlay) -> None:
    """Look at a play that is over: every byte that came out, and every row."""
    play.balanced()
    assert not play.gateway.clients
    assert not play.gateway.upstreams
    rows = {row["request_id"]: row for row in play.rows()}
    assert len(rows) == len(play.rows())
    assert sorted(rows) == sorted(play.admitted)
    _counted(play)
    answered: dict[str, Response] = {}
    for peer in play.peers:
        for request_id, response in _answered(play, peer).items():
            assert request_id not in answered, "two answers to one request"
            answered[request_id] = response
    for request_id, row in rows.items():
        _row_fits(row, answered.get(request_id))
    _sent_once(play)


def _counted(play: FreePlay) -> None:
    """Gauges are at zero, every admitted request has an outcome and its row, and no breaker waits for a lost probe."""
    cells = vars(play.gateway)["_slots"][0]
    for gauge in ("ai_requests_in_flight", "ai_active_streams", "ai_buffered_bytes"):
        assert cells[cell(gauge)] == 0.0, gauge
    assert cells[cell("ai_managed_admitted_total")] == len(play.admitted)
    assert cells[cell("ai_requests_total")] >= play.gateway.begun
    assert sum(cells[cell("ai_outcomes_total", outcome)] for outcome in OUTCOMES) >= len(play.admitted)


def _probes_are_back(play: FreePlay) -> None:
    """Where nobody is served no probe is out: the next request may try a provider that has failed."""
    for lane in play.gateway.rules.lanes.values():
        if lane.breaker.state(play.clock) == "half-open":
            assert lane.breaker.ask(play.clock) == PROBE, "a probe is lost"
            lane.breaker.give_back()


def _answered(play: FreePlay, peer: Peer) -> dict[str, Response]:
    """Look at all that a client got; return its responses by request id."""
    assert POOL not in peer.wire.out, "a client gets the pool key"
    found: dict[str, Response] = {}
    seen = play.view(peer)
    for number, response in enumerate(seen):
        asked = peer.asks[number]
        request_id = response.field(b"x-beyond-request-id")
        assert request_id is not None
        found[request_id.decode()] = response
        marker = response.field(b"x-marker")
        if response.whole is False or (response.whole is None and peer.wire.aborted):
            assert number == len(seen) - 1
            assert peer.wire.lost, "a truncated response is left standing"
        if marker is None:
            _own_answer(response, asked.method)
            continue
        assert int(marker) == asked.number, "the answer to another request"
        wanted = [told.answer for (_, of), told in play.told.items() if of == asked.number]
        bodies = [answer.for_client(asked) for answer in wanted]
        whole = response.whole or (response.whole is None and not peer.wire.aborted and not peer.left)
        if whole and not any(answer.closes for answer in wanted):
            good = [body for body, answer in zip(bodies, wanted, strict=True) if answer.good]
            assert response.payload in good, "a response looks whole and is not"
        else:
            assert any(body.startswith(response.payload) for body in bodies), "other bytes than the provider's"
    return found


def _own_answer(response: Response, method: bytes) -> None:
    if response.field(b"content-type") == b"application/json":
        assert response.whole
        assert method == b"HEAD" or set(msgspec.json.decode(response.payload)) == {"error"}


def _row_fits(row: dict[str, Any], response: Response | None) -> None:
    """Look at whether a row's outcome is one that its client's bytes allow."""
    outcome = row["outcome"]
    assert row["latency_ms"] <= (LIFETIME_S + 301.0) * 1000
    if response is None:
        assert outcome != "ok"
    elif response.field(b"x-marker") is None:
        assert response.status in _OWN_STATUSES.get(outcome, ()), (outcome, response.status)
        assert "upstream_status" not in row
    else:
        assert row["upstream_status"] == response.status
        assert not (outcome == "ok" and (response.whole is False or response.status >= 400))
        assert outcome in ("ok", "upstream_error") or response.whole is not True


def _whole_requests(out: bytes) -> bool:
    """Look at what a provider reads: one request behind the other. Return whether the last one is whole."""
    at = 0
    while at < len(out):
        assert _REQUEST_LINE.match(out, at), "a request begins inside another one's body"
        end = out.index(b"\r\n\r\n", at) + 4
        names = dict(oracle.fields(out[at:end]))
        if b"transfer-encoding" in names:
            chunks = oracle.chunked(out[end:])
            if chunks is None:
                return False
            at = end + chunks.stop
        else:
            at = end + int(names.get(b"content-length", b"0"))
    return at == len(out)


def _sent_once(play: FreePlay) -> None:
    """A request goes to a second connection only where the first has said nothing; keys go where they belong."""
    sent: defaultdict[int, list[int]] = defaultdict(list)
    for index, line in enumerate(play.gateway.lines):
        out = bytes(line.out)
        assert b"bai_v" not in out, "a provider gets a managed key"
        _whole_requests(out)
        last: Told | None = None
        for match in _REQUEST_LINE.finditer(out):
            number = int(match[1])
            head = out[match.start() : out.index(b"\r\n\r\n", match.start())]
            managed = play.asked[number][1].managed
            assert (POOL in head, BYO in head) == (managed, not managed)
            told = play.told.get((index, number))
            assert last is None or not last.answer.last, "a connection is used beyond its last answer"
            last = told
            sent[number].append(index)
    for number, places in sent.items():
        assert len(places) <= 2, "a request is sent more than twice"
        for index in places[:-1]:
            told = play.told.get((index, number))
            assert told is None or not told.heard, "a request that was answered is sent again"
