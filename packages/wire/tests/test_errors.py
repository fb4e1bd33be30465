"""Errors: stable codes, exact texts, no credentials, and events that survive a fault."""

from __future__ import annotations

import pytest

from beyond_wire import errors as e
from beyond_wire.types import TextDelta

DELTA = TextDelta(index=0, text="a")
ALL: list[tuple[e.WireError, str, bool, str]] = [
    (e.SseLineTooLong("too long"), "sse_line_too_long", False, "too long"),
    (e.SseBadUtf8("bad"), "sse_bad_utf8", False, "bad"),
    (e.SseBadJson("at byte 3"), "sse_bad_json", False, "malformed SSE json: at byte 3"),
    (e.StreamTruncated("ended early"), "stream_truncated", True, "ended early"),
    (
        e.ProviderError(type="overloaded_error", message="busy"),
        "provider_error",
        True,
        "provider stream error: overloaded_error: busy",
    ),
    (
        e.ProviderError(type="invalid_request_error", message="no"),
        "provider_error",
        False,
        "provider stream error: invalid_request_error: no",
    ),
    (e.BodyInvalid(b"<html>"), "body_invalid", False, "unreadable response body: neither an answer nor an error"),
    (e.EncodeError("tools[2].input_schema", "no object"), "request_invalid", False, "tools[2].input_schema: no object"),
]


@pytest.mark.parametrize(("error", "code", "retryable", "text"), ALL)
def test_code_and_text(error: e.WireError, code: str, text: str, *, retryable: bool) -> None:
    """Each error is a WireError with its code, its text and its word on trying again."""
    assert isinstance(error, e.WireError)
    assert (error.code, error.retryable, str(error), error.events) == (code, retryable, text, ())


def test_every_class_is_in_the_table() -> None:
    """No error of the tree is left out above."""
    assert {type(error) for error, *_ in ALL} == set(e.WireError.__subclasses__())


def test_events_are_carried() -> None:
    """What the same chunk decoded before the fault is in the error."""
    for error in (
        e.SseBadJson("x", events=(DELTA,)),
        e.StreamTruncated("x", events=(DELTA,)),
        e.ProviderError(type="x", message="y", events=(DELTA,)),
    ):
        assert error.events == (DELTA,)


def test_provider_error_carries_what_was_said() -> None:
    """Type, message, code and waiting time are fields."""
    error = e.ProviderError(type="tokens", message="slow down", provider_code="rate_limit_exceeded", retry_after=2.5)
    assert (error.type, error.message, error.provider_code, error.retry_after) == (
        "tokens",
        "slow down",
        "rate_limit_exceeded",
        2.5,
    )
    assert error.retryable
    assert not error.overflow


def test_provider_error_knows_an_overflow() -> None:
    """A request above the context is known by its code or by its message."""
    assert e.ProviderError(type="invalid", message="x", provider_code="context_length_exceeded").overflow
    assert e.ProviderError(type="invalid", message="prompt is too long: 9 > 8").overflow
    assert not e.ProviderError(type="invalid", message="x").overflow


def test_body_is_kept_up_to_its_bound() -> None:
    """A body that means nothing is kept up to 4,000 characters, whatever its bytes."""
    assert e.BodyInvalid(b"\xff" * 9000).body == "\ufffd" * 4000
    assert e.BodyInvalid("🙂".encode() * 9000).body == "🙂" * 4000
    assert e.BodyInvalid("short").body == "short"


def test_field_names_the_fault() -> None:
    """An error of encoding says where."""
    assert e.EncodeError("messages[0]", "x").field == "messages[0]"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-api03-abcdefgh1234",
        "sk-proj-****************abcd",
        "bai_v1.eyJhbGciOi.abc",
        "gsk_abcdefghijk",
        "Bearer abcdefgh.ijk1",
        "AIzaSyA1234567890",
    ],
)
def test_no_credential_in_any_text(secret: str) -> None:
    """A credential that a provider quotes is in no text, repr or field."""
    said = f"Incorrect API key provided: {secret}. See the docs."
    error = e.ProviderError(type=secret, message=said, provider_code=secret)
    body = e.BodyInvalid(said.encode())
    for text in (str(error), repr(error), error.type, error.message, str(error.provider_code), body.body, repr(body)):
        assert secret not in text
        assert secret[-6:] not in text
    assert error.message == "Incorrect API key provided: [redacted]. See the docs."
