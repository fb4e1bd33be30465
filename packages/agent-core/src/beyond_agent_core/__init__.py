"""A tool-calling loop that does no I/O of its own, and what drives it.

- `Session` is a conversation; `Agent` is a transport, tools and settings; `agent.run(session, prompt)` is a run.
- `loop` is the run as a generator of `effects`; `Run` is its state; the asyncio `Driver` performs what it asks.
- `Tool` is one seam: `@tool` makes one of a function, `ToolContext` is what a call knows, `ToolOutput` what it gives.
- `ModelTransport` is the other: a request in, the events of one answer out; `HttpTransport` is one, to a gateway.
- `Control` steers from outside: messages, cancel, another model; `Limits` are the budgets of a run.
- `AgentEvent`s are what watchers see; `encode_event` makes a line of JSON of one.

Everything of `beyond_wire` is here too, so that a harness imports one package. `beyond_agent_core.testing` is public.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import beyond_wire
from beyond_agent_core.loop import loop

if TYPE_CHECKING:
    from beyond_agent_core.agent import Agent
    from beyond_agent_core.client import HttpTransport
    from beyond_agent_core.client_pool import ConnectionPool
    from beyond_agent_core.compaction import Unchanged
    from beyond_agent_core.compaction_plan import CompactionSettings
    from beyond_agent_core.control import Control, Queued
    from beyond_agent_core.dispatch_call import ToolBounds
    from beyond_agent_core.dispatch_locks import WriteLocks
    from beyond_agent_core.drive import Driver
    from beyond_agent_core.errors import (
        AgentError,
        ConfigError,
        ExecutionFailed,
        InvalidInput,
        QueueFull,
        RunFailed,
        RunFault,
        SessionBusy,
        SessionInvalid,
    )
    from beyond_agent_core.events import AgentEvent, Compacted, CompactionFailed, encode_event
    from beyond_agent_core.hooks import Hooks
    from beyond_agent_core.limits import Limits, Prices
    from beyond_agent_core.retry import RetryPolicy
    from beyond_agent_core.run import Run, RunResult, Settings
    from beyond_agent_core.schema import Checker
    from beyond_agent_core.session import Session
    from beyond_agent_core.tools import Tool, ToolContext, ToolOutput, ToolRegistry, tool
    from beyond_agent_core.transport import ModelTransport, TransportFailed
    from beyond_wire import (
        ANTHROPIC,
        CHAT,
        DIALECTS,
        EFFORTS,
        RESPONSES,
        Accumulator,
        BodyInvalid,
        Caps,
        ContentBlock,
        ContentBlockStop,
        DeltaCounter,
        Dialect,
        DialectName,
        Effort,
        EncodeError,
        Family,
        ImageBlock,
        ImageSource,
        InputJsonDelta,
        InputJsonFinal,
        Message,
        MessageStart,
        MessageStop,
        ModelRequest,
        NamedTool,
        Preparer,
        ProviderError,
        RedactedThinking,
        RedactedThinkingBlock,
        Role,
        SignatureDelta,
        SseBadJson,
        SseBadUtf8,
        SseEvent,
        SseLineTooLong,
        SseParser,
        StopReason,
        StreamDecoder,
        StreamEvent,
        StreamTruncated,
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
        UsageFacts,
        WireError,
        assistant,
        caps_for,
        dialect_for,
        dialect_name,
        error_in_tail,
        estimate_output_tokens,
        facts_and_model,
        is_overflow,
        is_quota,
        is_retryable,
        model_from_body,
        model_from_head,
        prepare,
        prompt_text_bytes,
        tool_results,
        tool_uses,
        turn_of,
        usage_event,
        usage_from_body,
        usage_from_tail,
        user,
        user_with_images,
    )

# One name, one module: a harness pays for no driver and no client that it does not use (PEP 562). `loop` is not among
# them, because the module of that name takes the place of the function when it is first imported.
_LATER = {
    "Agent": "agent",
    "HttpTransport": "client",
    "ConnectionPool": "client_pool",
    "Unchanged": "compaction",
    "CompactionSettings": "compaction_plan",
    **dict.fromkeys(("Control", "Queued"), "control"),
    "ToolBounds": "dispatch_call",
    "WriteLocks": "dispatch_locks",
    "Driver": "drive",
    **dict.fromkeys(
        (
            "AgentError",
            "ConfigError",
            "ExecutionFailed",
            "InvalidInput",
            "QueueFull",
            "RunFailed",
            "RunFault",
            "SessionBusy",
            "SessionInvalid",
        ),
        "errors",
    ),
    **dict.fromkeys(("AgentEvent", "Compacted", "CompactionFailed", "encode_event"), "events"),
    "Hooks": "hooks",
    **dict.fromkeys(("Limits", "Prices"), "limits"),
    "RetryPolicy": "retry",
    **dict.fromkeys(("Run", "RunResult", "Settings"), "run"),
    "Checker": "schema",
    "Session": "session",
    **dict.fromkeys(("Tool", "ToolContext", "ToolOutput", "ToolRegistry", "tool"), "tools"),
    **dict.fromkeys(("ModelTransport", "TransportFailed"), "transport"),
}

__all__ = [
    "ANTHROPIC",
    "CHAT",
    "DIALECTS",
    "EFFORTS",
    "RESPONSES",
    "Accumulator",
    "Agent",
    "AgentError",
    "AgentEvent",
    "BodyInvalid",
    "Caps",
    "Checker",
    "Compacted",
    "CompactionFailed",
    "CompactionSettings",
    "ConfigError",
    "ConnectionPool",
    "ContentBlock",
    "ContentBlockStop",
    "Control",
    "DeltaCounter",
    "Dialect",
    "DialectName",
    "Driver",
    "Effort",
    "EncodeError",
    "ExecutionFailed",
    "Family",
    "Hooks",
    "HttpTransport",
    "ImageBlock",
    "ImageSource",
    "InputJsonDelta",
    "InputJsonFinal",
    "InvalidInput",
    "Limits",
    "Message",
    "MessageStart",
    "MessageStop",
    "ModelRequest",
    "ModelTransport",
    "NamedTool",
    "Preparer",
    "Prices",
    "ProviderError",
    "QueueFull",
    "Queued",
    "RedactedThinking",
    "RedactedThinkingBlock",
    "RetryPolicy",
    "Role",
    "Run",
    "RunFailed",
    "RunFault",
    "RunResult",
    "Session",
    "SessionBusy",
    "SessionInvalid",
    "Settings",
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
    "Tool",
    "ToolBounds",
    "ToolChoice",
    "ToolContext",
    "ToolDef",
    "ToolOutput",
    "ToolRegistry",
    "ToolResultBlock",
    "ToolUseBlock",
    "ToolUseStart",
    "TransportFailed",
    "Turn",
    "Unchanged",
    "UsageEvent",
    "UsageFacts",
    "WireError",
    "WriteLocks",
    "assistant",
    "caps_for",
    "dialect_for",
    "dialect_name",
    "encode_event",
    "error_in_tail",
    "estimate_output_tokens",
    "facts_and_model",
    "is_overflow",
    "is_quota",
    "is_retryable",
    "loop",
    "model_from_body",
    "model_from_head",
    "prepare",
    "prompt_text_bytes",
    "tool",
    "tool_results",
    "tool_uses",
    "turn_of",
    "usage_event",
    "usage_from_body",
    "usage_from_tail",
    "user",
    "user_with_images",
]


def __getattr__(name: str) -> Any:
    """Give a name of this package, imported when it is first asked for, or what is `beyond_wire`'s."""
    if name in _LATER:
        value = getattr(import_module(f"beyond_agent_core.{_LATER[name]}"), name)
    elif name in beyond_wire.__all__:
        value = getattr(beyond_wire, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
