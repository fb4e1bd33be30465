"""What all requests share: faults that name a field, the cache's fields and headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from beyond_wire import ANTHROPIC, CHAT, RESPONSES, EncodeError, ModelRequest, NamedTool, Thinking, caps_for, user
from beyond_wire.encoding import affinity_headers, cache_fields

if TYPE_CHECKING:
    from beyond_wire import Dialect

ASK = ModelRequest(model="gpt-5.1", messages=(user("Hi"),), max_tokens=100)


@pytest.mark.parametrize(
    ("dialect", "model", "changed", "field"),
    [
        (RESPONSES, "gpt-4o", {"service_tier": "\ud800", "system": "\ud800"}, "service_tier"),
        (ANTHROPIC, "claude-opus-4-8", {"thinking": Thinking(budget_tokens=1, display="\ud800")}, "thinking"),
        (RESPONSES, "gpt-4o", {"service_tier": "\ud800", "tool_choice": NamedTool(name="\ud800")}, "service_tier"),
    ],
)
def test_field_sent_as_given_is_named(dialect: Dialect, model: str, changed: dict[str, Any], field: str) -> None:
    """What is sent as it was given and is no JSON is refused by its name; fields that are cleaned are not blamed."""
    with pytest.raises(EncodeError) as caught:
        dialect.encode(replace(ASK, model=model, **changed), caps_for(model))
    assert caught.value.field == field


def test_fields_of_the_cache() -> None:
    """The key is cut to 64 characters, a long cache is asked for where there is one; where none is wanted, neither."""
    long, short = caps_for("gpt-5.1"), caps_for("gpt-4o")
    asked = replace(ASK, cache_key="k" * 70, cache_long=True)
    assert cache_fields(asked, long) == {"prompt_cache_key": "k" * 64, "prompt_cache_retention": "24h"}
    assert cache_fields(asked, short) == {"prompt_cache_key": "k" * 64}
    assert cache_fields(replace(asked, no_cache=True), long) == {}
    assert cache_fields(ASK, long) == {}


def test_headers_name_the_conversation() -> None:
    """Each header holds the whole cache key; there are none without a key or where nothing is to be cached."""
    assert affinity_headers(replace(ASK, cache_key="k" * 70), ("a", "b")) == {"a": "k" * 70, "b": "k" * 70}
    for changed in ({}, {"cache_key": ""}, {"cache_key": "k", "no_cache": True}):
        assert affinity_headers(replace(ASK, **changed), ("a",)) == {}


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("key", ["a\r\nx-evil: 1", "a\x00", "\x7f", "é", "\ud800"])
def test_cache_key_that_no_header_can_hold(dialect: Dialect, key: str) -> None:
    """A cache key that would break out of its header, or fit into none, is refused by name in both dialects."""
    with pytest.raises(EncodeError) as caught:
        dialect.headers(replace(ASK, cache_key=key), caps_for(ASK.model))
    assert caught.value.field == "cache_key"
