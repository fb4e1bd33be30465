"""When a request goes out a second time, as a table."""

from __future__ import annotations

from itertools import product

import pytest

from beyond_gateway.retry import CONNECT_ATTEMPTS, STALE_WITHIN_S, Attempt, may_send_again


@pytest.mark.parametrize(
    ("reused", "held", "attempts", "seconds"), list(product([True, False], [True, False], [0, 1, 2], [0.0, 1.0, 1.001]))
)
def test_only_a_stale_connection_is_replaced(*, reused: bool, held: bool, attempts: int, seconds: float) -> None:
    """One case of all: a reused connection, lost within a second, the request held whole, and not yet repeated."""
    again = may_send_again(Attempt(reused=reused, held=held, attempts=attempts, seconds=seconds))
    assert again is ((reused, held, attempts) == (True, True, 0) and seconds <= STALE_WITHIN_S)


def test_connecting_is_tried_three_times() -> None:
    """One try and two more, as the contract has it."""
    assert CONNECT_ATTEMPTS == 3
