"""The whole system once: gateway, `run` on a repository with a real bug, `serve` over a real SSH connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from demo import agent
from demo.sshd import MISSING, installed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not installed(), reason=MISSING)]


def test_the_whole_system_does_what_the_demo_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bug is mended; steer, abort and a dropped connection lose nothing; the rows equal the agent's own count."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    agent.show(tmp_path)
    shown = capsys.readouterr().out
    assert shown.count("  ok  ") == 6
    assert "9 answers, 90 in, 45 out, as the agent counted; 1 aborted" in shown
