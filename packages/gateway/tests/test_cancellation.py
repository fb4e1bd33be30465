"""Every exchange ended at every edge, in every way: it is billed once, and nothing of it is left over."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import pytest
from exchanges import CHAT_PATH, NAMES, SHAPES, STREAMED, Shape, post
from playbook import Play

if TYPE_CHECKING:
    from collections.abc import Callable

HARD_END_S = 14_400.0


class End(NamedTuple):
    """A way out. `outcome` is the row's before the response's head came, and after it."""

    name: str
    play: Callable[[Play], object]
    outcome: tuple[str, str]
    needs_upstream: bool = False


def _time_is_over(play: Play) -> None:
    play.ticks(HARD_END_S)


def _provider_is_quiet(play: Play) -> None:
    play.ticks(600.0)


def _drain_and_cut(play: Play) -> None:
    play.gateway.drain()
    play.run()
    play.gateway.cut()
    play.run()


ENDS = [
    End("client leaves", Play.client_leaves, ("client_cancelled", "client_cancelled")),
    End("client resets", Play.client_resets, ("client_cancelled", "client_cancelled")),
    End("provider dies", Play.upstream_dies, ("upstream_error", "cut_short"), needs_upstream=True),
    End("provider ends", Play.upstream_ends, ("upstream_error", "cut_short"), needs_upstream=True),
    End("time is over", _time_is_over, ("timeout", "timeout")),
    End("provider is quiet", _provider_is_quiet, ("timeout", "timeout"), needs_upstream=True),
    End("shutdown", _drain_and_cut, ("cut_short", "cut_short")),
]

LEAVES = ENDS[1]


def edges(data: bytes) -> list[bytes]:
    """`data` in pieces, cut around its head's end, its middle and its own end."""
    body = data.index(b"\r\n\r\n") + 4
    middle = (body + len(data)) // 2
    places = {0, 5, body - 2, body, body + 1, middle, middle + 1, len(data) - 4, len(data) - 1, len(data)}
    return [data[start:stop] for start, stop in pairwise(sorted(places))]


def expected(shape: Shape, end: End, request: int, response: int) -> str:
    """The outcome of `shape` ended after so many bytes of each side."""
    head = shape.response.index(b"\r\n\r\n") + 4
    if response == len(shape.response) and (not shape.ends or end.name == "provider ends"):
        return "ok"
    if shape.ends and end.name == "provider ends" and response >= head:
        return "ok"
    if request < len(shape.request) and end.name == "provider is quiet":
        return "timeout"
    return end.outcome[response >= head]


def play_until(play: Play, steps: list[tuple[str, bytes]]) -> tuple[int, int]:
    """Deliver `steps`; return how many bytes each side has sent."""
    sent = {"client": 0, "provider": 0}
    for side, piece in steps:
        sent[side] += len(piece)
        if side == "client":
            play.client_sends(piece)
        else:
            play.upstream_sends(piece)
    return sent["client"], sent["provider"]


@pytest.mark.parametrize("warm", [None, "openai"], ids=["fresh", "kept"])
@pytest.mark.parametrize("end", ENDS, ids=[end.name for end in ENDS])
@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_every_end_at_every_edge_leaves_nothing_over(shape: Shape, end: End, warm: str | None) -> None:
    """One row for a managed request, gauges at zero, connections reusable or closed, no write after a close."""
    steps = [("client", piece) for piece in edges(shape.request)]
    steps += [("provider", piece) for piece in edges(shape.response)]
    head = shape.request.index(b"\r\n\r\n") + 4
    for edge in range(len(steps) + 1):
        with Play(warm=warm) as play:
            request, response = play_until(play, steps[:edge])
            running = play.gateway.in_flight == 1
            assert running is (request >= head and (response < len(shape.response) or shape.ends))
            way = LEAVES if end.needs_upstream and not play.busy else end
            way.play(play)
            outcome = expected(shape, way, request, response)
            if play.gateway.in_flight:
                # A kept connection that died silent: the request is on a fresh one, and dies with that.
                assert warm
                assert response == 0
                way.play(play)
            assert play.gateway.in_flight == 0
            if running and outcome != "ok":
                assert all(line.is_closing() for line in play.gateway.lines if len(line.out))
            settled(play, shape, outcome, begun=request >= head)
            if not play.client.is_closing():
                play.client_sends(*(piece for side, piece in steps[edge:] if side == "client"))
                play.client_resets()
            settled(play, shape, outcome, begun=request >= head)
            play.client_rest()
            play.upstream_rest()


def settled(play: Play, shape: Shape, outcome: str, *, begun: bool) -> None:
    """The first exchange has its one row, with its outcome, and nothing is left over."""
    play.balanced()
    rows = play.rows()[:1] if begun else []
    assert [row["outcome"] for row in rows] == ([outcome] if begun and shape.managed else [])


@pytest.mark.parametrize("end", [end for end in ENDS if not end.needs_upstream], ids=lambda end: end.name)
@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_an_end_while_dialling_sends_nothing_and_keeps_the_connection(shape: Shape, end: End) -> None:
    """An exchange that ends before it is connected is sent nowhere; its connection waits for the next one."""
    with Play() as play:
        play.gateway.reachable = None
        play.client_sends(shape.request)
        assert len(play.gateway.dialling) == 1
        end.play(play)
        settled(play, shape, end.outcome[0], begun=True)
        play.dialling_ends(reachable=True).upstream_gets().client_rest()
        assert not play.gateway.dialling
        settled(play, shape, end.outcome[0], begun=True)
        play.idle(0 if play.gateway.draining else 1)


def test_a_client_that_stops_in_its_body_gets_408() -> None:
    """60 seconds without a byte of the body end the request, counted from its last byte."""
    request = post(CHAT_PATH, STREAMED)
    with Play() as play:
        play.client_sends(request[:-9]).ticks(59.0).client_sends(request[-9:-5]).ticks(59.0).client_gets()
        play.ticks(1.0).client_gets_error(408, "request body timed out").one_row(outcome="timeout")
        play.ticks(2.0).client_closes()


def test_a_client_that_stops_in_its_head_gets_408() -> None:
    """30 seconds of an unfinished head end the connection; no exchange has begun."""
    with Play() as play:
        play.client_sends(b"POST /openai/v1").ticks(29.0).client_gets().ticks(1.0)
        play.client_gets_error(408, "request body timed out").ticks(2.0).client_closes().no_row()


def test_a_client_that_says_nothing_is_closed_in_its_time() -> None:
    """An idle connection is closed after `idle_timeout_secs`, on either side."""
    with Play(warm="openai") as play:
        play.ticks(89.0).client_stays().idle(1).ticks(1.0).client_closes().idle(0).client_gets().no_row()


def test_a_slow_head_is_not_given_more_time_by_trickling() -> None:
    """The 30 seconds run from a head's first byte, whatever comes after it."""
    with Play() as play:
        for byte in b"POST /openai/":
            play.client_sends(bytes([byte])).ticks(3.0)
        play.client_gets_error(408, "request body timed out").no_row()


def test_the_time_for_a_head_begins_with_its_first_byte() -> None:
    """Seconds that a kept connection was idle before do not count against its next head."""
    request = SHAPES[0].request
    with Play() as play:
        play.ticks(40.0).client_sends(request[:20]).ticks(0.25).client_gets().client_sends(request[20:])
        play.upstream_rest()
        play.upstream_sends(SHAPES[0].response).client_rest()
        play.one_row(outcome="ok")


def test_a_stalled_client_times_out_after_the_write_timeout() -> None:
    """A client that reads nothing stops the provider, and ends the exchange in `write_timeout_secs`."""
    shape = SHAPES[2]
    with Play() as play:
        play.client_sends(shape.request).upstream_sends(shape.response[:-30])
        play.client.peer_stalls()
        assert not play.line.reading
        play.ticks(59.0).client_stays().ticks(1.0).client_closes().one_row(outcome="timeout")
        play.client_rest()
        play.upstream_rest()


def test_both_sides_fall_silent_in_an_early_answer() -> None:
    """A provider that answers before the body is whole, and then says no more, is cut when its time is over."""
    request = post(b"/openai/v1/responses", b"x" * 100)
    with Play() as play:
        play.client_sends(request[:-9])
        play.upstream_sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").ticks(599.0)
        play.client_stays().ticks(1.0).client_closes().upstream_closes().one_row(outcome="timeout")
        play.client_rest()
        play.upstream_rest()


def test_a_body_that_trickles_for_ever() -> None:
    """A client that is still sending when the whole exchange's time is over is told that its body took too long."""
    request = post(CHAT_PATH, b"x" * 100)
    with Play(request_max_secs=100.0) as play:
        play.client_sends(request[:-9]).ticks(50.0).client_sends(request[-9:-5]).ticks(50.0)
        play.client_gets_error(408, "request body timed out").one_row(outcome="timeout")
