"""Answers of a model, made up for a test."""

from __future__ import annotations

from typing import Any

from beyond_wire.types import Message, StopReason, TextBlock, TokenUsage, ToolUseBlock, Turn

COST = TokenUsage(input_tokens=10, output_tokens=5)
"""What each of these answers cost."""


def says(text: str, stop: StopReason = "end_turn") -> Turn:
    """Return an answer of text."""
    return _turn((TextBlock(text=text),), stop)


def calls(*named: tuple[str, dict[str, Any]], stop: StopReason = "tool_use", text: str = "") -> Turn:
    """Return an answer that calls tools, with ids `call_0` and on."""
    blocks = [ToolUseBlock(id=f"call_{at}", name=name, input=given) for at, (name, given) in enumerate(named)]
    return _turn((*((TextBlock(text=text),) if text else ()), *blocks), stop)


def refuses(text: str = "I cannot help with that.") -> Turn:
    """Return a refusal."""
    return says(text, "refusal")


def _turn(content: tuple[TextBlock | ToolUseBlock, ...], stop: StopReason) -> Turn:
    return Turn(message=Message(role="assistant", content=content), stop_reason=stop, usage=COST, bad_args={})
