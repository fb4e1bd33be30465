"""What an exchange tells the breaker and the metrics: whose failure it was, counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from exchanges import ASKED, CHAT_PATH, RESPONSE, RESPONSE_ASKED, RESPONSES_PATH, SSE_HEAD, STREAMED, json_answer, post
from playbook import BYO, Play

from beyond_gateway.metrics.cells import cell

if TYPE_CHECKING:
    from collections.abc import Callable

ONE: dict[str, Any] = {"circuit_breaker_threshold": 1, "read_timeout_secs": 20.0, "write_timeout_secs": 20.0}
TWO: dict[str, Any] = {**ONE, "circuit_breaker_threshold": 2}
ASK = post(RESPONSES_PATH, RESPONSE_ASKED)


def _answer(status: bytes) -> Callable[[Play], object]:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" % status
    return lambda play: play.upstream_sends(head)


def _unreachable(play: Play) -> None:
    play.gateway.reachable = False


def _leaves(play: Play) -> None:
    play.client_leaves()


def _cut_while_drained(play: Play) -> None:
    play.gateway.cut()
    play.run()


FAILURES: dict[str, Callable[[Play], object]] = {
    "500": _answer(b"500 Internal Server Error"),
    "529": _answer(b"529 Overloaded"),
    "silent until the timeout": lambda play: play.ticks(21),
    "dead before its head": lambda play: play.upstream_dies(),
    "no HTTP": lambda play: play.upstream_sends(b"SSH-2.0-x\r\n\r\n"),
}
NO_FAILURES: dict[str, Callable[[Play], object]] = {
    "429": _answer(b"429 Too Many Requests"),
    "400": _answer(b"400 Bad Request"),
    "200": lambda play: play.upstream_sends(json_answer(RESPONSE)),
    "a stream that is cut": lambda play: play.upstream_sends(SSE_HEAD).upstream_dies(),
    "a client that leaves": _leaves,
    "a shutdown": _cut_while_drained,
}


def _state(play: Play) -> str:
    return play.gateway.rules.lanes["openai"].breaker.state(play.clock)


def _end(play: Play) -> None:
    """Take what came out; what it was is looked at elsewhere."""
    play.client_rest()
    play.upstream_rest()
    play.finished = True


@pytest.mark.parametrize("key", [b"", BYO])
@pytest.mark.parametrize("name", FAILURES)
def test_a_provider_that_fails_is_told_to_its_breaker(name: str, key: bytes) -> None:
    """5xx, or no answer at all, under a managed key or the caller's own, is one failure."""
    ask = post(RESPONSES_PATH, RESPONSE_ASKED, key=key) if key else ASK
    for settings, wanted in ((ONE, "open"), (TWO, "closed")):
        with Play(**settings) as play:
            play.client_sends(ask).upstream_rest()
            FAILURES[name](play)
            assert _state(play) == wanted
            _end(play)


def test_a_provider_that_cannot_be_reached_is_one_failure() -> None:
    """Three tries to connect are one request that failed."""
    for settings, wanted in ((ONE, "open"), (TWO, "closed")):
        with Play(**settings) as play:
            _unreachable(play)
            play.client_sends(ASK)
            assert _state(play) == wanted
            _end(play)


@pytest.mark.parametrize("name", NO_FAILURES)
def test_what_is_not_the_providers_doing_is_no_failure(name: str) -> None:
    """Limits, client's mistakes, answers that came, clients that leave: the breaker stays closed."""
    with Play(**ONE) as play:
        play.client_sends(ASK).upstream_rest()
        NO_FAILURES[name](play)
        assert _state(play) == "closed"
        _end(play)


def test_a_client_that_stalls_is_no_failure() -> None:
    """A body that does not come ends in 408, which says nothing about the provider."""
    with Play(**ONE) as play:
        play.client_sends(post(RESPONSES_PATH, RESPONSE_ASKED)[:-5]).upstream_rest()
        play.ticks(61)
        assert _state(play) == "closed"
        _end(play)


@pytest.mark.parametrize("lost", ["leaves", "stalls"])
def test_a_probe_that_tells_nothing_is_given_back(lost: str) -> None:
    """The request that tries a resting provider may be lost to its client; then the next one tries."""
    with Play(**ONE) as play:
        play.client_sends(ASK).upstream_rest()
        play.upstream_dies().client_gets_error(502, "upstream failed after receiving the request")
        play.clock += 31
        if lost == "leaves":
            play.client_sends(ASK).upstream_rest()
            play.client_leaves()
        else:
            play.client_sends(ASK[:-5]).upstream_rest()
            play.ticks(61).client_rest()
        play.client_connects()
        play.client_sends(ASK).upstream_rest()
        play.upstream_sends(json_answer(RESPONSE))
        assert _state(play) == "closed"
        _end(play)


def test_a_full_row_queue_gives_the_probe_back() -> None:
    """A probe that is refused for a reason of ours leaves its place to the next request."""
    with Play(**ONE) as play:
        play.client_sends(ASK).upstream_rest()
        play.upstream_dies().client_rest()
        play.clock += 31
        vars(play.gateway.rows)["_limit"] = 0
        play.client_connects()
        play.client_sends(ASK).client_gets_error(503, "provider temporarily unavailable")
        vars(play.gateway.rows)["_limit"] = 100
        assert play.gateway.rules.lanes["openai"].breaker.ask(play.clock) == -1
        _end(play)


def test_the_metrics_tell_our_time_from_the_providers() -> None:
    """Latency and time to the first byte are the provider's; the overhead has none of its waiting."""
    with Play() as play:
        watch = iter(range(1_000_000))
        play.gateway.stopwatch = lambda: next(watch) / 1e6
        play.client_sends(post(CHAT_PATH, STREAMED)).upstream_rest()
        play.clock += 3
        play.upstream_sends(SSE_HEAD)
        play.clock += 4
        play.upstream_sends(b"5\r\ndata:\r\n")
        cells = play.gateway.cells
        provider = play.gateway.rules.lanes["openai"].index
        assert cells[cell("ai_active_streams")] == 1
        assert cells[cell("ai_upstream_latency_seconds") + 17 * provider + 16] == pytest.approx(3)
        assert cells[cell("ai_ttft_seconds") + 17 * provider + 16] == pytest.approx(7)
        play.client_leaves()
        assert cells[cell("ai_active_streams")] == 0
        overhead = cell("ai_gateway_overhead_seconds")
        assert 0 < cells[overhead + 12] < 1e-4
        assert sum(cells[overhead : overhead + 12]) == 1
        assert cells[cell("ai_outcomes_total", "client_cancelled")] == 1
        assert cells[cell("ai_usage_estimated_total")] == 1
        _end(play)


def test_an_answer_is_counted_with_its_tokens() -> None:
    """One request, one response of its class, its tokens, its end, and a row that is owed."""
    with Play() as play:
        play.client_sends(post(CHAT_PATH, ASKED)).upstream_rest()
        play.upstream_sends(json_answer(b'{"usage":{"prompt_tokens":9,"completion_tokens":4}}'))
        cells = play.gateway.cells
        provider = play.gateway.rules.lanes["openai"].index
        counted = {
            "ai_requests_total": cells[cell("ai_requests_total")],
            "2xx": cells[cell("ai_upstream_responses_total", "2xx") + 5 * provider],
            "input": cells[cell("ai_tokens_total", "input")],
            "output": cells[cell("ai_tokens_total", "output")],
            "ok": cells[cell("ai_outcomes_total", "ok")],
            "admitted": cells[cell("ai_managed_admitted_total")],
            "in flight": cells[cell("ai_requests_in_flight")],
        }
        assert counted == {
            "ai_requests_total": 1, "2xx": 1, "input": 9, "output": 4, "ok": 1, "admitted": 1, "in flight": 0,
        }  # fmt: skip
        _end(play)


def test_a_success_without_usage_is_counted() -> None:
    """A complete answer whose usage cannot be read is a parse error, for an operator to see."""
    with Play() as play:
        play.client_sends(post(CHAT_PATH, ASKED)).upstream_rest()
        play.upstream_sends(json_answer(b'{"choices":[]}'))
        assert play.gateway.cells[cell("ai_usage_parse_errors_total")] == 1
        _end(play)
