"""The README's first command, and the one that spends real tokens, as far as that can be tried without a key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[4]
BARE = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}


def test_demo() -> None:
    """The demo drives the gateway with both SDKs, finds every answer and row right, and exits 0."""
    done = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=ROOT, env=BARE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything was as promised" in done.stdout
    assert "\x1b[" not in done.stdout, "no colour in a pipe"


def test_smoke_without_keys() -> None:
    """Without a provider's key in the environment every provider is listed as skipped."""
    command = [sys.executable, "-m", "demo.smoke"]
    done = subprocess.run(command, cwd=ROOT, env=BARE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  skip  ") >= 10
