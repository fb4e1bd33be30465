"""Waiting, always with an end: nothing in this harness can block it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class WrongError(Exception):
    """The gateway did not do what its contract says; the text says what was seen."""


async def until(condition: Callable[[], object], what: str, seconds: float = 5.0) -> float:
    """Wait for `condition()` to be true; return the seconds it took. Raises WrongError naming `what` never came."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise WrongError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def check(right: object, text: str) -> None:
    """Raise WrongError with `text` unless `right`."""
    if not right:
        raise WrongError(text)
