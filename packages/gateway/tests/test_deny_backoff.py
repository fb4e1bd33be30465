"""The waits between two watches."""

from __future__ import annotations

from beyond_gateway.deny.backoff import Backoff


def test_waits_double_from_one_second_to_thirty() -> None:
    """1, 2, 4, 8, 16, and then 30 for good, also after watches that died young."""
    backoff = Backoff()
    assert [backoff.after(lived) for lived in (0, 0, 29.9, 0, 5, 0, 0)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_watch_of_thirty_seconds_starts_them_over() -> None:
    """Only a watch that lived 30 s counts as good."""
    backoff = Backoff()
    for _ in range(6):
        backoff.after(0)
    assert [backoff.after(30), backoff.after(0), backoff.after(30.1)] == [1, 2, 1]
