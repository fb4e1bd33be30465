"""The agent core alone: what a turn, a tool call and a delta cost beside the model, how that grows, and the import."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from itertools import cycle, pairwise
from statistics import median
from subprocess import run as run_process
from typing import TYPE_CHECKING

import msgspec

from bench.load import LoadFailedError
from bench.report import Table, Verdict
from bench.setting import PYTHON, ROOT, progress
from bench.stopwatch import call_us
from beyond_agent_core import (
    DIALECTS,
    Agent,
    Limits,
    Message,
    ModelRequest,
    Session,
    TextBlock,
    TokenUsage,
    ToolDef,
    ToolResultBlock,
    ToolUseBlock,
    assistant,
    caps_for,
    tool,
    tool_results,
    user,
)
from beyond_agent_core.client_histories import Histories
from beyond_agent_core.testing import ScriptedTransport, calls, says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.setting import Setting
    from beyond_agent_core import AgentEvent, Turn

TURNS = 200
DELTAS = 100_000
LONG = Limits(max_steps=1_000_000)
CALL = ("read", {"path": "src/module.py"})
MODELS = ("vendor/gpt-4o", "gpt-5", "claude-opus-4-8")
ABOVE = """
import time, asyncio, msgspec
began = time.process_time(); import {name}
print(time.process_time() - began, 0)
"""
WHOLE = """
import sys, time; sys.modules["typing_extensions"] = None; import {name}
print(time.process_time(), open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


@tool
async def read(path: str) -> str:
    """Read a file."""
    return f"content of {path}"


def run(setting: Setting) -> list[Table]:
    """Turns, growth, many sessions at a time, the import."""
    progress("agent core")
    return [_turns(setting.runs), _growth(setting.runs), _many(), _imports(setting.runs)]


# -- turns


def _turns(runs: int) -> Table:
    """CPU of a run with the scripted transport and a sink, by turn."""
    table = Table("A turn of the agent core, scripted model, one tool call, CPU µs", ["part", "µs"])
    table.notes.append("The scripted transport's own work, some ten events a turn, is in these figures.")
    short, long = (median(_turn_us(history, 1) for _ in range(max(3, runs))) for history in (20, 10_000))
    eight = median(_turn_us(20, 8) for _ in range(max(3, runs)))
    delta = median(_delta_us() for _ in range(3))
    rows = {
        "turn behind 20 messages": short,
        "turn behind 10,000 messages": long,
        "a further tool call in the turn": (eight - short) / 7,
        "a text delta through driver and sink": delta,
    }
    table.rows += [[name, figure] for name, figure in rows.items()]
    table.verdicts += [
        Verdict("turn behind 20 messages", short / 1e3, 1, " ms"),
        Verdict("turn behind 10,000 messages", long / 1e3, 1.5, " ms"),
        Verdict("a text delta", delta, 10, " µs"),
    ]
    return table


def _turn_us(history: int, at_once: int) -> float:
    """Return the CPU of one turn: the median between two answers, the last of which is not a turn."""
    script: list[Turn] = [*[calls(*[CALL] * at_once)] * TURNS, says("done")]
    session = _grown(history)
    times = list[float]()

    def sink(event: AgentEvent) -> None:
        if type(event).__name__ == "TurnStart":
            times.append(time.process_time())

    _driven(script, session, sink)
    return median(after - before for before, after in pairwise(times)) * 1e6


def _delta_us() -> float:
    """Return the CPU of one delta in an answer of many, the driver's and the sink's, without that of the script."""
    answer = says("word " * (DELTAS * 4 // 5))
    seen = 0

    def sink(_: AgentEvent) -> None:
        nonlocal seen
        seen += 1

    async def alone() -> None:
        async for _ in ScriptedTransport([answer]).stream(ModelRequest(model="m", messages=(), max_tokens=1)):
            pass

    began = time.process_time()
    asyncio.run(alone())
    middle = time.process_time()
    _driven([answer], Session(), sink)
    if seen < DELTAS:
        raise LoadFailedError(f"{seen} events of {DELTAS} deltas")
    return ((time.process_time() - middle) - (middle - began)) / seen * 1e6


def _driven(script: Sequence[Turn], session: Session, sink: Callable[[AgentEvent], object]) -> None:
    agent = Agent(ScriptedTransport(script), model="claude-opus-4-8", tools=[read], limits=LONG)
    result = asyncio.run(agent.run(session, "go", on_event=sink))
    if result.outcome != "done":
        raise LoadFailedError(f"the run ended as {result.outcome}: {result.fault}")


# -- growth


def _growth(runs: int) -> Table:
    """A session of a thousand turns against one of a quarter, and the next request of a long one."""
    table = Table("Growth of a session", ["part", "figure", "unit"])
    quarter, whole = (median(_session_ms(turns) for _ in range(max(3, runs))) for turns in (250, 1_000))
    linear = whole / quarter / 4
    table.rows += [["session of 250 turns", quarter, "ms"], ["session of 1,000 turns", whole, "ms"]]
    table.rows.append(["against linear", linear, "times"])
    for model in MODELS:
        half, full = (_next_request_us(model, count, runs) / 1e3 for count in (500, 1_000))
        name = caps_for(model).dialect
        table.rows += [[f"next request behind 500 messages, {name}", half, "ms"]]
        table.rows += [[f"behind 1,000, {name}", full / half, "times"]]
    first, last = _push_us()
    table.rows += [["push, the first thousand", first, "µs"], ["push, behind 10,000", last, "µs"]]
    table.verdicts += [
        Verdict("1,000 turns against linear", linear, 1.3, " times"),
        Verdict("push behind 10,000 messages", last / first, 1.5, " times"),
    ]
    return table


def _session_ms(turns: int) -> float:
    script = [*[calls(CALL)] * turns, says("done")]
    began = time.process_time()
    _driven(script, Session(), lambda _: None)
    return (time.process_time() - began) * 1e3


def _next_request_us(model: str, count: int, runs: int) -> float:
    """CPU of preparing and encoding a request as the HTTP transport does, for a session that it has served before."""
    messages = tuple(_messages(count))
    definition = ToolDef(name="read", description="Read a file.", input_schema={"type": "object"})
    request = ModelRequest(model=model, messages=messages, tools=(definition,), system="Be exact.", max_tokens=4_000)
    caps, histories = caps_for(model), Histories()
    dialect = DIALECTS[caps.dialect]
    before = msgspec.structs.replace(request, messages=messages[:-2])

    def next_turn() -> None:
        dialect.encode_prepared(histories.prepare(request, caps), caps, source=request)

    histories.prepare(before, caps)
    return call_us(next_turn, runs)


def _push_us() -> tuple[float, float]:
    """Return the median microseconds of a thousand pushes into an empty session, and of those behind ten thousand."""
    message, session = user("x"), Session()

    def pushes() -> float:
        times = list[int]()
        for _ in range(1_000):
            began = time.perf_counter_ns()
            session.push(message)
            times.append(time.perf_counter_ns() - began)
        return median(times) / 1e3

    first = pushes()
    for _ in range(9_000):
        session.push(message)
    return first, pushes()


def _grown(count: int) -> Session:
    """Return a session with a history whose size is known, as that of every session behind its first turn."""
    session = Session()
    for message in _messages(count):
        session.push(message)
    session.record_usage(TokenUsage(input_tokens=10))
    return session


def _messages(count: int) -> Iterator[Message]:
    """Yield a question, then calls of `read` and their results, 2 KB in each two messages."""
    yield user("Fix the failing test.")
    numbers = cycle(range(1_000_000))
    for at in range(1, count):
        if at % 2:
            block = ToolUseBlock(id=f"call_{next(numbers)}", name="read", input={"path": f"src/module_{at}.py"})
            yield assistant([TextBlock(text="Let me look at the next file."), block])
        else:
            yield tool_results([ToolResultBlock(tool_use_id=f"call_{at // 2 - 1}", content="    return value\n" * 100)])


# -- processes of their own


def _many() -> Table:
    """A thousand sessions at a time in one process."""
    command = [PYTHON, str(ROOT / "bench/core_many.py"), "1000"]
    done = run_process(command, capture_output=True, check=True, text=True)
    names = ("sessions", "kib", "events", "median_s", "slowest_s")
    sessions, kib, events, middle, slowest = map(float, done.stdout.split())
    table = Table("Sessions at a time in one process, ten turns with a tool call each", ["figure", "value"])
    for name, figure in zip(names, (sessions, kib, events, middle, slowest), strict=True):
        table.rows.append([name, figure])
    table.notes.append("kib: growth of resident memory a session while all wait in their last turn, messages included")
    table.notes.append("events: events a second, all sessions together; one core")
    table.verdicts += [
        Verdict("memory of a session", kib, 100, " KiB"),
        Verdict("slowest session against the median", slowest / middle, 2, " times"),
    ]
    return table


def _imports(runs: int) -> Table:
    """CPU above asyncio and msgspec, CPU and peak memory of the whole process."""
    table = Table("Import of the agent core", ["module", "ms CPU above", "ms CPU in all", "MB in all"])
    table.notes.append("above: above asyncio and msgspec together; in all: from the start of the process")
    table.notes.append("the package alone has no asyncio yet, the agent has")
    table.notes.append("in all: without typing_extensions, which msgspec imports where it is, and we do not bring")
    for name in ("beyond_agent_core", "beyond_agent_core.agent"):
        (above, _), (whole, kib) = (_import(code.format(name=name), max(5, runs)) for code in (ABOVE, WHOLE))
        table.rows.append([name, above * 1e3, whole * 1e3, kib / 1024])
        table.verdicts += [
            Verdict(f"import {name} above asyncio and msgspec", above * 1e3, 30, " ms CPU"),
            Verdict(f"memory behind the import of {name}", kib / 1024, 25, " MB"),
        ]
        if name == "beyond_agent_core":
            table.verdicts.append(Verdict(f"import {name} in all", whole * 1e3, 60, " ms CPU"))
    return table


def _import(code: str, runs: int) -> list[float]:
    """Return the medians of the two figures that `code` prints."""
    command = [PYTHON, "-c", code]
    # Compiled once, as an installed package is.
    environment = {"PYTHONPYCACHEPREFIX": str(ROOT / ".venv/.bench-cache"), "PATH": "/usr/bin:/bin"}
    call = partial(run_process, command, capture_output=True, check=True, text=True, env=environment)
    call()
    found = [[float(figure) for figure in call().stdout.split()] for _ in range(runs)]
    return [median(column) for column in zip(*found, strict=True)]
