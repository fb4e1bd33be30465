"""The dialect of a request, imported when it is first spoken.

One takes 20 ms to import, all three twice that, and the budget from the start of a process to its first request is 150:
an agent asks one model, so it waits for one dialect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from beyond_wire.types import Dialect, DialectName


def dialect_named(name: DialectName) -> Dialect:
    """Return the dialect of this name."""
    match name:
        case "anthropic":
            from beyond_wire import anthropic as spoken  # noqa: PLC0415 - the module says why
        case "chat":
            from beyond_wire import chat as spoken  # noqa: PLC0415 - the module says why
        case "responses":
            from beyond_wire import responses as spoken  # noqa: PLC0415 - the module says why
    return spoken
