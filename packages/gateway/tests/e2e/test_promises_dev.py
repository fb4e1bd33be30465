"""`dev` as somebody meets it who has configured nothing: where its metrics are, and what a hangup does to it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from stack import WAIT_S, chat, wait_for

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = pytest.mark.e2e


class Dev:
    """A running `dev` with what it printed, which names its addresses and its key."""

    def __init__(self, process: subprocess.Popen[bytes], told: Path) -> None:
        self.process = process
        self._told = told
        wait_for(lambda: "export AI_AGENT_KEY=" in self.told(), "the exports")
        self.metrics_url = self._printed(r"metrics on +(\S+)")
        self.url = self._printed(r"export AI_GATEWAY_URL=(\S+)")
        self._key = self._printed(r"export AI_AGENT_KEY=(\S+)")

    def told(self) -> str:
        return self._told.read_text()

    def _printed(self, pattern: str) -> str:
        found = re.search(pattern, self.told())
        assert found is not None, pattern
        return found[1]

    def ask(self) -> int:
        """Status of one request with the minted key."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/v1/chat/completions", chat(), headers)  # noqa: S310 - our own address
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:  # noqa: S310 - as above
            answer.read()
            return answer.status

    def metric(self, name: str) -> float:
        """The value of the one series with this name."""
        with urllib.request.urlopen(self.metrics_url, timeout=WAIT_S) as answer:  # noqa: S310 - as above
            families = text_string_to_metric_families(answer.read().decode())
        return next(sample.value for family in families for sample in family.samples if sample.name == name)


@contextmanager
def dev(folder: Path) -> Generator[Dev]:
    """Give `dev` on a free port, with a state directory of its own."""
    command = [sys.executable, "-m", "beyond_gateway", "dev", "--listen", "127.0.0.1:0", "--state-dir", str(folder)]
    told = folder / "told"
    with told.open("wb") as stderr, (folder / "rows").open("wb") as stdout:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
    try:
        yield Dev(process, told)
    finally:
        process.terminate()
        assert process.wait(WAIT_S) == 0


def test_dev_prints_where_its_metrics_are(tmp_path: Path) -> None:
    """The printed page is on loopback and counts what the printed key has asked for."""
    with dev(tmp_path) as running:
        assert running.metrics_url.startswith("http://127.0.0.1:")
        assert running.metric("ai_requests_total") == 0
        assert running.ask() == 200
        assert running.metric("ai_requests_total") == running.metric("ai_managed_admitted_total") == 1


def test_a_hangup_does_not_end_dev(tmp_path: Path) -> None:
    """There is no file to read again: SIGHUP is answered in the log, and requests are served on."""
    with dev(tmp_path) as running:
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "nothing to reload" in running.told(), "a word about the reload")
        assert running.ask() == 200
