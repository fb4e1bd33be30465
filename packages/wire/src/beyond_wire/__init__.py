"""Bytes of model traffic in, facts out, and values back to bytes; no I/O, no clock, no state beyond the object in hand.

What a gateway needs, imported with the package:

- `SseParser` frames a stream: feed chunks, take `SseEvent`s; faults are `WireError`s.
- `UsageFacts` is what an answer cost, six counts of tokens; None is unknown and differs from zero.
- `usage_from_body` and `usage_from_tail` read those facts from a JSON answer and from the end of a stream.
- `model_from_body` and `model_from_head` name the model that answered; `error_in_tail` finds a stream that failed.
- `DeltaCounter` and `prompt_text_bytes` measure what was seen when no usage arrived; `estimate_output_tokens` makes a
  lower bound of it.

`Family` says whose usage it is: `openai` (Chat Completions, Responses) or `anthropic` (Messages).

What a harness needs beside them, imported when it is first asked for:

- messages, tools, requests, stream events and turns are `types`; `caps_for` says what a model can do.
- `dialect_for` gives the dialect of a model, one of `CHAT`, `RESPONSES` and `ANTHROPIC`: a request becomes bytes, and
  bytes become events or a `Turn`.
- `Accumulator` folds events into a turn, `turn_of` a list of them; `prepare` makes a history fit to be sent.
- the errors of answers and requests; `is_retryable`, `is_quota` and `is_overflow` say what an error means.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from beyond_wire.deltas import DeltaCounter, estimate_output_tokens
from beyond_wire.envelope import model_from_body
from beyond_wire.errors import SseBadUtf8, SseLineTooLong, WireError
from beyond_wire.heads import model_from_head
from beyond_wire.prompt import prompt_text_bytes
from beyond_wire.sse import SseEvent, SseParser
from beyond_wire.tails import error_in_tail, usage_from_tail
from beyond_wire.usage import Family, UsageFacts, facts_and_model, usage_from_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from beyond_wire.accumulate import Accumulator, turn_of
    from beyond_wire.caps import caps_for, dialect_name
    from beyond_wire.classify import is_overflow, is_quota, is_retryable
    from beyond_wire.dialects import ANTHROPIC, CHAT, DIALECTS, RESPONSES, dialect_for
    from beyond_wire.errors import BodyInvalid, EncodeError, ProviderError, SseBadJson, StreamTruncated
    from beyond_wire.history import Preparer, prepare
    from beyond_wire.types import (
        EFFORTS,
        Caps,
        ContentBlock,
        ContentBlockStop,
        Dialect,
        DialectName,
        Effort,
        ImageBlock,
        ImageSource,
        InputJsonDelta,
        InputJsonFinal,
        Message,
        MessageStart,
        MessageStop,
        ModelRequest,
        NamedTool,
        RedactedThinking,
        RedactedThinkingBlock,
        Role,
        SignatureDelta,
        StopReason,
        StreamDecoder,
        StreamEvent,
        TextBlock,
        TextDelta,
        TextFinal,
        Thinking,
        ThinkingBlock,
        ThinkingDelta,
        TokenUsage,
        ToolChoice,
        ToolDef,
        ToolResultBlock,
        ToolUseBlock,
        ToolUseStart,
        Turn,
        UsageEvent,
        assistant,
        tool_results,
        tool_uses,
        usage_event,
        user,
        user_with_images,
    )

# One name, one module: what a gateway never asks for costs it nothing (PEP 562).
_LATER = {
    **dict.fromkeys(("Accumulator", "turn_of"), ".accumulate"),
    **dict.fromkeys(("caps_for", "dialect_name"), ".caps"),
    **dict.fromkeys(("is_overflow", "is_quota", "is_retryable"), ".classify"),
    **dict.fromkeys(("ANTHROPIC", "CHAT", "DIALECTS", "RESPONSES", "dialect_for"), ".dialects"),
    **dict.fromkeys(("BodyInvalid", "EncodeError", "ProviderError", "SseBadJson", "StreamTruncated"), ".errors"),
    **dict.fromkeys(("Preparer", "prepare"), ".history"),
    **dict.fromkeys(
        (
            "EFFORTS",
            "Caps",
            "ContentBlock",
            "ContentBlockStop",
            "Dialect",
            "DialectName",
            "Effort",
            "ImageBlock",
            "ImageSource",
            "InputJsonDelta",
            "InputJsonFinal",
            "Message",
            "MessageStart",
            "MessageStop",
            "ModelRequest",
            "NamedTool",
            "RedactedThinking",
            "RedactedThinkingBlock",
            "Role",
            "SignatureDelta",
            "StopReason",
            "StreamDecoder",
            "StreamEvent",
            "TextBlock",
            "TextDelta",
            "TextFinal",
            "Thinking",
            "ThinkingBlock",
            "ThinkingDelta",
            "TokenUsage",
            "ToolChoice",
            "ToolDef",
            "ToolResultBlock",
            "ToolUseBlock",
            "ToolUseStart",
            "Turn",
            "UsageEvent",
            "assistant",
            "tool_results",
            "tool_uses",
            "usage_event",
            "user",
            "user_with_images",
        ),
        ".types",
    ),
}

__all__ = [
    "ANTHROPIC",
    "CHAT",
    "DIALECTS",
    "EFFORTS",
    "RESPONSES",
    "Accumulator",
    "BodyInvalid",
    "Caps",
    "ContentBlock",
    "ContentBlockStop",
    "DeltaCounter",
    "Dialect",
    "DialectName",
    "Effort",
    "EncodeError",
    "Family",
    "ImageBlock",
    "ImageSource",
    "InputJsonDelta",
    "InputJsonFinal",
    "Message",
    "MessageStart",
    "MessageStop",
    "ModelRequest",
    "NamedTool",
    "Preparer",
    "ProviderError",
    "RedactedThinking",
    "RedactedThinkingBlock",
    "Role",
    "SignatureDelta",
    "SseBadJson",
    "SseBadUtf8",
    "SseEvent",
    "SseLineTooLong",
    "SseParser",
    "StopReason",
    "StreamDecoder",
    "StreamEvent",
    "StreamTruncated",
    "TextBlock",
    "TextDelta",
    "TextFinal",
    "Thinking",
    "ThinkingBlock",
    "ThinkingDelta",
    "TokenUsage",
    "ToolChoice",
    "ToolDef",
    "ToolResultBlock",
    "ToolUseBlock",
    "ToolUseStart",
    "Turn",
    "UsageEvent",
    "UsageFacts",
    "WireError",
    "assistant",
    "caps_for",
    "dialect_for",
    "dialect_name",
    "error_in_tail",
    "estimate_output_tokens",
    "facts_and_model",
    "is_overflow",
    "is_quota",
    "is_retryable",
    "model_from_body",
    "model_from_head",
    "prepare",
    "prompt_text_bytes",
    "tool_results",
    "tool_uses",
    "turn_of",
    "usage_event",
    "usage_from_body",
    "usage_from_tail",
    "user",
    "user_with_images",
]


def imported_when_asked(
    own: dict[str, Any], modules: "Mapping[str, str]"
) -> "tuple[Callable[[str], Any], Callable[[], list[str]]]":
    """Return `__getattr__` and `__dir__` for the package of the globals `own`: names imported when asked for (PEP 562).

    `modules` has the module of each name, with a dot before it where it is one of the package. For packages that build
    on this one, and so not among the public names.
    """
    package: str = own["__name__"]

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = own[name] = getattr(import_module(modules[name], package), name)
        return value

    return get, lambda: sorted({*own, *modules})


if not TYPE_CHECKING:
    # Checkers see the imports above, and so the name that is nobody's.
    __getattr__, __dir__ = imported_when_asked(globals(), _LATER)
