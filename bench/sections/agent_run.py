"""A coding task of ten turns as a process, and how soon an interrupted agent is idle."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import subprocess
import time
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import agent_process
from bench.agent_provider import Provider
from bench.load import LoadFailedError
from bench.report import Table, Verdict
from bench.setting import progress
from beyond_agent.machine.files import LocalFiles
from beyond_agent.machine.runner import LocalRunner
from beyond_agent.machine.spill import Spills
from beyond_agent.seams import Workplace
from beyond_agent.toolset import toolset
from beyond_agent_core.testing import calls, says
from beyond_agent_core.tools import ToolContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.agent_process import Place
    from bench.setting import Setting

APP = "def add(a, b):\n    return a - b\n"
STUBBORN = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
TASK: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ls", {}),
    ("read", {"path": "app.py"}),
    ("grep", {"pattern": "add"}),
    ("find", {"pattern": "*.py"}),
    ("edit", {"path": "app.py", "old_string": "a - b", "new_string": "a + b"}),
    ("bash", {"command": "cat app.py"}),
    ("write", {"path": "test_app.py", "content": "from app import add\n\nassert add(1, 2) == 3\n"}),
    ("read", {"path": "test_app.py"}),
    ("bash", {"command": "true"}),
)
LEAST_RUNS = 5


def run(setting: Setting) -> list[Table]:
    """The task, and two kinds of interrupts of both commands."""
    return [_task(setting), _interrupts(setting)]


def _task(setting: Setting) -> Table:
    """Nine calls and an answer, between answers of the provider that come at once."""
    progress("a task of ten turns")
    where = agent_process.place(setting, "agent-task")
    script = [*(calls(each) for each in TASK), says("The sum is a sum now.")]
    found: list[tuple[float, ...]] = []
    with Provider(script) as provider:
        env = agent_process.environment(setting, where, provider.port)
        words = agent_process.command("run", "Fix add in app.py.")
        for turn in range(max(setting.runs, LEAST_RUNS) + 1):
            _afresh(where)
            provider.rewind()
            began = time.monotonic()
            took = agent_process.timed(words, where, env)
            if "a + b" not in (where.cwd / "app.py").read_text(encoding="utf-8"):
                raise LoadFailedError("the task was not done")
            between, ended = sum(provider.gaps_s()), began + took.wall_s - provider.exchanges[-1].answered
            _afresh(where)
            tools = asyncio.run(_tools_s(where))
            if turn:
                found.append((took.wall_s, took.cpu_s, between, between - tools, ended))
    wall, cpu, between, beyond, ended = (median(each[at] for each in found) * 1e3 for at in range(5))
    table = Table("A task of ten turns, `run` as a process", ["part", "median ms"])
    table.rows += [
        ["the whole process", wall],
        ["CPU of it, programs included", cpu],
        ["between answers and next requests, nine times", between],
        ["the same without the tools' own time", beyond],
        ["last answer to the end of the process", ended],
    ]
    table.notes.append("the tools' own time is that of the same nine calls in this process")
    table.verdicts.append(Verdict("ten turns beyond provider and tools", beyond, 100, " ms"))
    table.verdicts.append(Verdict("with the end of the process", beyond + ended, 100, " ms"))
    return table


def _afresh(where: Place) -> None:
    (where.cwd / "app.py").write_text(APP, encoding="utf-8")
    (where.cwd / "test_app.py").unlink(missing_ok=True)


async def _tools_s(where: Place) -> float:
    """Seconds that the task's calls take by themselves, each tool warm."""
    place = Workplace(cwd=str(where.cwd), files=LocalFiles(), runner=LocalRunner(), spill=Spills())
    tools: dict[str, Any] = {each.name: each for each in toolset(place)}
    context = ToolContext("call_1", vision=False, cancelled=lambda: False, progress=lambda _text, _details: None)
    await tools["bash"].run({"command": "true"}, context)
    await tools["grep"].run({"pattern": "x"}, context)
    began = time.perf_counter()
    for name, given in TASK:
        if inspect.iscoroutinefunction(tools[name].run):
            await tools[name].run(given, context)
        else:
            await asyncio.to_thread(tools[name].run, given, context)
    return time.perf_counter() - began


def _interrupts(setting: Setting) -> Table:
    """From the signal to the end of `run`, and from `abort` to its response in `serve`."""
    progress("interrupts")
    table = Table("Interrupt to idle", ["while", "run: SIGINT to exit, ms", "serve: abort to response, ms"])
    stubborn = calls(("bash", {"command": STUBBORN}))
    limits = {"the model is silent": (None, 100.0), "a child ignores TERM": (stubborn, 2_500.0)}
    for label, (turn, limit) in limits.items():
        runs = max(setting.runs, LEAST_RUNS)
        ended, answered = ([each(setting, turn) for _ in range(runs)] for each in (_run_ends, _serve_answers))
        table.rows.append([label, median(ended) * 1e3, median(answered) * 1e3])
        table.verdicts.append(Verdict(f"run, {label}", median(ended) * 1e3, limit, " ms"))
        table.verdicts.append(Verdict(f"serve, {label}", median(answered) * 1e3, limit, " ms"))
    return table


def _run_ends(setting: Setting, turn: Any) -> float:
    with Provider([turn]) as provider:
        process = _started(setting, provider.port, "run", "--json", "Go.")
        try:
            assert process.stdout is not None
            _await(process, provider, b"deaf" if turn else None)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            status = process.wait(10)
            took = time.monotonic() - began
        finally:
            _stop(process)
    if status != 130:
        raise LoadFailedError(f"an interrupted run ended with {status}")
    return took


def _serve_answers(setting: Setting, turn: Any) -> float:
    with Provider([turn]) as provider:
        process = _started(setting, provider.port, "serve")
        try:
            assert process.stdout is not None
            _say(process, "prompt", message="Go.")
            _await(process, provider, b"deaf" if turn else None)
            began = time.monotonic()
            _say(process, "abort")
            _read_to(process, lambda line: b'"command":"abort"' in line and b'"success":true' in line)
            return time.monotonic() - began
        finally:
            _stop(process)


def _await(process: subprocess.Popen[bytes], provider: Provider, said: bytes | None) -> None:
    """Return when the agent waits for the model, or for a child that has said this."""
    if said is not None:
        _read_to(process, lambda line: b"tool_progress" in line and said in line)
    elif not provider.stalled.wait(20):
        raise LoadFailedError("the agent asked nothing")


def _read_to(process: subprocess.Popen[bytes], wanted: Callable[[bytes], bool]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if wanted(line):
            return
    raise LoadFailedError("the agent ended too early")


def _say(process: subprocess.Popen[bytes], kind: str, **fields: str) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"type": kind, **fields}).encode() + b"\n")
    process.stdin.flush()


def _started(setting: Setting, port: int, *words: str) -> subprocess.Popen[bytes]:
    where = agent_process.place(setting, "agent-interrupts")
    return subprocess.Popen(
        agent_process.command(*words),
        cwd=where.cwd,
        env=agent_process.environment(setting, where, port),
        stdin=subprocess.PIPE if words == ("serve",) else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
