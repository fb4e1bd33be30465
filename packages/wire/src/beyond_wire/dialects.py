"""The three wire formats under their names, and which of them a model is asked in."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from beyond_wire import anthropic, chat, responses
from beyond_wire.caps import dialect_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_wire.types import Dialect, DialectName

# A module that has the members of `types.Dialect` is one.
CHAT: Final[Dialect] = chat
"""OpenAI Chat Completions."""
RESPONSES: Final[Dialect] = responses
"""OpenAI Responses."""
ANTHROPIC: Final[Dialect] = anthropic
"""Anthropic Messages."""

DIALECTS: Final[Mapping[DialectName, Dialect]] = MappingProxyType(
    {"chat": CHAT, "responses": RESPONSES, "anthropic": ANTHROPIC}
)
"""All of them by name."""


def dialect_for(model: str) -> Dialect:
    """Return the dialect that `model` is asked in, by its id (wire contract, capabilities and dialect choice)."""
    return DIALECTS[dialect_name(model)]
