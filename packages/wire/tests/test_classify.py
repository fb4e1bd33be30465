"""What an error means: the three tables, case by case."""

from __future__ import annotations

import pytest

from beyond_wire import classify as c


@pytest.mark.parametrize("kind", sorted(c.RETRYABLE_TYPES))
def test_retryable_types(kind: str) -> None:
    """Each type of the table is retryable, as a type and as a code."""
    assert c.is_retryable(kind, "x")
    assert c.is_retryable("x", "x", kind)


@pytest.mark.parametrize(
    ("message", "retryable"),
    [
        ("The server had an error. Sorry! You can retry your request.", True),
        ("Please try again later.", True),
        ("TRY AGAIN in 20s", True),
        ("please try your request again", True),
        ("Please retry after a while", True),
        ("Do not try again.", False),
        ("invalid model", False),
        ("the industry against", False),
        ("", False),
    ],
)
def test_advice_to_try_again(message: str, *, retryable: bool) -> None:
    """An unknown type is retryable when the message advises it."""
    assert c.is_retryable("strange", message) == retryable
    assert c.is_retryable(None, message) == retryable


@pytest.mark.parametrize("word", [*c.QUOTA_WORDS, *map(str.upper, c.QUOTA_WORDS)])
def test_quota_is_never_retryable(word: str) -> None:
    """A quota that is used up stays so, whatever type and advice stand beside it."""
    assert c.is_quota("rate_limit_error", f"a {word}, try again")
    assert c.is_quota(word, "")
    assert c.is_quota(None, "", word)
    assert not c.is_retryable("rate_limit_error", f"a {word}, try again")
    assert not c.is_retryable(word, "try again")
    assert not c.is_retryable("rate_limit_error", "try again", word)


def test_other_errors_are_no_quota() -> None:
    """A rate limit alone is no quota."""
    assert not c.is_quota("rate_limit_error", "rate limit reached")


@pytest.mark.parametrize(
    ("status", "kind"), [(413, None), (400, "request_too_large"), (None, "context_length_exceeded")]
)
def test_overflow_by_status_and_type(status: int | None, kind: str | None) -> None:
    """Status 413 and the two types are an overflow without any words."""
    assert c.is_overflow(status, kind, "")


@pytest.mark.parametrize("word", [*c.OVERFLOW_WORDS, *map(str.upper, c.OVERFLOW_WORDS)])
@pytest.mark.parametrize("rate", c.RATE_WORDS)
def test_overflow_words(word: str, rate: str) -> None:
    """Each word is an overflow, unless the message also speaks of a rate."""
    assert c.is_overflow(400, "invalid_request_error", f"error: {word} 9 > 8")
    assert not c.is_overflow(400, "invalid_request_error", f"error: {word} 9 > 8, {rate.title()}")
    assert not c.is_overflow(413, "request_too_large", f"{rate} reached")


def test_other_errors_are_no_overflow() -> None:
    """A plain refusal is no overflow."""
    assert not c.is_overflow(400, "invalid_request_error", "temperature must be below 2")
