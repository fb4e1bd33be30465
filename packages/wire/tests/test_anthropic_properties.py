"""Anthropic events and bodies whose fields hold anything at all: read, skipped, or a wire error."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_wire import anthropic
from beyond_wire.accumulate import turn_of
from beyond_wire.testing.telling import told
from beyond_wire.types import TokenUsage, Turn
from beyond_wire.usage import MAX_COUNT


def _check(usage: TokenUsage) -> None:
    counts = [getattr(usage, name) for name in TokenUsage.__struct_fields__]
    assert all(type(count) is int and 0 <= count <= MAX_COUNT for count in counts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "ping",
        "new",
    ]
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["text", "thinking", "tool_use", "text_delta", "input_json_delta", "new"]) | JSON,
        "text": JSON,
        "thinking": JSON,
        "partial_json": JSON,
        "input": JSON,
        "id": JSON,
        "usage": JSON,
        "stop_reason": JSON,
        "stop_details": JSON,
    },
)
EVENTS = st.fixed_dictionaries(
    {"type": KINDS | JSON},
    optional={
        "index": st.integers(0, 2) | JSON,
        "delta": PARTS | JSON,
        "content_block": PARTS | JSON,
        "message": PARTS | JSON,
        "usage": JSON,
        "error": JSON,
    },
)


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENTS, max_size=6))
def test_events_of_any_shape_raise_only_wire_errors(events: list[dict[str, Any]]) -> None:
    """Events of known kinds whose fields hold anything are read, skipped or a wire error."""
    import json

    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    got = told(anthropic, [stream])
    assert got.fault is not None
    _check(got.usage)
    assert isinstance(turn_of(got.events), Turn)
