"""How the parts of the loop ask: one effect, one answer of a known kind."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from beyond_agent_core import effects as ask
from beyond_agent_core.errors import RunFault
from beyond_agent_core.run import End

if TYPE_CHECKING:
    from beyond_agent_core.events import AgentEvent

T = TypeVar("T")
Steps: TypeAlias = Generator[ask.Effect, ask.Answer, T]
"""A part of the loop that ends with a T."""


def asked(effect: ask.Effect, *kinds: type[T]) -> Steps[T]:
    """Ask for an effect and return its answer. Raises TypeError where that is none of `kinds`."""
    answer = yield effect
    if not isinstance(answer, kinds):
        raise TypeError(f"{type(effect).__name__} was answered with {type(answer).__name__}")
    return cast("T", answer)


def emit(event: AgentEvent) -> Steps[None]:
    """Tell the watchers."""
    yield ask.Emit(event)


def checkpoint(at: ask.CheckpointAt) -> Steps[End | None]:
    """Make the session durable; return the end of the run where that failed."""
    saved = yield from asked(ask.Checkpoint(at), ask.Saved, ask.CheckpointFailed)
    if isinstance(saved, ask.Saved):
        return None
    return End(outcome="error", fault=RunFault(code="checkpoint_failed", message=saved.message))
