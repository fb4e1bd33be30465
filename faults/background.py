"""Legitimate traffic on a healthy provider, which no fault elsewhere may touch."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faults.client import BACKGROUND, BYO_KEY, NOTHING, Answer, Client, chat, managed_key, request, responses

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE_S = 0.02
"""Between two requests of one client: enough to see every disturbance, little enough to leave the machine alone."""
ON_ONE_CONNECTION = 10
"""Requests before a client opens a new connection, so that both kept and new connections are watched."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of client: its request, and what its answer must contain."""

    name: str
    data: bytes
    contains: tuple[bytes, ...]
    managed: bool


def kinds() -> list[Kind]:
    """Return JSON and SSE, managed and BYO, in both dialects; each has a key of its own, as applications have."""
    keys = [managed_key(BACKGROUND, number) for number in range(4)]
    claude_version = ("anthropic-version: 2023-06-01",)
    path, text = "/openai/v1/chat/completions", "a b c"
    body, stream = chat("gpt-x", text), chat("gpt-x", text, stream=True)
    claude = chat("claude-x", text, stream=True, max_tokens=64)
    return [
        Kind("json", request(path, body, key=keys[0]), (b"You said: a b c",), managed=True),
        Kind("sse", request(path, stream, key=keys[1]), (b'"said: "', b"[DONE]"), managed=True),
        Kind("items", request("/v1/responses", responses("gpt-x", text), key=keys[2]), (b"a b c",), managed=True),
        Kind(
            "claude",
            request("/v1/messages", claude, key=keys[3], headers=claude_version),
            (b'"said: "', b"message_stop"),
            managed=True,
        ),
        Kind("byo json", request(path, body, key=BYO_KEY + "-1"), (b"a b c",), managed=False),
        Kind("byo sse", request(path, stream, key=BYO_KEY + "-2"), (b"[DONE]",), managed=False),
    ]


class Background:
    """A client of each kind in a loop. `wrong` says what was not as it must be; `ids` are of managed answers."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._port = port
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self.fresh_connections = True
        self.forgiving = False
        self.answers = 0
        self.forgiven = 0
        self.slowest_s = 0.0
        self.ids: list[str] = []
        self.uncertain = 0
        self.wrong: list[str] = []

    def start(self, times: int = 1) -> None:
        """Begin, with `times` clients of each kind."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run(kind), name=kind.name) for kind in kinds() for _ in range(times)]

    async def stop(self) -> None:
        """Let each client finish its request, then end."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks)
            for task in self._tasks:
                task.result()
        self._tasks = []

    async def _run(self, kind: Kind) -> None:
        client: Client | None = None
        served = 0
        while not self._stopping:
            if client is not None and served >= ON_ONE_CONNECTION and self.fresh_connections:
                client.leave()
                client = None
            if client is None:
                served = 0
                try:
                    client = await Client.open(self._port())
                except OSError as fault:
                    self._failed(kind, f"cannot connect: {type(fault).__name__}", sent=False)
                    await asyncio.sleep(PAUSE_S)
                    continue
            began = time.monotonic()
            client.send(kind.data)
            answer = await client.answer()
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            served += 1
            if not self._judge(kind, answer):
                client.leave()
                client = None
            await asyncio.sleep(PAUSE_S)
        if client is not None:
            client.leave()

    def _judge(self, kind: Kind, answer: Answer) -> bool:
        right = answer.whole and answer.status == 200 and all(part in answer.body for part in kind.contains)
        if not right:
            seen = "no answer" if answer is NOTHING else f"{answer.status} whole={answer.whole} {answer.body[:120]!r}"
            self._failed(kind, seen, sent=answer.status < 400)
            return False
        self.answers += 1
        if kind.managed:
            self.ids.append(answer.request_id)
        return True

    def _failed(self, kind: Kind, seen: str, *, sent: bool) -> None:
        self.uncertain += kind.managed and sent
        if self.forgiving:
            self.forgiven += 1
        elif len(self.wrong) < 5:
            self.wrong.append(f"{kind.name}: {seen}")

    def summary(self) -> str:
        """Return what they saw, in words."""
        lost = f", {self.forgiven} lost" if self.forgiven else ""
        return f"{self.answers} right, {len(self.wrong)} wrong{lost}, slowest {self.slowest_s * 1000:.0f} ms"
