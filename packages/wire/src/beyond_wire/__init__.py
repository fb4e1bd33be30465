"""Bytes of model traffic in, facts out; no I/O, no clock, no state beyond the object in hand.

The primitives:

- `SseParser` frames a stream: feed chunks, take `SseEvent`s; faults are `WireError`s.
- `UsageFacts` is what an answer cost, six counts of tokens; None is unknown and differs from zero.
- `usage_from_body` and `usage_from_tail` read those facts from a JSON answer and from the end of a stream.
- `model_from_body` and `model_from_head` name the model that answered; `error_in_tail` finds a stream that failed.
- `DeltaCounter` and `prompt_text_bytes` measure what was seen when no usage arrived; `estimate_output_tokens` makes a
  lower bound of it.

`Family` says whose usage it is: `openai` (Chat Completions, Responses) or `anthropic` (Messages).
"""

from beyond_wire.deltas import DeltaCounter, estimate_output_tokens
from beyond_wire.envelope import model_from_body
from beyond_wire.errors import SseBadUtf8, SseLineTooLong, WireError
from beyond_wire.heads import model_from_head
from beyond_wire.prompt import prompt_text_bytes
from beyond_wire.sse import SseEvent, SseParser
from beyond_wire.tails import error_in_tail, usage_from_tail
from beyond_wire.usage import Family, UsageFacts, facts_and_model, usage_from_body

__all__ = [
    "DeltaCounter",
    "Family",
    "SseBadUtf8",
    "SseEvent",
    "SseLineTooLong",
    "SseParser",
    "UsageFacts",
    "WireError",
    "error_in_tail",
    "estimate_output_tokens",
    "facts_and_model",
    "model_from_body",
    "model_from_head",
    "prompt_text_bytes",
    "usage_from_body",
    "usage_from_tail",
]
