"""Processes the demo starts, and the lines they print: the gateway in dev mode, and a provider to measure against."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

_START_S = 30.0
_ROW_S = 5.0
_STOP_S = 30.0
_SCRIPTS = Path(sys.executable).parent


class DemoError(Exception):
    """Something is not as the gateway promises; the text says what."""


class Row(msgspec.Struct, frozen=True):
    """What the demo reads of a usage row; None is unknown."""

    request_id: str
    tenant_id: int
    provider: str
    outcome: str
    stream: bool
    model: str | None = None
    requested_model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    usage_estimated: bool = False


class _Line(msgspec.Struct, frozen=True):
    target: str
    fields: Row


class Lines:
    """The lines of a pipe, read by a thread so that the process behind it never waits for us."""

    def __init__(self, pipe: IO[str]) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._thread = threading.Thread(target=self._pump, args=(pipe,), daemon=True)
        self._thread.start()

    def next(self, timeout_s: float) -> str | None:
        """Return the next line without its end, None at the end of the pipe; `queue.Empty` after the time."""
        return self._lines.get(timeout=timeout_s)

    def rest(self) -> list[str]:
        """Return what is left, once the process has ended."""
        self._thread.join()
        return [line for line in iter(self._lines.get, None) if line]

    def ended(self) -> None:
        """Wait for the end of the pipe."""
        self._thread.join()

    def _pump(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)


class Started:
    """A child process with its two pipes; leaving the context stops it with SIGTERM."""

    def __init__(self, command: list[str], env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(env), errors="replace"
        )
        out, err = self._process.stdout, self._process.stderr
        if out is None or err is None:
            raise DemoError("a child process has no pipes")
        self._pipes = (out, err)
        self.out, self.err = Lines(out), Lines(err)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """End the process, if it still runs, and return its exit status; kills it when it does not end by itself."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.out.ended()
        self.err.ended()
        return self._process.returncode


class Provider(Started):
    """The embedded provider as a process of its own, so that the same one can be called with and without gateway."""

    def __init__(self) -> None:
        super().__init__([sys.executable, "-m", "beyond_gateway.mock", "--listen", "127.0.0.1:0"], clean_environment())
        try:
            said = self.out.next(_START_S)
        except queue.Empty:
            said = None
        if not said:
            self.stop()
            raise DemoError(f"the provider did not start: {' / '.join(self.err.rest()[-3:])}")
        self.port = int(said.rpartition(":")[2])


class Gateway(Started):
    """`beyond-ai dev` on a free port; `exports` is what it tells a user to paste."""

    def __init__(self, state_dir: str, settings: Mapping[str, str]) -> None:
        command = [str(_SCRIPTS / "beyond-ai"), "dev", "--listen", "127.0.0.1:0", "--state-dir", state_dir]
        super().__init__(command, clean_environment() | dict(settings))
        self.exports: dict[str, str] = {}
        try:
            self._read_exports()
        except DemoError:
            self.stop()
            raise

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.exports["OPENAI_BASE_URL"].removesuffix("/v1")

    @property
    def key(self) -> str:
        """The managed key it minted."""
        return self.exports["OPENAI_API_KEY"]

    def row(self) -> Row:
        """Return the next usage row from the gateway's stdout; waits a few seconds for it."""
        while True:
            try:
                line = self.out.next(_ROW_S)
            except queue.Empty:
                raise DemoError("no usage row came") from None
            if line is None:
                raise DemoError(f"the gateway ended: {' / '.join(self.err.rest()[-3:])}")
            if row := usage_row(line):
                return row

    def _read_exports(self) -> None:
        needed = {"OPENAI_BASE_URL", "OPENAI_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"}
        said: list[str] = []
        while not needed <= set(self.exports):
            try:
                line = self.err.next(_START_S)
            except queue.Empty:
                line = None
            if line is None:
                raise DemoError(f"the gateway did not start: {' / '.join(said[-3:])}")
            said.append(line)
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").partition("=")
                self.exports[name] = value


def usage_row(line: str) -> Row | None:
    """Return the row in a line of stdout, None for any other line; `DemoError` when a row has not its form."""
    if '"ai.usage"' not in line:
        return None
    try:
        return msgspec.json.decode(line, type=_Line).fields
    except msgspec.DecodeError as fault:
        raise DemoError(f"a usage row is not as promised: {fault}") from None


def clean_environment() -> dict[str, str]:
    """Return our environment without settings of gateway and SDKs, so that nothing of the user's is used or spent."""
    ours = ("AI_", "OPENAI_", "ANTHROPIC_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def bypass_proxies() -> None:
    """Keep the SDKs in this process from sending loopback requests to a proxy named in the environment."""
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
