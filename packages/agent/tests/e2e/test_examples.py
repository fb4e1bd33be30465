"""The programs in `examples/`, as a user runs them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from agent_run import User
from demo.sshd import MISSING, Sshd, installed

from beyond_agent_core.testing import ModelServer, error_status, turn

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not installed(), reason=MISSING)]
EXAMPLE = Path(__file__).parents[2] / "examples" / "ssh_client.py"
SCRIPTS = Path(sys.executable).parent


def test_a_client_of_twenty_lines_over_ssh(tmp_path: Path) -> None:
    """It attaches to a serving agent through a real SSH connection, prints text and calls, and ends with the run."""
    script = [turn.calls(("bash", {"command": "echo seen"}), said="I look."), turn.text("Done."), error_status(400)]
    with ModelServer(script) as model, Sshd(tmp_path / "ssh", SCRIPTS) as sshd:
        user = User(tmp_path, model.url)
        server = user.start("serve", "--listen-uds", str(tmp_path / "agent.sock"))
        try:
            _until_there(tmp_path / "agent.sock")
            told = _client(tmp_path, sshd, "go")
            assert (told.returncode, told.stderr) == (0, "")
            assert told.stdout == "I look.\n[bash] {'command': 'echo seen'}\nDone."
            failed = _client(tmp_path, sshd, "again")
            assert failed.returncode == 1
            assert '"message":"no"' in failed.stderr
        finally:
            server.terminate()
            server.communicate(timeout=60)


def test_the_client_fails_where_nobody_serves(tmp_path: Path) -> None:
    """Its status is 1, and the bridge's own line says why."""
    with Sshd(tmp_path / "ssh", SCRIPTS) as sshd:
        told = _client(tmp_path, sshd, "go")
    assert (told.returncode, told.stdout) == (1, "")
    assert "no server at " in told.stderr
    assert told.stderr.endswith("the connection ended before the answer was there\n")


def _client(folder: Path, sshd: Sshd, task: str) -> subprocess.CompletedProcess[str]:
    """Run the example with an `ssh` on its PATH that knows the way to the throwaway server."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    program, *options, host = sshd.command()
    options = [shutil.which(program) or program, *options]
    (programs / "ssh").write_text(f'#!/bin/sh\nexec {shlex.join(options)} "$@"\n')
    (programs / "ssh").chmod(0o755)
    return subprocess.run(
        [sys.executable, str(EXAMPLE), host, str(folder / "agent.sock"), task],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def _until_there(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
