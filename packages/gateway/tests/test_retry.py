"""When a request goes out a second time, as a table."""

from __future__ import annotations

from itertools import product

import pytest

from beyond_gateway.retry import CONNECT_ATTEMPTS, STALE_WITHIN_S, Attempt, may_send_again


@pytest.mark.parametrize(("reused", "held", "seconds"), list(product([True, False], [True, False], [0.0, 1.0, 1.001])))
def test_only_a_stale_connection_is_replaced(*, reused: bool, held: bool, seconds: float) -> None:
    """One case of all: a reused connection, lost within a second, and the request held whole."""
    again = may_send_again(Attempt(reused=reused, held=held, seconds=seconds))
    assert again is ((reused, held) == (True, True) and seconds <= STALE_WITHIN_S)


def test_connecting_is_tried_three_times() -> None:
    """One try and two more, as the contract has it."""
    assert CONNECT_ATTEMPTS == 3
