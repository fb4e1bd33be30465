"""The usage row's line, byte for byte."""

from __future__ import annotations

from beyond_gateway.settle import UsageFields, UsageLine, encode


def test_a_row_with_everything_has_the_documented_fields_in_order() -> None:
    """Consumers of `ai.usage` read this line: names, order and spelling are wire format."""
    fields = UsageFields(
        message="usage",
        request_id="r",
        tenant_id=2**64 - 1,
        vpc_id=2,
        key_id=3,
        provider="openai",
        model="m",
        requested_model="q",
        stream=True,
        input_tokens=1,
        output_tokens=2,
        cache_read_tokens=3,
        cache_write_tokens=4,
        cache_write_1h_tokens=5,
        reasoning_tokens=6,
        latency_ms=7,
        ttft_ms=8,
        upstream_status=200,
        outcome="ok",
        usage_estimated=True,
        usage_wire="anthropic",
    )
    assert encode(UsageLine(timestamp="T", fields=fields)) == (
        b'{"timestamp":"T","level":"INFO","fields":{"message":"usage","request_id":"r",'
        b'"tenant_id":18446744073709551615,"vpc_id":2,"key_id":3,"provider":"openai","model":"m","requested_model":"q",'
        b'"stream":true,"input_tokens":1,"output_tokens":2,"cache_read_tokens":3,"cache_write_tokens":4,'
        b'"cache_write_1h_tokens":5,"reasoning_tokens":6,"latency_ms":7,"ttft_ms":8,"upstream_status":200,'
        b'"outcome":"ok","usage_estimated":true,"usage_wire":"anthropic"},"target":"ai.usage"}\n'
    )


def test_what_is_unknown_is_left_out_and_what_is_zero_is_not() -> None:
    """Absent means unknown: never null, and never taken for zero."""
    fields = UsageFields(
        message="usage",
        request_id="r",
        tenant_id=0,
        vpc_id=0,
        provider="groq",
        stream=False,
        input_tokens=0,
        latency_ms=0,
        outcome="cut_short",
        usage_estimated=False,
    )
    assert encode(UsageLine(timestamp="T", fields=fields)) == (
        b'{"timestamp":"T","level":"INFO","fields":{"message":"usage","request_id":"r","tenant_id":0,"vpc_id":0,'
        b'"provider":"groq","stream":false,"input_tokens":0,"latency_ms":0,"outcome":"cut_short",'
        b'"usage_estimated":false},"target":"ai.usage"}\n'
    )
