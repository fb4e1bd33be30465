"""What one managed request cost: the provider's own counts, or a lower bound where they never arrived.

Hanging up before the last event must not be free, and must not cost more than what was surely spent (gw contract,
usage). So a stream that was cut is estimated from what it showed; what a provider did report always comes first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_wire import (
    UsageFacts,
    error_in_tail,
    estimate_output_tokens,
    facts_and_model,
    model_from_head,
    prompt_text_bytes,
    usage_from_body,
    usage_from_tail,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_gateway.tap import Tap

PROMPT_BYTES_PER_TOKEN: Final = 5
"""Divisor of the input estimate (gw contract, usage)."""

# Signs that no token follows: a chat choice has finished, the usage event itself, or the last event of Responses. They
# tell the final usage from the running one that some providers put on every chunk.
_chat_ended = re.compile(
    rb'"finish_reason"\s*+:\s*+"|"choices"\s*+:\s*+\[\s*+\]|"type"\s*+:\s*+"response\.(?:completed|incomplete|failed)"'
).search


class Metered(NamedTuple):
    """The usage of one exchange.

    `facts` is None where nothing is known; `estimated` marks a lower bound. `model` is what the provider says it used.
    `error_event` tells of an error inside a successful stream, `parse_error` of a complete success without its usage.
    """

    facts: UsageFacts | None
    model: str | None
    estimated: bool
    error_event: bool
    parse_error: bool


def meter(tap: Tap, *, status: int, complete: bool, prompt_bytes: Callable[[], int], free: bool = False) -> Metered:
    """Return what the tapped response cost.

    `status` is the provider's; `complete` says that its body ended as announced; `prompt_bytes` gives the bytes of the
    prompt's text and is asked only for an estimate. Under `free`, for endpoints that cost nothing, only what the
    provider reports counts. An answer that is no success is never estimated, nor is a complete JSON body. Raises
    nothing.
    """
    success = 200 <= status < 300
    tail = tap.tail()
    if complete and tap.whole and not tap.sse:
        facts, model = facts_and_model(tap.dialect, tail)
    else:
        facts, model = _reported(tap, tail, complete=complete), model_from_head(tap.head)
    error_event = success and tap.sse and error_in_tail(tail)
    if not success or free or (facts is not None and _final(tap, facts, tail, complete=complete)):
        return Metered(facts, model, estimated=False, error_event=error_event, parse_error=False)
    unread = complete and not error_event
    if complete and not tap.sse:
        return Metered(None, model, estimated=False, error_event=False, parse_error=unread)
    return Metered(
        _estimated(tap, facts, tail, prompt_bytes), model, estimated=True, error_event=error_event, parse_error=unread
    )


def _reported(tap: Tap, tail: bytes, *, complete: bool) -> UsageFacts | None:
    if tap.sse:
        return usage_from_tail(tap.dialect, tail, tap.head)
    # A JSON body that was cut tells nothing: a `"usage"` found in it may be the model's own words in a tool call.
    return usage_from_body(tap.dialect, tail, truncated=True) if complete else None


def _final(tap: Tap, facts: UsageFacts, tail: bytes, *, complete: bool) -> bool:
    """Whether `facts` are the last this answer would have reported."""
    if not tap.sse:
        return True
    if tap.dialect == "anthropic":
        return facts.output_tokens is not None  # known from a `message_delta` only, and that follows all content
    return complete or _chat_ended(tail) is not None


def _estimated(tap: Tap, facts: UsageFacts | None, tail: bytes, prompt_bytes: Callable[[], int]) -> UsageFacts:
    events, text_bytes = tap.delta_counts() if tap.sse else (0, prompt_text_bytes(tail))
    known = facts or UsageFacts(wire=tap.dialect)
    inputs = known.input_tokens
    return UsageFacts(
        input_tokens=prompt_bytes() // PROMPT_BYTES_PER_TOKEN if inputs is None else inputs,
        output_tokens=max(estimate_output_tokens(events, text_bytes), known.output_tokens or 0),
        wire=tap.dialect,
    ).over(known)
