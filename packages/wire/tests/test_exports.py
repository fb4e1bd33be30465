"""The public surface is pinned, and what a gateway does not use is not loaded."""

from __future__ import annotations

import subprocess
import sys
from pkgutil import iter_modules

import pytest

import beyond_wire

NAMES = """
ANTHROPIC CHAT DIALECTS EFFORTS RESPONSES Accumulator BodyInvalid Caps ContentBlock ContentBlockStop
DeltaCounter Dialect DialectName Effort EncodeError Family ImageBlock ImageSource InputJsonDelta
InputJsonFinal Message MessageStart MessageStop ModelRequest NamedTool Preparer ProviderError RedactedThinking
RedactedThinkingBlock Role SignatureDelta SseBadJson SseBadUtf8 SseEvent SseLineTooLong SseParser StopReason
StreamDecoder StreamEvent StreamTruncated TextBlock TextDelta TextFinal Thinking ThinkingBlock ThinkingDelta
TokenUsage ToolChoice ToolDef ToolResultBlock ToolUseBlock ToolUseStart Turn UsageEvent UsageFacts WireError
assistant caps_for dialect_for dialect_name error_in_tail estimate_output_tokens facts_and_model
is_overflow is_quota is_retryable model_from_body model_from_head prepare prompt_text_bytes tool_results
tool_uses turn_of usage_event usage_from_body usage_from_tail user user_with_images
"""


def test_public_names() -> None:
    """The package exports exactly these names, each exists, and `dir` shows it before it was asked for."""
    assert beyond_wire.__all__ == NAMES.split()
    assert set(NAMES.split()) <= set(dir(beyond_wire))
    assert all(getattr(beyond_wire, name) is not None for name in NAMES.split())


def test_no_name_is_a_module_too() -> None:
    """A module of the package under a public name would take its place as soon as anyone imports that module."""
    modules = {module.name for module in iter_modules(beyond_wire.__path__)}
    assert len(modules) > 30
    assert modules.isdisjoint(NAMES.split())


def test_another_name_is_an_attribute_error() -> None:
    """A slip of the pen says what it is."""
    with pytest.raises(AttributeError, match="has no attribute 'dialect_four'"):
        _ = getattr(beyond_wire, "dialect_" + "four")


def test_metering_loads_no_dialect() -> None:
    """Whoever meters pays for no vocabulary of messages and for no dialect."""
    script = (
        "import sys, beyond_wire; beyond_wire.usage_from_body('openai', b'{}');"
        "print([name for name in ('types', 'dialects', 'anthropic', 'chat', 'responses', 'history', 'caps')"
        " if 'beyond_wire.' + name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]"]
