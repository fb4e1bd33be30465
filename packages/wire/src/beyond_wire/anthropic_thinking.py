"""How Claude models are asked to reason: within a budget, adaptively at an effort, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_wire.types import Caps, Effort, ModelRequest

MIN_BUDGET = 1_024
"""Smallest budget that is sent, and what a lowered one leaves for the answer, in tokens (wire contract, Anthropic)."""

EFFORT_BUDGETS: Mapping[Effort, int] = {
    "minimal": 1_024,
    "low": 2_048,
    "medium": 8_192,
    "high": 16_384,
    "xhigh": 16_384,
}
"""What an effort means to a model that thinks by a budget, in tokens (wire contract, Anthropic)."""


def thinking_fields(request: ModelRequest, caps: Caps) -> dict[str, Any]:
    """Fields `thinking` and `output_config` of the body, each only where it is sent.

    A budget given as such goes before one that follows from an effort; to an adaptive model a budget only says that it
    shall think. A model that can switch thinking off is told so when nobody asked for it.
    """
    effort = None if request.reasoning_effort is None else caps.effort(request.reasoning_effort)
    fields: dict[str, Any] = {}
    if caps.thinking == "none":
        return fields
    if request.thinking is None and effort is None:
        return {"thinking": {"type": "disabled"}} if caps.can_disable else fields
    if caps.thinking == "budget":
        budget = _budget(request, effort)
        if budget >= MIN_BUDGET:
            fields["thinking"] = {"type": "enabled", "budget_tokens": budget, **_display(request)}
        return fields
    if caps.thinking == "adaptive":
        fields["thinking"] = {"type": "adaptive", **_display(request)}
    if effort is not None:
        fields["output_config"] = {"effort": caps.xhigh_word if effort == "xhigh" else effort}
    return fields


def _budget(request: ModelRequest, effort: Effort | None) -> int:
    asked = 0 if effort is None else EFFORT_BUDGETS[effort]
    if request.thinking is not None:
        asked = request.thinking.budget_tokens
    return asked if asked < request.max_tokens else request.max_tokens - MIN_BUDGET


def _display(request: ModelRequest) -> dict[str, str]:
    thinking = request.thinking
    return {} if thinking is None or thinking.display is None else {"display": thinking.display}
