"""Calls that block, and calls that never come back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from beyond_gateway.doctor.bounded import in_thread


def test_a_result_and_an_exception_come_back() -> None:
    """What the call returns is returned, what it raises is raised, and it ran in another thread."""

    async def both() -> None:
        assert await in_thread(threading.get_ident) != threading.get_ident()
        assert await in_thread(lambda: None) is None
        with pytest.raises(OSError, match="no such thing"):
            await in_thread(fails)

    def fails() -> None:
        raise OSError("no such thing")

    asyncio.run(both())


def test_a_caller_that_stops_waiting_is_free() -> None:
    """The call is left behind; when it ends after all, nothing happens."""
    may_end, ended = threading.Event(), threading.Event()
    faults: list[dict[str, Any]] = []

    first: list[threading.Thread] = []

    def slow() -> None:
        first.append(threading.current_thread())
        may_end.wait()
        ended.set()

    async def impatient() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await in_thread(slow)
        may_end.set()
        # What the first call has to tell comes before what this one returns.
        await in_thread(lambda: (ended.wait(), first[0].join()))

    asyncio.run(impatient())
    assert faults == []


def test_the_exit_does_not_wait_for_it() -> None:
    """A process whose call never returns ends all the same."""
    script = (
        "import asyncio, threading; from beyond_gateway.doctor.bounded import in_thread\n"
        "async def main():\n"
        "    try: await asyncio.wait_for(in_thread(threading.Event().wait), 0.01)\n"
        "    except TimeoutError: print('over')\n"
        "asyncio.run(main())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True)
    assert (done.stdout, done.stderr) == ("over\n", "")
