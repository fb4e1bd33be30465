"""Responses events and bodies whose fields hold anything at all: read, skipped, or a wire error."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_wire import responses
from beyond_wire.accumulate import turn_of
from beyond_wire.errors import BodyInvalid, ProviderError
from beyond_wire.testing.telling import told
from beyond_wire.types import TokenUsage, Turn
from beyond_wire.usage import MAX_COUNT


def _check(usage: TokenUsage) -> None:
    counts = [getattr(usage, name) for name in TokenUsage.__struct_fields__]
    # Reasoning that stands outside of the output is added to it.
    assert all(type(count) is int and 0 <= count <= 2 * MAX_COUNT for count in counts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(
    [
        "created",
        "in_progress",
        "completed",
        "incomplete",
        "failed",
        "output_item.added",
        "output_item.done",
        "output_text.delta",
        "refusal.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "reasoning_summary_text.delta",
        "reasoning_text.delta",
        "reasoning_summary_part.done",
        "new",
    ]
).map(lambda kind: f"response.{kind}")
PARTS = st.fixed_dictionaries({}, optional={"type": JSON, "text": JSON, "refusal": JSON})
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "function_call", "reasoning", "new"]) | JSON,
        "id": st.text() | JSON,
        "call_id": st.text() | JSON,
        "name": st.text() | JSON,
        "phase": JSON,
        "arguments": st.text() | JSON,
        "content": st.lists(PARTS, max_size=3) | JSON,
        "summary": st.lists(PARTS, max_size=3) | JSON,
    },
)
REPLIES = st.fixed_dictionaries(
    {"output": st.lists(ITEMS, max_size=4)},
    optional={
        "object": st.just("response"),
        "status": st.sampled_from(["completed", "incomplete", "failed"]) | JSON,
        "usage": JSON,
        "error": JSON,
        "incomplete_details": JSON,
    },
)
EVENTS = st.fixed_dictionaries(
    {"type": KINDS | JSON},
    optional={
        "output_index": st.integers(0, 2) | JSON,
        "delta": st.text() | JSON,
        "arguments": st.text() | JSON,
        "item": ITEMS | JSON,
        "response": REPLIES | JSON,
        "usage": JSON,
        "error": JSON,
    },
)


@settings(max_examples=400)
@given(st.lists(EVENTS, max_size=6), REPLIES)
def test_events_of_any_shape_raise_only_wire_errors(events: list[dict[str, Any]], reply: dict[str, Any]) -> None:
    """Events of known kinds and bodies whose fields hold anything are read, skipped or a wire error."""
    import json

    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    got = told(responses, [stream])
    _check(got.usage)
    assert isinstance(turn_of(got.events), Turn)
    try:
        turn = responses.decode_body(json.dumps(reply).encode())
    except (ProviderError, BodyInvalid):
        return
    assert msgspec.json.encode(turn)
