"""The agent's part of the demo: a job on a real repository, then sessions over SSH, through the gateway.

The model is a script behind the gateway's anthropic provider; everything else is as in life.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from beyond_agent_core.testing import BrokenStream, ModelServer, calls, says
from demo import project
from demo.processes import DemoError, Gateway, clean_environment
from demo.remote import Remote
from demo.report import note, result, say
from demo.sshd import MISSING, Sshd, installed

if TYPE_CHECKING:
    from beyond_agent_core.testing.model_server_script import Entry
    from demo.processes import Row

AGENT: Final = str(Path(sys.executable).parent / "beyond-ai-agent")
_SLEEP: Final = "sleep 1.5; echo slept"


def show(folder: Path) -> None:
    """Run both parts. Raises DemoError for what is not as promised."""
    script: list[Entry] = [*project.answers(), *_remote_answers()]
    with ModelServer(script) as model:
        settings = {"AI_PROVIDER_AUTHORITY_ANTHROPIC": f"127.0.0.1:{model.port}"}
        with Gateway(str(folder / "agent-state"), settings) as gateway:
            env = _environment(folder, gateway)
            say()
            say("beyond-ai-agent run, in a repository whose test suite fails")
            say()
            counted = _job(folder / "project", env)
            result("ok", "run", "the bug is mended, its suite is green, the CHANGELOG has it")
            if installed():
                counted = _added(counted, _served(folder, env))
            else:
                result("skip", "serve over SSH", MISSING)
            rows = [gateway.row() for _ in model.requests]
    _compare(rows, counted, [request.headers for request in model.requests], gateway.key)


Counted = tuple[int, int, int]
"""Requests that were answered, tokens in, tokens out."""


def _environment(folder: Path, gateway: Gateway) -> dict[str, str]:
    (folder / "home").mkdir()
    return clean_environment() | {
        "HOME": str(folder / "home"),
        "XDG_CONFIG_HOME": str(folder / "home" / "config"),
        "XDG_STATE_HOME": str(folder / "home" / "state"),
        "AI_GATEWAY_URL": gateway.origin,
        "AI_AGENT_KEY": gateway.key,
    }


def _job(repository: Path, env: dict[str, str]) -> Counted:
    """Have the bug mended by `run`; return what the agent counted."""
    project.make(repository)
    if project.passes(repository):
        raise DemoError("the scratch repository has no bug")
    words = [AGENT, "run", project.TASK]
    made = subprocess.run(
        words, cwd=repository, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
    for line in made.stdout.splitlines():
        note(f"  {line}")
    if made.returncode or not project.passes(repository):
        raise DemoError(f"run ended with {made.returncode} and the suite is not green: {made.stdout[-300:]}")
    if project.ENTRY not in (repository / "CHANGELOG.md").read_text():
        raise DemoError("the CHANGELOG has no entry")
    told = made.stdout.splitlines()[-1].strip("[]").replace(";", "").split()
    return int(told[2]), int(told[4]), int(told[7])


def _remote_answers() -> list[Entry]:
    return [
        calls(("bash", {"command": _SLEEP}), text="I wait."),
        says("Waited, and heard you."),
        BrokenStream(turn=says("an answer that never ends"), after=2, then="stall"),
        calls(("bash", {"command": _SLEEP})),
        says("Still here."),
    ]


def _served(folder: Path, env: dict[str, str]) -> Counted:
    """Drive `serve` over SSH; return what the agent counted."""
    path = str(folder / "agent.sock")
    server = subprocess.Popen([AGENT, "serve", "--listen-uds", path], cwd=folder / "project", env=env)
    try:
        with Sshd(folder / "ssh") as sshd:
            argv = sshd.command(AGENT, "attach", path)
            _until_there(path, server)
            since, epoch = _first_connection(argv)
            return _second_connection(argv, since, epoch)
    finally:
        server.terminate()
        if server.wait() != 128 + 15:
            raise DemoError("serve did not end by its signal")


def _first_connection(argv: list[str]) -> tuple[int, str]:
    """Prompt, steer, abort, and drop the connection in the middle of a tool; return the last number that was seen."""
    with Remote(argv) as client:
        ready = client.until(lambda frame: frame["type"] == "ready")
        client.answer("attach")
        client.send("prompt", id="prompt", message="Wait a little.")
        client.event("tool_start")
        client.answer("steer", message="I am still here.")
        if client.event("steered")["messages"] != 1:
            raise DemoError("the steer was not delivered")
        client.response("prompt")
        result("ok", "prompt and steer", "joined the run behind its tool")
        client.send("prompt", id="prompt", message="Answer without an end.")
        client.until(lambda frame: frame.get("event", {}).get("kind") == "stream")
        client.answer("abort")
        client.response("prompt")
        result("ok", "abort", "answered when the run had unwound")
        client.send("prompt", id="prompt", message="Wait once more.")
        client.event("tool_start")
        seen = max(frame.get("seq", 0) for frame in client.frames)
    result("ok", "connection", "killed in the middle of a tool")
    return seen, ready["epoch"]


def _second_connection(argv: list[str], since: int, epoch: str) -> Counted:
    """Attach again; what was missed comes first, and nothing is lost. Return what the agent counted."""
    with Remote(argv) as client:
        client.until(lambda frame: frame["type"] == "ready")
        client.send("attach", id="attach", since=since, epoch=epoch)
        client.event("agent_end")
        numbers = [frame["seq"] for frame in client.frames if "seq" in frame]
        if numbers != list(range(since + 1, since + 1 + len(numbers))):
            raise DemoError(f"frames were lost or doubled behind {since}: {numbers}")
        text = client.answer("get_last_assistant_text")["text"]
        if text != "Still here.":
            raise DemoError(f"the run that went on alone said {text!r}")
        result("ok", "attached again", f"{len(numbers)} frames, none lost; the run has ended by itself")
        stats = client.answer("get_session_stats")
    return stats["steps"], stats["input_tokens"], stats["output_tokens"]


def _until_there(path: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while not Path(path).exists():
        if server.poll() is not None or time.monotonic() > end:
            raise DemoError("serve did not start")
        time.sleep(0.05)


def _added(one: Counted, other: Counted) -> Counted:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _compare(rows: list[Row], counted: Counted, headers: list[dict[str, str]], key: str) -> None:
    """What the gateway bills is what the agent counted, but for the answer that was aborted."""
    whole = [row for row in rows if row.outcome == "ok"]
    billed = len(whole), sum(row.input_tokens or 0 for row in whole), sum(row.output_tokens or 0 for row in whole)
    if billed != counted:
        raise DemoError(f"the rows say {billed}, the agent counted {counted}")
    cut = [row.outcome for row in rows if row.outcome != "ok"]
    if any(key in str(each) for each in headers):
        raise DemoError("the virtual key reached the provider")
    text = f"{billed[0]} answers, {billed[1]} in, {billed[2]} out, as the agent counted; {len(cut)} aborted"
    result("ok", "usage rows", text)
