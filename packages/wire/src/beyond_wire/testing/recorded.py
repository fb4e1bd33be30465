"""What is recorded of a dialect, as data: streamed answers with their meaning, requests with their bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from beyond_wire.testing.fixture import Fields, Stream
from beyond_wire.types import Caps, Dialect, ModelRequest, StreamEvent
from beyond_wire.usage import Family


class RecordedTurn(msgspec.Struct, frozen=True, kw_only=True):
    """One streamed answer and what it means.

    `fault` is the code of the error it ends in, None for a clean end. `body` is the same answer as a whole body, where
    there is one. `odd` says that the vendor's own types refuse it.
    """

    name: str
    stream: bytes
    events: tuple[StreamEvent, ...]
    fault: str | None = None
    body: bytes | None = None
    odd: bool = False


class RecordedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what must be sent for it: the body in the order of its keys, and the headers."""

    name: str
    request: ModelRequest
    caps: Caps
    body: Fields
    headers: dict[str, str] = {}


class Tables(msgspec.Struct, frozen=True, kw_only=True):
    """A dialect and all that is recorded of it, for `check_dialect`.

    `family` is whose usage it reports, `model` a model asked in it. `ends` tells whether an event with this JSON object
    completes an answer, and `truncated` is the text of the fault where none does. `streams` and `bodies` are answers
    with the facts that the gateway reads from them; `no_answers` are bodies that are neither an answer nor an error.
    """

    dialect: Dialect
    family: Family
    model: str
    ends: Callable[[dict[str, Any]], bool]
    truncated: str
    turns: tuple[RecordedTurn, ...]
    requests: tuple[RecordedRequest, ...]
    streams: tuple[Stream, ...] = ()
    bodies: tuple[Stream, ...] = ()
    no_answers: tuple[bytes, ...] = ()

    @property
    def clean(self) -> list[RecordedTurn]:
        """The turns that end well."""
        return [turn for turn in self.turns if turn.fault is None]
