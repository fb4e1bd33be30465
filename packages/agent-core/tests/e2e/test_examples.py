"""The programs in `examples/`, each as a process of its own, against a model on loopback that plays a script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from beyond_agent_core.testing import ModelServer, calls, error_status, says

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_agent_core.testing.model_server_script import Entry

pytestmark = pytest.mark.e2e
EXAMPLES = Path(__file__).parents[2] / "examples"
KEY = "a-key-that-nobody-prints"


def run(
    name: str, script: Sequence[Entry], *arguments: str, at: Path | None = None, given: str = ""
) -> tuple[subprocess.CompletedProcess[str], ModelServer]:
    """Run a program to its end; no key is in what it prints, and the whole script was asked for."""
    with ModelServer(script) as server:
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments],
            env={**os.environ, "AI_GATEWAY_URL": server.url, "AI_AGENT_KEY": KEY},
            input=given,
            cwd=at,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert KEY not in done.stdout + done.stderr
    assert len(server.requests) == len(script), done.stderr
    return done, server


def test_a_tool_with_progress(tmp_path: Path) -> None:
    """The last snapshot is shown, and the model gets the sum; a fault of the tool is told to it."""
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("line\n" * 10)
    wrong, right = (("count_lines", {"folder": str(folder)}) for folder in (tmp_path / "no", tmp_path))
    done, server = run("progress", [calls(wrong), calls(right), says("Thirty.")], str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "\nThirty.\n")
    assert "count_lines: 3 files, 30 lines" in done.stderr
    assert b"is no folder" in server.requests[1].body
    assert b"30 lines in 3 files" in server.requests[2].body


def test_a_custom_transport() -> None:
    """The second model answers where the first one fails at once."""
    done, server = run("fallback", [error_status(401, "no"), says("here I am")], "hi")
    assert (done.returncode, done.stdout) == (0, "here I am\n")
    assert [asked.json["model"] for asked in server.requests] == ["claude-opus-4-8", "gpt-5"]
    assert [asked.dialect for asked in server.requests] == ["anthropic", "responses"]
    assert done.stderr.endswith("; asking gpt-5\n")


def test_a_hook_that_blocks(tmp_path: Path) -> None:
    """A file inside goes, a file outside and one behind a link stay, and the model is told."""
    inside, outside, link = tmp_path / "here" / "a", tmp_path / "b", tmp_path / "here" / "c"
    inside.parent.mkdir()
    for path in (inside, outside):
        path.write_text("x")
    link.symlink_to(outside)
    named = [("delete", {"path": str(path)}) for path in (inside, outside, link)]
    done, server = run("gate", [calls(*named), says("one of three")], "clean up", at=inside.parent)
    assert done.returncode == 0, done.stderr
    assert (inside.exists(), outside.exists(), link.is_symlink()) == (False, True, True)
    assert sorted(line.partition(": ")[0] for line in done.stdout.splitlines()) == [
        "done",
        "one of three",
        "refused or failed",
        "refused or failed",
    ]
    assert server.requests[1].body.count(b"tool call blocked: ") == 2


def test_a_steered_run() -> None:
    """The word in between stands behind the result in one message; the follow-up comes when all is said."""
    done, server = run("steering", [calls(("look", {"shelf": "fruit"})), says("Apples."), says("Rye.")])
    assert (done.returncode, done.stdout) == (0, "[look]\n[told]\nApples.[told]\nRye.\n[done]\n")
    second, third = (asked.json["messages"] for asked in server.requests[1:])
    assert [part["type"] for part in second[-1]["content"]] == ["tool_result", "text"]
    assert second[-1]["content"][1]["text"] == "No pears, please."
    assert "baker" in str(third[-1]["content"])


FORM = {"title": "it breaks", "severity": "high", "files": ["a.py"]}


def test_an_answer_as_data() -> None:
    """A form that does not fit is told to the model; text instead of a form is reminded of; the form ends the run."""
    wrong = FORM | {"severity": "dreadful"}
    script = [says("Well."), calls(("report", wrong)), calls(("report", FORM))]
    done, server = run("structured", script, given="it breaks")
    assert (done.returncode, done.stdout) == (
        0,
        '{"title": "it breaks", "severity": "high", "files": ["a.py"]}\n',
    )
    assert b"You have not called `report`" in server.requests[1].body
    assert b"severity" in server.requests[2].body
    done, _ = run("structured", [says("no")] * 3, given="it breaks")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "the model did not fill in the form\n")


def test_examples_are_short() -> None:
    """Each is read at a glance: under 60 lines; and each is run above."""
    programs = sorted(EXAMPLES.glob("*.py"))
    assert [path.stem for path in programs] == ["fallback", "gate", "progress", "steering", "structured"]
    assert all(len(path.read_text().splitlines()) < 60 for path in programs)
