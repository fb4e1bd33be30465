"""What an answer that is no stream means, and that no key is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from beyond_agent_core.client_faults import hidden, not_a_stream, refused, retry_after_s, without_key
from beyond_agent_core.client_headers import checked, is_stream
from beyond_agent_core.errors import ConfigError
from beyond_wire.errors import ProviderError

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
KEY = "plain-key-of-no-known-shape"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 12 ", 12.0),
        ("1.5", 1.5),
        ("120", 120.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30.0),
        ("Sun, 01 Mar 2026 11:59:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("9" * 400, None),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds or a date; what cannot be read says nothing."""
    assert retry_after_s(value, NOW) == seconds


def test_a_wait_in_the_body_counts_where_no_header_has_one() -> None:
    """The header comes first."""
    body = b'{"error":{"type":"rate_limit_error","message":"slow","retry_after":9}}'
    assert refused(429, {}, body, key=KEY, now=NOW).retry_after == 9.0
    assert refused(429, {"retry-after": "3"}, body, key=KEY, now=NOW).retry_after == 3.0


def test_the_text_of_a_status() -> None:
    """It is trimmed and told as it came; an empty body is no reason to fail."""
    fault = refused(503, {}, b"\n upstream is down \xff\n", key=KEY, now=NOW)
    assert fault.message == "transport error: gateway returned 503: upstream is down \ufffd"
    assert refused(500, {}, b"", key=KEY, now=NOW).message == "transport error: gateway returned 500: "


def test_a_redirect() -> None:
    """It is told as what it is, and not where to: such addresses may hold secrets."""
    fault = refused(307, {"location": "https://elsewhere/?s3cret"}, b"see https://elsewhere/?s3cret", key=KEY, now=NOW)
    assert fault.message == "transport error: gateway returned 307: a redirect, which is not followed"


def test_a_refused_key() -> None:
    """The text says what to do, with the upstream's own words."""
    fault = refused(401, {}, b'{"error":{"message":"expired"}}', key=KEY, now=NOW)
    assert (fault.code, fault.transient) == ("unauthorized", False)
    assert "the key was refused, check it" in fault.message
    assert "expired" in fault.message


def test_used_up_and_too_large() -> None:
    """402 and quota words are quota; 413 and a context code are an overflow; neither is tried again."""
    used = b'{"error":{"type":"x","message":"You exceeded your current quota"}}'
    large = b'{"error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"no"}}'
    found = [refused(status, {}, body, key=KEY, now=NOW) for status, body in ((402, b""), (429, used), (400, large))]
    assert [fault.code for fault in found] == ["quota", "quota", "context_overflow"]
    assert not any(fault.transient for fault in found)


def test_a_key_at_the_cut_is_not_told_by_half() -> None:
    """It is taken out before the text is cut."""
    body = b"x" * 3_990 + KEY.encode()
    assert "plain-key" not in refused(500, {}, body, key=KEY, now=NOW).message
    assert "plain-key" not in not_a_stream("text/html", "", b"x" * 190 + KEY.encode(), key=KEY).message
    assert hidden("see sk-ant-0123456789abcdef", "") == "see [redacted]"


def test_a_providers_error_that_quotes_the_key() -> None:
    """It is the same error without the key; one that does not quote it stays what it is."""
    error = ProviderError(type="api_error", message=f"no {KEY}", provider_code=KEY, retry_after=2.0, events=(1,))
    clean = without_key(error, KEY)
    assert KEY not in f"{clean} {clean.message} {clean.provider_code}"
    assert (clean.type, clean.retry_after, clean.events, clean.retryable) == ("api_error", 2.0, (1,), True)
    assert without_key(clean, KEY) is clean


def test_a_packed_stream_is_told_as_such() -> None:
    """Plain bytes were asked for."""
    assert not is_stream({"content-type": "text/event-stream", "content-encoding": "gzip"})
    assert is_stream({"content-type": "Text/Event-Stream; charset=utf-8", "content-encoding": "identity"})
    assert "content-encoding gzip" in not_a_stream("text/event-stream", "gzip", b"\x1f\x8b", key=KEY).message


@pytest.mark.parametrize("headers", [{"content-length": "1"}, {"a b": "x"}, {"x-key": "s3cret\n"}, {"x-key": "s3crét"}])
def test_extra_headers_that_cannot_be_sent(headers: dict[str, str]) -> None:
    """The name is told, the value is not."""
    with pytest.raises(ConfigError) as told:
        checked(headers)
    assert told.value.field == "headers"
    assert "s3c" not in str(told.value)
