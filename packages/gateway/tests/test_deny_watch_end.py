"""The watch ends when it is told to, whatever its client makes of that."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, NoReturn

from deny_store import config

from beyond_gateway.deny import watch as module
from beyond_gateway.deny.nats_client import NatsFailed
from beyond_gateway.deny.watch import DenyWatch
from beyond_gateway.log import Log
from beyond_gateway.usage_rows import LineWriter

if TYPE_CHECKING:
    import pytest


def test_a_cancel_that_the_client_loses_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is refused in the turn of the cancel is no reason to go on for ever."""
    attempts = 0

    async def refused_just_then(_: object) -> NoReturn:
        nonlocal attempts
        attempts += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if attempts > 1:
                raise
        raise NatsFailed("refused")

    async def go() -> None:
        monkeypatch.setattr(module, "connect", refused_just_then)
        said: list[bool] = []
        log = Log(LineWriter(os.open(os.devnull, os.O_WRONLY), None), time.monotonic)
        watch = DenyWatch(config("nats://127.0.0.1:1"), log, connected=said.append)
        task = asyncio.ensure_future(watch.run())
        await asyncio.sleep(0.01)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=10)
        assert task in done
        log.close()

    asyncio.run(go())
