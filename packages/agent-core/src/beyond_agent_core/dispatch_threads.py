"""A plain function in a thread of its own: it neither stops the event loop nor waits for others' threads.

The event loop's own pool has few threads on a small machine, and a function that hangs would keep one of them, and the
end of the process, for ever. So each call gets a daemon thread; it costs some 50 microseconds.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from beyond_agent_core.errors import ExecutionFailed

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_thread(function: Callable[..., T], *arguments: object, name: str) -> T:
    """Return what `function` returns, in a copy of this context.

    A thread cannot be cancelled: at a cancel its end is waited for, and what it returned is the result. A second cancel
    leaves it behind. Raises what it raises, as ExecutionFailed where that is no Exception.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: T | None, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(value)  # pyright: ignore[reportArgumentType] - without an error there is a value
        elif isinstance(error, Exception) and not isinstance(error, StopIteration):
            ended.set_exception(error)
        else:
            ended.set_exception(ExecutionFailed(f"{type(error).__name__}: {error}"))

    def body() -> None:
        value, error = None, None
        try:
            value = context.run(function, *arguments)
        except BaseException as raised:  # noqa: BLE001 - even an exit ends this thread only
            error = raised
        # Nobody is left to be told when the loop is closed.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=body, name=name, daemon=True).start()
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        await asyncio.wait([ended])
        return ended.result()
