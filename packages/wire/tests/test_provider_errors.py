"""Error objects of providers: all shapes, and data that is no error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_wire.provider_errors import provider_error

CASES: list[tuple[str, str, str, str | None, float | None]] = [
    ('{"type":"error","error":{"type":"overloaded_error","message":"busy"}}', "overloaded_error", "busy", None, None),
    ('{"error":{"type":"t","message":"m","code":"c"}}', "t", "m", "c", None),
    ('{"error":{"message":"m","code":"c","type":null}}', "c", "m", "c", None),
    ('{"error":{"message":"m","code":502}}', "502", "m", "502", None),
    ('{"error":{"message":"m","type":"t","retry_after":3}}', "t", "m", None, 3.0),
    ('{"error":{"message":"m","type":"t","retry_after":-3}}', "t", "m", None, None),
    ('{"error":{"message":"m","type":"t","retry_after":true}}', "t", "m", None, None),
    ('{"error":"text"}', "error", "text", None, None),
    ('{"error":{}}', "error", "no message", None, None),
    ('{"error":[1]}', "error", "no message", None, None),
    ('{"error":{"type":{},"message":[]}}', "error", "no message", None, None),
    (
        '{"type":"error","code":"rate_limit_exceeded","message":"m"}',
        "rate_limit_exceeded",
        "m",
        "rate_limit_exceeded",
        None,
    ),
    ('{"type":"error","message":"m","sequence_number":3}', "error", "m", None, None),
]


@pytest.mark.parametrize(("data", "kind", "message", "code", "retry_after"), CASES)
@pytest.mark.parametrize("named", [False, True])
def test_shapes(
    data: str, kind: str, message: str, code: str | None, retry_after: float | None, *, named: bool
) -> None:
    """Each shape gives its type, message, code and waiting time, as text and as bytes."""
    for given_data in (data, data.encode()):
        error = provider_error(given_data, named=named)
        assert error is not None
        assert (error.type, error.message, error.provider_code, error.retry_after) == (kind, message, code, retry_after)


@pytest.mark.parametrize(
    "data", ['{"error":null}', '{"type":"message"}', "[1]", "", "[DONE]", '{"message":"m"}', '{"error":' + "[" * 9999]
)
def test_no_error(data: str) -> None:
    """Data that carries no error is none, unless the event is named so."""
    assert provider_error(data) is None
    assert provider_error(data, named=True) is not None


def test_named_event_of_any_data() -> None:
    """An event named error is one: known fields are read, other data becomes its message, up to 4,000 characters."""
    bare = provider_error('{"message":"m","code":"server_error"}', named=True)
    assert bare is not None
    assert (bare.type, bare.message, bare.retryable) == ("server_error", "m", True)
    text = provider_error("out of order", named=True)
    assert text is not None
    assert (text.type, text.message) == ("error", "out of order")
    long = provider_error(b"\xff" * 9000, named=True)
    assert long is not None
    assert long.message == "\ufffd" * 4000


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_raises_nothing(data: bytes | str) -> None:
    """Whatever the data, there is an answer."""
    assert provider_error(data, named=True) is not None
    provider_error(data)
