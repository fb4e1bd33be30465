"""Budgets and further attempts: decided from numbers alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent_core.errors import ConfigError, RunFault
from beyond_agent_core.limits import Limits, Prices, Used, message_of
from beyond_agent_core.retry import Counts, RetryPolicy, next_attempt
from beyond_wire.types import TokenUsage


@pytest.mark.parametrize(
    ("given_limits", "field"),
    [
        ({"max_steps": 0}, "max_steps"),
        ({"max_steps": "3"}, "max_steps"),
        ({"max_tokens_total": True}, "max_tokens_total"),
        ({"max_seconds": float("nan")}, "max_seconds"),
        ({"max_cost": 1.0}, "max_cost"),
        ({"max_cost": 1.0, "prices": Prices(input=float("nan"), output=1)}, "prices"),
        ({"max_cost": 1.0, "prices": Prices(input=1, output=-1)}, "prices"),
    ],
)
def test_a_limit_that_is_none_is_refused_when_it_is_made(given_limits: dict[str, Any], field: str) -> None:
    """Zero, no number, and a price limit without prices."""
    with pytest.raises(ConfigError, match=f"{field}: ") as told:
        Limits(**given_limits)
    assert told.value.field == field


def test_the_first_limit_in_the_order_is_the_one_that_is_told() -> None:
    """Steps before seconds before tokens before money; just below, none."""
    limits = Limits(max_steps=2, max_seconds=5, max_tokens_total=10, max_cost=1, prices=Prices(input=1, output=1))
    hit = limits.crossed(Used(steps=2, seconds=9, tokens=99, cost=9))
    assert hit is not None
    assert message_of(hit) == "reached max steps (2) without completion"
    assert limits.crossed(Used(steps=1, seconds=4.9, tokens=9, cost=0.9)) is None


def test_prices_tell_the_kinds_of_tokens_apart() -> None:
    """A million of each; the hour's part of a cache write has its own price."""
    million = 1_000_000
    usage = TokenUsage(
        input_tokens=million,
        output_tokens=million,
        cache_read_tokens=million,
        cache_write_tokens=2 * million,
        cache_write_1h_tokens=million,
    )
    prices = Prices(input=1, output=10, cache_read=0.1, cache_write=1.25, cache_write_1h=2)
    assert prices.cost(usage) == pytest.approx(14.35)


FAULT = RunFault(code="http_status", message="503", transient=True)


def test_a_wait_is_at_least_what_the_provider_asks_for() -> None:
    """Its own figure with jitter on top, never below; above a minute it is a no."""
    for asked, chance, wanted in ((7.0, 0.0, 7.0), (7.0, 1.0, 8.75), (0.1, 0.0, 0.25)):
        fault = RunFault(code="http_status", message="", transient=True, retry_after=asked)
        retry = next_attempt(fault, Counts(), chance)
        assert retry is not None
        assert retry.seconds == wanted
    assert next_attempt(RunFault(code="http_status", message="", transient=True, retry_after=61), Counts(), 0.0) is None


def test_a_policy_sets_how_often_and_how_long() -> None:
    """Retries of a kind within a round, and the first of their waits; with none at all there is no round either."""
    counts, policy = Counts(), RetryPolicy(max_retries=2, base_delay_s=0.1)
    retries = [next_attempt(FAULT, counts, 0.0, policy) for _ in range(3)]
    seen = [(retry.phase, retry.attempt, retry.most, retry.seconds) for retry in retries if retry]
    assert seen == [("connect", 1, 2, 0.1), ("connect", 2, 2, 0.2), ("round", 1, 3, 2.0)]
    assert next_attempt(FAULT, Counts(), 0.0, RetryPolicy(max_retries=0)) is None


def test_the_two_kinds_count_apart() -> None:
    """A stream that broke after its first byte has attempts of its own, with shorter waits at most."""
    counts = Counts()
    started = RunFault(code="stream_truncated", message="", transient=True, started=True)
    seen = [next_attempt(fault, counts, 0.0) for fault in (FAULT, started, FAULT, started)]
    assert [(retry.phase, retry.attempt) for retry in seen if retry] == [
        ("connect", 1),
        ("stream", 1),
        ("connect", 2),
        ("stream", 2),
    ]


@given(st.lists(st.booleans(), max_size=60), st.floats(0, 1))
def test_a_turn_makes_a_bounded_number_of_requests(kinds: list[bool], chance: float) -> None:
    """Whatever fails in whatever order: at most 28 requests, at most 30 s and its jitter between two."""
    counts, requests = Counts(), 1
    for started in kinds:
        fault = RunFault(code="http_status", message="", transient=True, started=started)
        retry = next_attempt(fault, counts, chance)
        if retry is None:
            break
        assert 0 < retry.seconds <= 30 * 1.25
        requests += 1
    assert requests <= 28
