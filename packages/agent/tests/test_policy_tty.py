from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent.policy.tty import Reply, TerminalAsker, understood

YES = {"y": "once", "yes": "once", "a": "session", "always": "session"}


@pytest.mark.parametrize("line", ["y\n", "Y\n", " yes \r\n", "a\n", "ALWAYS\n"])
def test_the_words_of_a_yes(line: str) -> None:
    """In any case and with blanks around."""
    assert understood(line) == Reply("allow", YES[line.strip().lower()])


@given(st.text())
def test_whatever_else_is_typed_is_a_no(line: str) -> None:
    """Only the four words allow."""
    assert (understood(line).decision == "allow") == (line.strip().lower() in YES)


@pytest.mark.parametrize("line", ["\n", "n\n", "No\n"])
def test_a_no_is_told_as_the_users(line: str) -> None:
    """Return alone is a no."""
    assert understood(line) == Reply("deny", reason="denied by the user")


def test_without_a_terminal_the_call_is_denied_at_once(tmp_path: Path) -> None:
    """No name of that kind, and one that is no terminal."""
    (tmp_path / "file").touch()
    missing = asyncio.run(TerminalAsker(60, terminal=f"{tmp_path}/tty")("bash", "bash: ls", "cmd:ls"))
    assert missing == Reply("deny", reason="it needs approval, and there is no terminal to ask on")
    file = asyncio.run(TerminalAsker(60, terminal=f"{tmp_path}/file")("bash", "bash: ls", "cmd:ls"))
    assert file.decision == "deny"
    assert "it needs approval, and the terminal failed: " in (file.reason or "")
    assert (tmp_path / "file").read_bytes() == b""


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """A thousand questions in a session must not use them up."""
    asker = TerminalAsker(60, terminal=f"{tmp_path}/tty")

    async def ask() -> None:
        for _ in range(5):
            await asker("bash", "bash: ls", "cmd:ls")

    asyncio.run(ask())
    before = sum(1 for _ in Path("/dev/fd").iterdir())
    asyncio.run(ask())
    assert sum(1 for _ in Path("/dev/fd").iterdir()) == before
