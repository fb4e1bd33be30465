"""Responses bodies held against the vendor's own types, which are stricter than the API itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from beyond_wire import responses
from beyond_wire.caps import caps_for
from beyond_wire.testing.histories import random_history
from beyond_wire.testing.responses_golden import ALWAYS, READ
from beyond_wire.testing.responses_requests import REQUESTS
from beyond_wire.types import ModelRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_wire.testing.recorded import RecordedRequest


@pytest.fixture(scope="module")
def seen_by_vendor() -> Callable[[Any], Any]:
    """What the SDK's parameter types keep of a body; they refuse unknown fields or, in unions, drop them."""
    from openai.types.responses.response_create_params import (
        ResponseCreateParamsNonStreaming,
        ResponseCreateParamsStreaming,
    )
    from pydantic import ConfigDict, TypeAdapter

    # Inside a tuple, as a configuration is taken over by the parts of a type only.
    adapter: TypeAdapter[Any] = TypeAdapter(
        tuple[ResponseCreateParamsStreaming | ResponseCreateParamsNonStreaming], config=ConfigDict(extra="forbid")
    )
    return lambda body: _read_all(adapter.validate_python((body,)))[0]


def _read_all(value: Any) -> Any:
    """Return `value` with its lists read, as only reading validates them."""
    if isinstance(value, dict):
        return {key: _read_all(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, str | int | float) or value is None:
        return value
    return [_read_all(item) for item in value]


def _completed(body: bytes) -> Any:
    """Return a body with the two fields that the SDK's types ask for and the API does not."""
    sent = msgspec.json.decode(body)
    for item in sent["input"]:
        if item.get("type") == "message":
            item["content"][0]["annotations"] = []
    for tool in sent.get("tools", []):
        tool["strict"] = False
    return sent


def _name(case: RecordedRequest) -> str:
    return case.name


@pytest.mark.parametrize("case", REQUESTS, ids=_name)
def test_vendor_types_accept_the_body(case: RecordedRequest, seen_by_vendor: Callable[[Any], Any]) -> None:
    """The SDK's own types accept every body and know every field and word of it."""
    sent = _completed(responses.encode(case.request, case.caps))
    assert seen_by_vendor(sent) == sent


def test_vendor_types_refuse_what_is_wrong(seen_by_vendor: Callable[[Any], Any]) -> None:
    """The check against the SDK's types is one: it notices a field or word they do not have, at every depth."""
    good = {"model": "m", "stream": True, "input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}]}
    assert seen_by_vendor(good) == good
    for wrong in (
        good | {"new": 1},
        good | {"input": [{"role": "user", "content": [{"type": "input_text", "txt": "a"}]}]},
        good | {"input": [{"role": "tool", "content": "a"}]},
        good | {"input": [{"type": "function_call", "call_id": "a", "name": "b"}]},
        good | {"service_tier": "slow"},
        good | {"reasoning": {"effort": "huge"}},
        good | {"include": ["reasoning"]},
    ):
        try:
            seen = seen_by_vendor(wrong)
        except ValueError:
            continue
        assert seen != wrong


def test_vendor_types_accept_random_histories(seen_by_vendor: Callable[[Any], Any]) -> None:
    """What is encoded of any stored history keeps the provider's rules and is accepted by the SDK's types."""
    for seed in range(300):
        request = ModelRequest(
            model=ALWAYS, messages=random_history(seed), tools=(READ,), system="Be kind.", max_tokens=4_000
        )
        sent = _completed(responses.encode(request, caps_for(ALWAYS)))
        assert seen_by_vendor(sent) == sent
        open_calls: set[str] = set()
        seen: set[str] = set()
        for item in sent["input"][1:]:
            if item.get("type") == "function_call":
                assert item["call_id"] not in seen
                seen.add(item["call_id"])
                open_calls.add(item["call_id"])
            elif item.get("type") == "function_call_output":
                open_calls.remove(item["call_id"])
            elif item.get("role") == "user":
                assert not open_calls
                assert all(part.get("text", "x").strip() for part in item["content"])
        assert not open_calls
