"""Sessions on disk for tests: a clock that moves by a second a look, messages, and what a file holds."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from beyond_agent.sessions.store import SessionStore
from beyond_wire.types import Message, TextBlock, TokenUsage, ToolResultBlock, ToolUseBlock, user

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from beyond_agent.sessions.stored import StoredSession

CWD = "/work/app"
MODEL = "claude-opus-4-8"
NOBODY = {"owner": "somebody", "pid": 0, "start": "", "host": "elsewhere", "space": "", "generation": 7}


class Clock:
    """Wall time that begins in 2026 and moves by a second whenever somebody looks."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def chance() -> Callable[[int], bytes]:
    """Return a source of bytes that counts."""
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


def store_in(folder: Path, **more: Any) -> SessionStore:
    """Return a store whose ids and times are the same every time."""
    settings: dict[str, Any] = {"clock": Clock(), "chance": chance(), **more}
    return SessionStore(folder, **settings)


def answer(text: str = "", *calls: ToolUseBlock, tokens: int = 10) -> Message:
    """Return what a model said, at a cost of `tokens` in and one out."""
    said = (TextBlock(text=text),) if text else ()
    return Message(
        role="assistant",
        content=(*said, *calls),
        model_id=MODEL,
        stop_reason="tool_use" if calls else "end_turn",
        usage=TokenUsage(input_tokens=tokens, output_tokens=1),
    )


def call(call_id: str) -> ToolUseBlock:
    return ToolUseBlock(id=call_id, name="bash", input={"command": "ls"})


def results(call_id: str, text: str = "ok") -> Message:
    return Message(role="user", content=(ToolResultBlock(tool_use_id=call_id, content=text),))


def say(stored: StoredSession, *messages: Message | str) -> list[str]:
    """Push messages as a run does, and write them; return the ids of all that the context has by then."""
    for message in messages:
        if isinstance(message, str):
            stored.session.push(user(message))
        elif message.usage is not None:
            stored.session.commit(message, message.usage)
        else:
            stored.session.push(message)
    asyncio.run(stored.checkpoint("results"))
    return list(stored.ids)


def ended(stored: StoredSession) -> StoredSession:
    asyncio.run(stored.end_run("done"))
    return stored


def texts(stored: StoredSession) -> list[str]:
    """Return the first text of each message of the context."""
    return [said(message) for message in stored.session.messages]


def said(message: Message) -> str:
    first = message.content[0]
    return getattr(first, "text", "") or getattr(first, "content", "") or getattr(first, "id", "")


def lines(stored: StoredSession | str) -> list[dict[str, Any]]:
    """Return what stands in a session's file."""
    path = stored if isinstance(stored, str) else stored.path or ""
    return [msgspec.json.decode(line) for line in Path(path).read_bytes().splitlines()]


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def spy(monkeypatch: pytest.MonkeyPatch, name: str) -> list[tuple[Any, ...]]:
    """Have a function of `os` noted with what it is given; it goes on to do its work."""
    real, seen = getattr(os, name), list[tuple[Any, ...]]()

    def noted(*given: Any) -> Any:
        seen.append(given)
        return real(*given)

    monkeypatch.setattr(os, name, noted)
    return seen


def kinds(stored: StoredSession | str) -> list[str]:
    return [line["type"] for line in lines(stored)]
