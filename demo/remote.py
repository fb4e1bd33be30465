"""A client of `serve` on the other side of an SSH connection: commands in, frames out, one JSON object a line."""

from __future__ import annotations

import queue
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from demo.processes import DemoError

if TYPE_CHECKING:
    from collections.abc import Callable

_WAIT_S: Final = 30.0
Frame = dict[str, Any]


class Remote:
    """Frames arrive in `frames` as they are taken. Leaving the context ends the connection as Ctrl-C would."""

    def __init__(self, argv: list[str]) -> None:
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._arrived: queue.Queue[Frame | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.frames: list[Frame] = []
        self._answers: list[Frame] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def drop(self) -> None:
        """Kill the connection where it stands."""
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def send(self, kind: str, **fields: Any) -> None:
        """Send a command."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        self._process.stdin.write(msgspec.json.encode({"type": kind, **fields}) + b"\n")
        self._process.stdin.flush()

    def until(self, wanted: Callable[[Frame], bool]) -> Frame:
        """Return the next frame that is wanted; those before it are kept too. Raises DemoError where none comes."""
        while True:
            try:
                frame = self._arrived.get(timeout=_WAIT_S)
            except queue.Empty:
                frame = None
            if frame is None:
                raise DemoError(f"the frame that was due did not come; the last was {self.frames[-1:]}")
            self.frames.append(frame)
            if frame["type"] == "response":
                self._answers.append(frame)
            if wanted(frame):
                return frame

    def event(self, kind: str) -> Frame:
        """Return the next event of a kind."""
        return self.until(lambda frame: frame["type"] == "event" and frame["event"]["kind"] == kind)["event"]

    def answer(self, kind: str, **fields: Any) -> Any:
        """Send a command and return the data of its response. Raises DemoError where it failed."""
        self.send(kind, id=kind, **fields)
        return self.response(kind)["data"]

    def response(self, kind: str) -> Frame:
        """Return the response to a command that was sent with its kind as id."""
        frame = next((each for each in self._answers if each.get("id") == kind), None)
        if frame is None:
            frame = self.until(lambda frame: frame["type"] == "response" and frame.get("id") == kind)
        # Answers to two commands may come in either order.
        self._answers.remove(frame)
        if not frame["success"] and frame["error_code"] != "cancelled":
            raise DemoError(f"{kind}: {frame['error']}")
        return frame

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        for line in self._process.stdout:
            self._arrived.put(msgspec.json.decode(line))
        self._arrived.put(None)
