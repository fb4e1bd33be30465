"""What a person sees: the display of `run` in a real terminal, and how Ctrl-C feels."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from agent_run import User
from agent_terminal import PROMPT, Terminal, needs_tmux

from beyond_agent_core.testing import BrokenStream, ModelServer, turn

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, needs_tmux]

CODE = "def add(a, b):\n    return a - b\n"
JOB = (
    turn.calls(("read", {"path": "p.py"}), ("bash", {"command": "echo begun; sleep 1; echo ended"}), said="I look."),
    turn.calls(("edit", {"path": "p.py", "old_string": "a - b", "new_string": "a + b"}), said="That is the bug."),
    turn.calls(("bash", {"command": "echo why >&2; exit 3"})),
    turn.text("Fixed: it adds now."),
)
OWN_COLOURS = re.compile(r"\x1b\[[0-9;]*(?:38;|48;|4[0-7]m|10[0-7]m|3[07]m|;4[0-7]|97m)")
"""Colours out of the theme's hands, backgrounds, black and white: what is unreadable on either light or dark."""


def _agent(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "beyond_agent", "run", *words)


@pytest.mark.parametrize("columns", [80, 200])
def test_a_person_sees_what_happens(tmp_path: Path, columns: int) -> None:
    """A running tool has a line with its time and last output; then outcome, diff, error, text, totals, session."""
    with ModelServer(JOB) as server:
        user = User(tmp_path, server.url)
        (user.cwd / "p.py").write_text(CODE)
        with Terminal(tmp_path, user.cwd, user.env, columns) as terminal:
            terminal.type(*_agent("fix it"))
            working = terminal.until(lambda screen: re.search(r"bash +echo begun; sleep 1; echo ended +1s", screen))
            assert "\n    begun" in working
            screen = terminal.until_prompt()
    lines = screen.splitlines()
    shown = [line.rstrip() for line in lines[next(i for i, line in enumerate(lines) if "I look." in line) :]]
    assert re.fullmatch(r"✓ read  p\.py  0\.\ds", shown[1])
    assert re.fullmatch(r"✓ bash  echo begun; sleep 1; echo ended  1\.\ds", shown[2])
    assert shown[3] == "That is the bug."
    assert "  @@ -1,2 +1,2 @@" in shown
    assert "  -    return a - b" in shown
    assert "  +    return a + b" in shown
    assert any(re.fullmatch(r"✗ bash  echo why >&2; exit 3  0\.\ds", line) for line in shown)
    assert "  Command exited with code 3" in shown
    assert "Fixed: it adds now." in shown
    assert "[done in 4 step(s); 40 in / 20 out tokens]" in shown
    assert any(line.startswith("[session sess_") for line in shown)
    assert all(len(line) <= columns for line in lines)
    assert "begun\n" not in screen.replace("echo begun; sleep 1; echo ended", "")


def test_colours_are_the_themes_own(tmp_path: Path) -> None:
    """Only the terminal's named colours are used, without backgrounds, so that light and dark themes both work."""
    with ModelServer(JOB) as server:
        user = User(tmp_path, server.url)
        (user.cwd / "p.py").write_text(CODE)
        with Terminal(tmp_path, user.cwd, user.env, 120) as terminal:
            terminal.type(*_agent("fix it"))
            terminal.until_prompt()
            styled = terminal.screen(styled=True)
    assert "\x1b[32m" in styled
    assert "\x1b[31m" in styled
    assert not OWN_COLOURS.search(styled)


@pytest.mark.parametrize("how", ["--plain", "NO_COLOR", "pipe"])
def test_without_a_display_there_is_no_escape_code(tmp_path: Path, how: str) -> None:
    """--plain, NO_COLOR and a pipe give plain lines, as a script gets them."""
    with ModelServer(JOB[1:]) as server:
        user = User(tmp_path, server.url)
        (user.cwd / "p.py").write_text(CODE)
        env = {**user.env, "NO_COLOR": "1"} if how == "NO_COLOR" else user.env
        with Terminal(tmp_path, user.cwd, env, 120) as terminal:
            if how == "pipe":
                command = " ".join(_agent("fix", "2>&1"))
                terminal.type("bash", "-c", f"{command} | tee seen")
            else:
                terminal.type(*_agent("fix", *(["--plain"] if how == "--plain" else [])))
            screen = terminal.until(lambda screen: "[done in 3 step(s)" in screen)
            assert "[tool: edit]" in screen
            assert "\x1b[3" not in terminal.screen(styled=True)
        if how == "pipe":
            assert b"\x1b" not in (user.cwd / "seen").read_bytes()


def test_ctrl_c_stops_the_turn_and_keeps_the_session(tmp_path: Path) -> None:
    """Once: the command ends, the session is there, and -c goes on with it."""
    with ModelServer([turn.calls(("bash", {"command": "sleep 600"})), turn.text("Going on.")]) as server:
        user = User(tmp_path, server.url)
        with Terminal(tmp_path, user.cwd, user.env, 120) as terminal:
            terminal.type(*_agent("work"))
            terminal.until(lambda screen: re.search(r"bash +sleep 600 +\d+s", screen))
            terminal.press("C-c")
            screen = terminal.until_prompt()
            assert "[cancelled]" in screen
            terminal.type("echo", "status", "is", "over")
            terminal.type(*_agent("-c", "go on"))
            terminal.until(lambda screen: "Going on." in screen)
    assert len(server.requests[1].json["messages"]) >= 3


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_last_line_says_how_to_go_on(tmp_path: Path, *, elsewhere: bool) -> None:
    """`-c` where that finds the session, else the path, which always does."""
    with ModelServer([turn.text("One."), turn.text("Two.")]) as server:
        user = User(tmp_path, server.url)
        with Terminal(tmp_path, user.cwd, user.env, 200) as terminal:
            terminal.type(*_agent("first", *(["--session-dir", "kept"] if elsewhere else [])))
            screen = terminal.until_prompt()
            hint = re.search(r"; (\S.*) goes on with it\]", screen)
            assert hint is not None
            assert hint[1].startswith("--session " if elsewhere else "-c")
            terminal.type(*_agent("second", *hint[1].split()))
            terminal.until(lambda screen: "Two." in screen)
    assert len(server.requests[1].json["messages"]) == 3


def test_a_second_ctrl_c_leaves_the_terminal_its_cursor(tmp_path: Path) -> None:
    """However a run is cut off, what is typed next is seen where it goes."""
    with ModelServer([turn.calls(("bash", {"command": "trap '' TERM; sleep 600"}))]) as server:
        user = User(tmp_path, server.url)
        with Terminal(tmp_path, user.cwd, user.env, 120) as terminal:
            terminal.type(*_agent("work"))
            terminal.until(lambda screen: re.search(r"bash +trap .*sleep 600 +\d+s", screen))
            terminal.press("C-c")
            terminal.press("C-c")
            terminal.until(lambda screen: screen.count(PROMPT) > 1)
            assert terminal.has_cursor()


def test_text_of_the_model_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    """Escape codes in an answer and in a command's name are not obeyed."""
    hostile = "before\x1b]0;owned\x07\x1b[2Jafter"
    with ModelServer(
        [turn.calls(("bash", {"command": f"true '{hostile}'"}), said=hostile), turn.text("end")]
    ) as server:
        user = User(tmp_path, server.url)
        with Terminal(tmp_path, user.cwd, user.env, 160) as terminal:
            terminal.type(*_agent("go"))
            screen = terminal.until_prompt()
    assert "before]0;owned[2Jafter" in screen
    assert "before·]0;owned·[2Jafter" in screen


@pytest.mark.parametrize("flags", [(), ("--plain",)], ids=["display", "plain"])
def test_nor_can_what_a_provider_says(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Neither its text nor its error, with a display or without."""
    text = "t\x1b[2Jt" * 3
    broken = BrokenStream(turn=turn.text(text), after=4, then="error", error_message="over\x1b]0;owned\x07loaded")
    with ModelServer([broken]) as server:
        user = User(tmp_path, server.url)
        with Terminal(tmp_path, user.cwd, user.env, 160) as terminal:
            terminal.type(*_agent("go", "--no-retry", *flags))
            screen = terminal.until_prompt()
    assert "t[2Jt" in screen
    assert "over·]0;ownedloaded" in screen or "over]0;ownedloaded" in screen


def test_a_question_is_asked_on_the_terminal(tmp_path: Path) -> None:
    """With --approve the command waits for a yes; a no is told to the model."""
    with ModelServer([turn.calls(("bash", {"command": "echo ran > ran"})), turn.text("ok")] * 2) as server:
        user = User(tmp_path, server.url)
        with Terminal(tmp_path, user.cwd, user.env, 120) as terminal:
            terminal.type(*_agent("go", "--approve", "writes"))
            terminal.until(lambda screen: "allow? [y]es" in screen)
            terminal.press("n")
            terminal.press("Enter")
            terminal.until_prompt()
            assert not (user.cwd / "ran").exists()
            terminal.type("clear")
            terminal.type(*_agent("go", "--approve", "writes"))
            terminal.until(lambda screen: screen.count("allow? [y]es") == 1 and "ran" in screen)
            terminal.press("y")
            terminal.press("Enter")
            terminal.until(lambda screen: "[done in 2 step(s)" in screen)
            assert (user.cwd / "ran").exists()
    assert "tool call blocked: denied by the user" in server.requests[1].body.decode()
