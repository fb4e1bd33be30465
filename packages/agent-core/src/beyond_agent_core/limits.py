"""When a run has used up what it may: steps, time, tokens, money. Checked in this order, in this one place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import astuple

from beyond_agent_core.errors import ConfigError
from beyond_agent_core.events import LimitHit

if TYPE_CHECKING:
    from beyond_wire.types import TokenUsage

_PER = 1_000_000
"""Prices are for so many tokens."""


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of a million tokens, in any currency; `cache_write_1h` is the price of the part kept for an hour."""

    input: float
    output: float
    cache_read: float = 0.0
    cache_write: float = 0.0
    cache_write_1h: float = 0.0

    def cost(self, usage: TokenUsage) -> float:
        """Return what `usage` costs."""
        short = usage.cache_write_tokens - usage.cache_write_1h_tokens
        return (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_tokens * self.cache_read
            + short * self.cache_write
            + usage.cache_write_1h_tokens * self.cache_write_1h
        ) / _PER


class Used(msgspec.Struct, kw_only=True):
    """What a run has used so far; seconds since agent_start, tokens of every kind, failed attempts included."""

    steps: int = 0
    seconds: float = 0.0
    tokens: int = 0
    cost: float = 0.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Budgets of one run; None is no limit. Raises ConfigError for what is no positive number."""

    max_steps: int | None = 100
    max_seconds: float | None = None
    max_tokens_total: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None

    def __post_init__(self) -> None:
        for name in ("max_steps", "max_seconds", "max_tokens_total", "max_cost"):
            value = getattr(self, name)
            if value is not None and not (is_number(value) and value > 0):
                raise ConfigError(name, "must be a number above 0, or None for no limit")
        if self.max_cost is not None and self.prices is None:
            raise ConfigError("max_cost", "needs prices")
        if self.prices is not None and not all(is_number(price) and price >= 0 for price in astuple(self.prices)):
            # With a price that is no number the cost would never reach a limit.
            raise ConfigError("prices", "must be numbers, 0 or above")

    def crossed(self, used: Used) -> LimitHit | None:
        """Return the first limit that `used` has reached, in the contract's order."""
        checks = (
            ("max_steps", self.max_steps, used.steps),
            ("max_seconds", self.max_seconds, used.seconds),
            ("max_tokens_total", self.max_tokens_total, used.tokens),
            ("max_cost", self.max_cost, used.cost),
        )
        for name, most, spent in checks:
            if most is not None and spent >= most:
                return LimitHit(name=name, max=most, used=spent)
        return None


def is_number(value: object) -> bool:
    """Whether a setting is a finite number, which types promise and callers may break."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def message_of(hit: LimitHit) -> str:
    """Say in words which limit ended the run."""
    if hit.name == "max_steps":
        return f"reached max steps ({hit.max:g}) without completion"
    return f"reached {hit.name} ({hit.used:g} of {hit.max:g})"
