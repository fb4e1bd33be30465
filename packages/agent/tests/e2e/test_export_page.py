"""The exported page in a real Chromium: a hostile transcript runs no script, asks for nothing, and is shown as text."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from html import unescape
from typing import TYPE_CHECKING, Self

import pytest
from agent_sessions import CWD, MODEL, say

from beyond_agent.sessions.export_html import export_html
from beyond_agent.sessions.memory import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium from Debian's packages"),
]
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=3000",
)  # fmt: skip


class Listener:
    """Counts who connects."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()


def opened(page: str, folder: Path) -> str:
    """Return the document as Chromium has it once it is loaded."""
    file = folder / "page.html"
    file.write_text(page)
    argv = ["chromium", *QUIET, f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()]
    return subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout.decode()


def attacks(url: str) -> list[str]:
    """Return texts that do something where a page lets them: they mark it, or ask `url`."""
    mark = "document.documentElement.setAttribute('data-owned','yes')"
    return [
        f"<script>{mark}</script>",
        f"</pre></details></style><script>{mark}</script>",
        f'<img src="{url}/i" onerror="{mark}">',
        f"<svg onload={mark}></svg><iframe srcdoc='<script>parent.{mark}</script>'></iframe>",
        f"<link rel=stylesheet href={url}/c><meta http-equiv=refresh content='0;url={url}/r'>",
        f"![]({url}/markdown) [x](javascript:{mark})",
    ]


def test_a_hostile_transcript_runs_nothing_and_asks_for_nothing(tmp_path: Path) -> None:
    """The page is as it was written, nobody was asked, and all of the text is there to read."""
    with Listener() as listener:
        stored = MemoryStore().create(CWD, MODEL)
        texts = attacks(listener.url)
        for text in texts:
            say(stored, text)
        seen = opened(export_html(stored), tmp_path)
        assert "data-owned" not in seen.partition("<body")[0]
        assert listener.connections == 0
    assert all(text in unescape(seen) for text in texts[:3])


def test_the_attacks_work_on_a_page_that_lets_them(tmp_path: Path) -> None:
    """What the test above rules out does happen in this browser."""
    with Listener() as listener:
        seen = opened(f"<!doctype html><body>{''.join(attacks(listener.url)[:3])}</body>", tmp_path)
        assert 'data-owned="yes"' in seen.partition("<body")[0]
        assert listener.connections > 0
