"""Hooks called from an event loop: a failure of theirs is told, and is never taken for a cancel of the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar, cast

from beyond_agent_core.hooks import LOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_agent_core.hooks import Maybe

T = TypeVar("T")


async def call(hook: Callable[..., Maybe[T]], *arguments: object) -> T:
    """Return what a hook returns, awaited where it is to be. Raises what it raises.

    A hook whose own wait was cancelled raises RuntimeError: only a cancel of the run is one.
    """
    try:
        returned = hook(*arguments)
        return cast("T", await returned if isinstance(returned, Awaitable) else returned)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError("what it waited for was cancelled") from None


async def call_quietly(hook: Callable[..., Maybe[T]] | None, name: str, *arguments: object) -> T | None:
    """Return what a hook returns; None where there is none, and, with a line in the log, where it fails."""
    if hook is None:
        return None
    try:
        return await call(hook, *arguments)
    except Exception as error:  # noqa: BLE001 - a hook that observes must not disturb the run
        LOG.warning("hook %s failed: %s: %s", name, type(error).__name__, error)
        return None
