"""The time of day in a log line."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from beyond_gateway.wall_clock import rfc3339

if TYPE_CHECKING:
    from pytest import MonkeyPatch  # noqa: PT013 - a type only


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_769_903_999_123_456_789, "2026-01-31T23:59:59.123456Z"),
        (1_769_904_000_000_000_999, "2026-02-01T00:00:00.000000Z"),
        (1_769_904_000_000_001_000, "2026-02-01T00:00:00.000001Z"),
    ],
)
def test_a_moment_as_rfc_3339(nanoseconds: int, text: str, monkeypatch: MonkeyPatch) -> None:
    """UTC with microseconds, cut and not rounded, across the ends of second and month."""
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds)
    assert rfc3339() == text


def test_now_is_now() -> None:
    """The clock it reads is the system's."""
    text = rfc3339()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    assert abs(datetime.fromisoformat(text) - datetime.now(UTC)) < timedelta(seconds=60)
