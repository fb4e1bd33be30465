"""A client, a provider and the clock in any order: whatever they do, the exchange balances."""

from __future__ import annotations

from exchanges import RESPONSES_PATH, SHAPES, json_answer, post
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from playbook import BYO, Play

LONG = b'{"model":"m","input":"' + b"x" * 200_000 + b'"}'
REQUESTS = [
    *(shape.request for shape in SHAPES if b" HTTP/1.1" in shape.request),
    post(RESPONSES_PATH, LONG),
    post(RESPONSES_PATH, LONG, key=BYO, chunks=True),
]
ANSWERS = [shape.response for shape in SHAPES] + [json_answer(b"y" * 90_000), b"HTTP/1.1 204 No Content\r\n\r\n"]
sizes = st.sampled_from([1, 7, 60, 200, 70_000, 300_000])


class ExchangeMachine(RuleBasedStateMachine):
    """Moves of both peers at any time; the invariants hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.play = Play(request_max_secs=300.0).__enter__()
        self.asked = b""
        self.answers: dict[int, bytes] = {}

    def teardown(self) -> None:
        play = self.play
        try:
            play.gateway.drain()
            play.run()
            play.gateway.cut()
            play.run()
            for client in play.clients:
                client.peer_resets() if not client.lost else None
            play.run().balanced()
            assert not play.gateway.clients
            assert not play.gateway.upstreams
            play.client_rest()
            play.upstream_rest()
        finally:
            play.__exit__(None, None, None)

    @initialize(reachable=st.sampled_from([True, None]))
    def network_is(self, reachable: bool | None) -> None:  # noqa: FBT001 - hypothesis passes by keyword
        self.play.gateway.reachable = reachable

    @rule(request=st.integers(0, len(REQUESTS) - 1), size=sizes)
    def client_sends(self, request: int, size: int) -> None:
        self.asked = self.asked or REQUESTS[request]
        if not self.play.client.is_closing():
            self.play.client_sends(self.asked[:size])
            self.asked = self.asked[size:]

    @rule(answer=st.integers(0, len(ANSWERS) - 1), size=sizes)
    def upstream_sends(self, answer: int, size: int) -> None:
        for line in self.play.busy[:1]:
            rest = self.answers.get(id(line)) or ANSWERS[answer]
            self.answers[id(line)] = rest[size:]
            line.peer_sends(rest[:size])
            self.play.run()

    @rule(stalls=st.booleans())
    def client_reads(self, *, stalls: bool) -> None:
        client = self.play.client
        client.peer_stalls() if stalls else client.peer_catches_up()
        self.play.run()

    @rule(stalls=st.booleans())
    def upstream_reads(self, *, stalls: bool) -> None:
        for line in self.play.gateway.lines:
            line.peer_stalls() if stalls and line in self.play.busy else line.peer_catches_up()
        self.play.run()

    @rule(seconds=st.sampled_from([0.25, 1.5, 20.0, 61.0, 301.0]))
    def time_passes(self, seconds: float) -> None:
        self.play.ticks(seconds)

    @rule(resets=st.booleans())
    def client_goes(self, *, resets: bool) -> None:
        if not self.play.client.lost:
            self.play.client_resets() if resets else self.play.client_leaves()

    @precondition(lambda self: self.play.client.is_closing())
    @rule()
    def client_connects(self) -> None:
        self.asked = b""
        self.play.client_connects()

    @rule(resets=st.booleans())
    def upstream_goes(self, *, resets: bool) -> None:
        for line in [line for line in self.play.gateway.lines if not line.lost][:1]:
            line.peer_resets() if resets else line.peer_ends()
        self.play.run()

    @rule(reachable=st.sampled_from([True, True, None, False]))
    def network_changes(self, reachable: bool | None) -> None:  # noqa: FBT001 - hypothesis passes by keyword
        self.play.gateway.dialled.clear()
        self.play.gateway.reachable = reachable

    @precondition(lambda self: self.play.gateway.dialling)
    @rule(reachable=st.booleans())
    def dialling_ends(self, *, reachable: bool) -> None:
        self.play.dialling_ends(reachable=reachable)

    @invariant()
    def gauges_balance(self) -> None:
        gateway = self.play.gateway
        assert gateway.in_flight == gateway.begun - gateway.ended
        assert gateway.in_flight <= len(gateway.clients)
        assert gateway.in_flight or not (gateway.buffered_bytes or self.play.busy)
        assert 0 <= gateway.billable - len(self.play.rows()) <= gateway.in_flight
        if not gateway.in_flight:
            self.play.balanced()

    @invariant()
    def transports_are_used_by_their_rules(self) -> None:
        self.play.clean()

    @invariant()
    def reading_is_stopped_by_a_reason_only(self) -> None:
        play = self.play
        if play.client.is_closing():
            return
        assert play.client.reading is not play.connection.valve.closed
        waits = bool(play.gateway.in_flight and play.gateway.dialling) or any(line.stalled for line in play.busy)
        pipelined = "waiting=0" not in repr(play.connection)
        if not waits and not pipelined:
            assert play.client.reading
        for line in play.busy:
            assert line.reading is not play.client.stalled


TestExchange = ExchangeMachine.TestCase
TestExchange.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
