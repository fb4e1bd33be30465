"""The mocks of ours as servers: the streaming one and the one for a GiB each way."""

from __future__ import annotations

import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.servers import Server, free_port, started
from bench.setting import PYTHON, ROOT

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.setting import Setting


@contextmanager
def sse_mock(setting: Setting, dialect: str, events: int, hold_after: int | None = None) -> Generator[Server]:
    """A provider on the load core that streams `events` events of `dialect`, or falls silent after `hold_after`."""
    port = free_port()
    words = [PYTHON, str(ROOT / "bench/sse_mock.py"), str(port), dialect, str(events)]
    words += [str(hold_after)] if hold_after is not None else []
    with started("sse-mock", words, port=port, core=setting.load_core, tmp=setting.tmp) as server:
        yield server


def events_sent(mock: Server) -> int:
    """Events that the streaming mock has sent so far to all its clients."""
    with urllib.request.urlopen(f"http://127.0.0.1:{mock.port}/stats") as answer:
        return int(answer.read())


def set_pace(mock: Server, pace_ms: int) -> None:
    """Let the streaming mock wait `pace_ms` before each event of a stream; 0 is flat out."""
    with urllib.request.urlopen(f"http://127.0.0.1:{mock.port}/pace/{pace_ms}"):
        pass


@contextmanager
def bulk_mock(setting: Setting, size: int) -> Generator[Server]:
    """A provider on the load core that swallows uploads and answers `/embeddings` with `size` bytes."""
    port = free_port()
    words = [PYTHON, str(ROOT / "bench/bulk_mock.py"), str(port), str(size)]
    with started("bulk-mock", words, port=port, core=setting.load_core, tmp=setting.tmp) as server:
        yield server
