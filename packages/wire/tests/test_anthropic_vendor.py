"""Anthropic bodies held against the vendor's own types, which are stricter than the API's reference text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from beyond_wire import anthropic
from beyond_wire.caps import caps_for
from beyond_wire.testing.anthropic_golden import BUDGET, READ
from beyond_wire.testing.anthropic_requests import REQUESTS
from beyond_wire.testing.histories import random_history
from beyond_wire.types import ModelRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_wire.testing.recorded import RecordedRequest


@pytest.fixture(scope="module")
def seen_by_vendor() -> Callable[[bytes], Any]:
    """What the SDK's parameter types keep of a body; they refuse unknown fields or, in unions, drop them."""
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
    from pydantic import ConfigDict, TypeAdapter

    # Inside a tuple, as a configuration is taken over by the parts of a type only.
    adapter: TypeAdapter[Any] = TypeAdapter(
        tuple[MessageCreateParamsStreaming | MessageCreateParamsNonStreaming], config=ConfigDict(extra="forbid")
    )
    return lambda body: _read_all(adapter.validate_python((msgspec.json.decode(body),)))[0]


def _read_all(value: Any) -> Any:
    """Return `value` with its lists read, as only reading validates them."""
    if isinstance(value, dict):
        return {key: _read_all(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, str | int | float) or value is None:
        return value
    return [_read_all(item) for item in value]


def _name(case: RecordedRequest) -> str:
    return case.name


@pytest.mark.parametrize("case", REQUESTS, ids=_name)
def test_vendor_types_accept_the_body(case: RecordedRequest, seen_by_vendor: Callable[[bytes], Any]) -> None:
    """The SDK's own types accept every body and know every field of it, but for one that they have given up."""
    body = msgspec.json.decode(anthropic.encode(case.request, case.caps))
    body.pop("temperature", None)  # newer types lack it, as newer models reject it
    assert seen_by_vendor(msgspec.json.encode(body)) == body


def test_vendor_types_refuse_what_is_wrong(seen_by_vendor: Callable[[bytes], Any]) -> None:
    """The check against the SDK's types is one: it notices a field they do not have, at every depth."""
    for wrong in (
        b'{"model":"m","max_tokens":1,"stream":true,"messages":[],"new":1}',
        b'{"model":"m","max_tokens":1,"stream":true,"messages":[{"role":"user","content":[{"type":"text","txt":"a"}]}]}',
        b'{"model":"m","max_tokens":1,"stream":true,"messages":[{"role":"tool","content":"a"}]}',
        b'{"model":"m","max_tokens":1,"stream":true,"messages":[],"thinking":{"type":"enabled"}}',
    ):
        try:
            seen = seen_by_vendor(wrong)
        except ValueError:
            continue
        assert seen != msgspec.json.decode(wrong)


def test_vendor_types_accept_random_histories(seen_by_vendor: Callable[[bytes], Any]) -> None:
    """What is encoded of any stored history keeps the provider's rules and is accepted by the SDK's types."""
    for seed in range(300):
        request = ModelRequest(
            model=BUDGET, messages=random_history(seed), tools=(READ,), system="Be kind.", max_tokens=4_000
        )
        body = anthropic.encode(request, caps_for(BUDGET))
        sent = msgspec.json.decode(body)
        assert seen_by_vendor(body) == sent
        assert [message["role"] for message in sent["messages"]] == [
            ("user", "assistant")[at % 2] for at in range(len(sent["messages"]))
        ]
        blocks = [block for message in sent["messages"] for block in message["content"]]
        assert all(block.get("text", "x").strip() for block in blocks)
        assert body.count(b'"cache_control"') == (3 if blocks else 2)
