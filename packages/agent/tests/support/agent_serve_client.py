"""Clients of `serve` for tests: each frame that they read is checked against the published schema.

`Talk` is a client in the same event loop, on a connection without a transport; `Line` one of a process or a socket.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections import Counter
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from beyond_agent.serve.connection import Connection
from beyond_agent.serve.handlers import HANDLERS
from beyond_agent.serve.outbox import BACKLOG
from beyond_agent.serve.schema import schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from beyond_agent.serve.hub import Hub
    from beyond_agent.serve.live import LiveSession

Frame = dict[str, Any]
WAIT_S = 60.0
WHOLE = 2
"""Frames of a kind that are checked against the whole schema, which is slow; others against their own part."""


@cache
def _definitions() -> dict[str, Any]:
    return schema()["$defs"]


@cache
def _validator(name: str) -> Any:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": _definitions()})


@cache
def _by_tag(field: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    for name, each in _definitions().items():
        fields = each.get("properties", {})
        tag = fields.get(field, {})
        if "const" in tag or "enum" in tag:
            tags.setdefault(tag.get("const", (tag.get("enum") or [""])[0]), name)
    return tags


@cache
def _seen() -> Counter[str]:
    """How many frames of each kind all clients of this process have checked."""
    return Counter()


class Checked:
    """Checks frames, and the numbers of those that have one."""

    def __init__(self) -> None:
        self._seen = _seen()

    def frame(self, line: bytes) -> Frame:
        assert line.endswith(b"\n")
        assert len(line) <= 8 * 1024 * 1024
        frame: Frame = json.loads(line)  # noqa: TID251 - a reader that is not the writer's
        names = ["frame"]
        if frame["type"] == "response":
            names = [f"response_{frame['command']}"]
            if names[0] not in _definitions():
                names = ["response_to_no_command"]
        elif frame["type"] == "event":
            event = frame["event"]
            names = ["EventFrame"] if event["kind"] == "stream" else [_by_tag("kind")[event["kind"]]]
            if event["kind"] != "stream":
                _validator(names[0]).validate(event)
                names = []
        kind = f"{frame['type']} {names}"
        self._seen[kind] += 1
        if self._seen[kind] <= WHOLE:
            names = ["frame"]
        if frame["type"] != "event" or self._seen[kind] <= WHOLE:
            for name in names:
                _validator(name).validate(frame)
        return frame


def numbered(frames: list[Frame]) -> list[Frame]:
    """The frames of the session itself."""
    return [frame for frame in frames if "seq" in frame]


def events(frames: list[Frame]) -> list[str]:
    """The kinds of the events among frames."""
    return [frame["event"]["kind"] for frame in frames if frame["type"] == "event"]


def without_stream(frames: list[Frame]) -> list[str]:
    """The same, without the pieces of answers."""
    return [kind for kind in events(frames) if kind != "stream"]


class Talk:
    """A client in the event loop. `frames` are all that came."""

    def __init__(self, hub: Hub, live: LiveSession, *, shared: bool = False, backlog: int = BACKLOG) -> None:
        self.frames: list[Frame] = []
        self._check = Checked()
        self._input: asyncio.Queue[bytes] = asyncio.Queue()
        self._changed = asyncio.Condition()
        self._reads = asyncio.Event()
        self._reads.set()
        self.connection = Connection(hub, live, HANDLERS, self._write, shared=shared, backlog=backlog)
        if not shared:
            self.connection.attach()
        loop = asyncio.get_running_loop()
        self._taking = loop.create_task(self.connection.serve(self._input_piece))
        self._sending = loop.create_task(self.connection.outbox.run())

    def stop_reading(self) -> None:
        self._reads.clear()

    def read_again(self) -> None:
        self._reads.set()

    def raw(self, data: bytes) -> None:
        self._input.put_nowait(data)

    def say(self, type: str, **fields: Any) -> None:  # noqa: A002 - the protocol's field
        self.raw(json.dumps({"type": type, **fields}).encode() + b"\n")

    async def ask(self, type: str, **fields: Any) -> Frame:  # noqa: A002 - the protocol's field
        """Send a command and return its response."""
        self.say(type, **fields)
        return await self.response(type, fields.get("id"))

    async def response(self, command: str, command_id: Any = None, after: int = 0) -> Frame:
        """Return the newest response to a command that has not been returned, waiting for it."""

        def mine(frame: Frame) -> bool:
            return (
                frame["type"] == "response"
                and frame["command"] == command
                and frame.get("id") == command_id
                and not frame.get("_taken")
            )

        frame = await self.until(mine, after)
        frame["_taken"] = True
        return frame

    async def until(self, wanted: Callable[[Frame], bool], after: int = 0) -> Frame:
        """Return the first frame that is wanted, from number `after` of those that came."""
        at = after
        async with asyncio.timeout(WAIT_S), self._changed:
            while True:
                while at < len(self.frames):
                    if wanted(self.frames[at]):
                        return self.frames[at]
                    at += 1
                await self._changed.wait()

    async def event(self, kind: str, after: int = 0) -> Frame:
        """Return the first event of a kind."""
        return await self.until(lambda frame: frame["type"] == "event" and frame["event"]["kind"] == kind, after)

    async def end(self) -> None:
        """End the input, and return when all is answered."""
        self.raw(b"")
        await self._taking
        await self.connection.answered()
        self.connection.outbox.end()
        await self._sending
        self.connection.drop()

    async def vanish(self) -> None:
        """Be gone without a word."""
        self._taking.cancel()
        self._sending.cancel()
        await asyncio.wait([self._taking, self._sending])
        self.connection.drop()

    async def _input_piece(self, _: int) -> bytes:
        return await self._input.get()

    async def _write(self, data: bytes) -> None:
        await self._reads.wait()
        for line in data.splitlines(keepends=True):
            self.frames.append(self._check.frame(line))
        async with self._changed:
            self._changed.notify_all()


class Line:
    """A client of a process or a socket: a thread reads its frames as they come."""

    def __init__(self, readable: IO[bytes], writable: IO[bytes]) -> None:
        self.frames: list[Frame] = []
        self._check = Checked()
        self._readable, self._writable = readable, writable
        self._new: queue.SimpleQueue[Frame | Exception | None] = queue.SimpleQueue()
        self._at = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def joined(self) -> None:
        """Return when nothing is read any more."""
        self._thread.join(WAIT_S)

    def raw(self, data: bytes) -> None:
        self._writable.write(data)
        self._writable.flush()

    def say(self, type: str, **fields: Any) -> None:  # noqa: A002 - the protocol's field
        self.raw(json.dumps({"type": type, **fields}).encode() + b"\n")

    def ask(self, type: str, **fields: Any) -> Frame:  # noqa: A002 - the protocol's field
        """Send a command and return its response."""
        start = len(self.frames)
        self.say(type, **fields)
        return self.response(type, fields.get("id"), start)

    def response(self, command: str, command_id: Any = None, after: int = 0) -> Frame:
        """Return the response to a command."""
        return self.until(
            lambda frame: frame["type"] == "response" and (frame["command"], frame.get("id")) == (command, command_id),
            after,
        )

    def event(self, kind: str, after: int = 0) -> Frame:
        """Return the first event of a kind."""
        return self.until(lambda frame: frame["type"] == "event" and frame["event"]["kind"] == kind, after)

    def until(self, wanted: Callable[[Frame], bool], after: int = 0) -> Frame:
        """Return the first frame that is wanted, from number `after` of those that came."""
        at = after
        while True:
            while at < len(self.frames):
                if wanted(self.frames[at]):
                    return self.frames[at]
                at += 1
            assert self._take(), f"the stream ended; it had {[frame['type'] for frame in self.frames][-5:]}"

    def rest(self) -> list[Frame]:
        """Return all frames, when there are no more."""
        while self._take():
            pass
        return self.frames

    def end_input(self) -> None:
        self._writable.close()

    def _take(self) -> bool:
        new = self._new.get(timeout=WAIT_S)
        if isinstance(new, Exception):
            raise new
        if new is not None:
            self.frames.append(new)
        else:
            self._new.put(None)
        return new is not None

    def _read(self) -> None:
        try:
            with suppress(ValueError):
                for line in self._readable:
                    self._new.put(self._check.frame(line))
        except ConnectionResetError:
            pass
        except Exception as error:  # noqa: BLE001 - the test's own thread raises it
            self._new.put(error)
        self._new.put(None)
