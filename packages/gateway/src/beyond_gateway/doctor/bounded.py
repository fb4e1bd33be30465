"""A blocking call that may never come back, run so that nothing waits for it: not the other checks, not the exit.

asyncio's own threads are joined when the loop closes, so a name server that does not answer would keep a finished
`doctor` alive for as long as the resolver tries. A daemon thread is left behind instead, and ends with the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Return what `work` returns or raise what it raises; a caller that stops waiting leaves it behind."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # pyright: ignore[reportArgumentType] - None only where T is None

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failed = error
        # Nobody waits any more where the loop is closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, result, failed)

    threading.Thread(target=run, name="doctor", daemon=True).start()
    return await outcome
