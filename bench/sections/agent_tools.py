"""The agent's tools in this process, each beside the bare program that does the same."""

from __future__ import annotations

import asyncio
import inspect
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.load import LoadFailedError
from bench.report import Table, Verdict
from bench.setting import progress
from beyond_agent.machine.files import LocalFiles
from beyond_agent.machine.runner import LocalRunner
from beyond_agent.machine.spill import Spills
from beyond_agent.seams import Workplace
from beyond_agent.tools.bash import BashTool
from beyond_agent.tools.edit import EditTool
from beyond_agent.tools.find import FindTool
from beyond_agent.tools.grep import GrepTool
from beyond_agent.tools.ls import LsTool
from beyond_agent.tools.read import ReadTool
from beyond_agent_core.tools import ToolContext

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.setting import Setting

FILES, FOLDERS, LINES = 5_000, 50, 40
EDITED_BYTES = 4 << 20
LEAST_RUNS = 9
TICK_S = 0.001


@dataclass(frozen=True, slots=True)
class Call:
    """What one call took, in ms: wall, CPU (ours and that of programs), the longest pause of the event loop."""

    wall_ms: float
    cpu_ms: float
    pause_ms: float


@dataclass(frozen=True, slots=True)
class Subject:
    """A tool call beside a program; `program` is empty where no program does the same."""

    label: str
    tool: Any
    given: Callable[[], dict[str, Any]]
    program: list[str]
    needle: str = ""


def run(setting: Setting) -> list[Table]:
    """Tool and program in turn, so that a neighbour on the cores hits both."""
    progress(f"tools over {FILES:,} files")
    root = setting.tmp / "agent-tools"
    _grow(root)
    rg = shutil.which("rg")
    if rg is None:
        raise LoadFailedError("ripgrep is not installed: nothing to compare with")
    found = asyncio.run(_measured(_subjects(root, rg), max(setting.runs, LEAST_RUNS), root))
    table = Table(f"Tools in process, {FILES:,} files", ["call", "ms", "CPU ms", "pause ms", "program", "ms ", "ratio"])
    for subject, calls, programs in found:
        ours, theirs = _middle(calls, "wall_ms"), median(programs) if programs else float("nan")
        ratio = _ratio(calls, programs)
        cost = [_middle(calls, "cpu_ms"), _middle(calls, "pause_ms")]
        table.rows.append([subject.label, ours, *cost, " ".join(_shown(subject.program)), theirs, ratio])
    table.verdicts += _verdicts({subject.label: (calls, programs) for subject, calls, programs in found})
    table.notes.append("pause: the longest time in which the event loop did not turn, its timer of 1 ms included")
    return [table]


def _verdicts(found: dict[str, tuple[list[Call], list[float]]]) -> list[Verdict]:
    shell = [mine.wall_ms - theirs for mine, theirs in zip(*found["bash"], strict=True)]
    return [
        Verdict("grep against rg", _ratio(*found["grep"]), 1.2, " times"),
        Verdict("grep without ripgrep against rg", _ratio(*found["grep, own"]), 15, " times"),
        Verdict("find", _middle(found["find"][0], "wall_ms"), 60, " ms"),
        Verdict("bash above sh -c", median(shell), 8, " ms"),
        Verdict("edit of 4 MB", _middle(found["edit 4 MB"][0], "wall_ms"), 100, " ms"),
        Verdict("pause of the event loop in it", _middle(found["edit 4 MB"][0], "pause_ms"), 20, " ms"),
    ]


def _subjects(root: Path, rg: str) -> list[Subject]:
    place = Workplace(cwd=str(root), files=LocalFiles(), runner=LocalRunner(), spill=Spills())
    grep, find = {"pattern": "needle_[0-9]+"}, {"pattern": "*7.py"}
    bare_grep = [rg, "-n", grep["pattern"], "."]
    turn = count()

    def edit() -> dict[str, Any]:
        # There and back, so that each call finds what the one before has put there.
        old, new = ("first", "other") if next(turn) % 2 == 0 else ("other", "first")
        return {"path": "big.txt", "old_string": f"the {old} middle", "new_string": f"the {new} middle"}

    return [
        Subject("read", ReadTool(place), lambda: {"path": "long.py"}, ["cat", "long.py"], "x = 1999"),
        Subject("ls", LsTool(place), lambda: {"path": "src_00"}, ["ls", "src_00"], "module_0000.py"),
        Subject("grep", GrepTool(place), lambda: grep, bare_grep, "needle_7"),
        Subject("grep, own", GrepTool(place, lambda: ()), lambda: grep, bare_grep, "needle_7"),
        Subject("grep, 5,000 hits", GrepTool(place), lambda: {"pattern": "import os"}, [rg, "-n", "import os", "."]),
        Subject("find", FindTool(place), lambda: find, [rg, "--files", "-g", find["pattern"]], "module_0007.py"),
        Subject("find, own", FindTool(place, lambda: ()), lambda: find, ["find", ".", "-name", "*7.py"], "_0007.py"),
        Subject("bash", BashTool(place), lambda: {"command": "true"}, ["sh", "-c", "true"], "(no output)"),
        Subject("edit 4 MB", EditTool(place), edit, [], "edited"),
    ]


async def _measured(subjects: list[Subject], runs: int, root: Path) -> list[tuple[Subject, list[Call], list[float]]]:
    found: list[tuple[Subject, list[Call], list[float]]] = []
    for subject in subjects:
        text = await _said(subject)
        if subject.needle not in text:
            raise LoadFailedError(f"{subject.label} said {text[:200]!r}")
        calls: list[Call] = []
        programs: list[float] = []
        for _ in range(runs):
            calls.append(await _one(subject))
            if subject.program:
                programs.append(_program_ms(subject.program, root))
        found.append((subject, calls, programs))
    return found


async def _one(subject: Subject) -> Call:
    gaps = [0.0]
    ticking = asyncio.get_running_loop().create_task(_tick(gaps))
    await asyncio.sleep(0.005)
    gaps[:] = [0.0]
    cpu, began = _cpu_s(), time.perf_counter()
    await _said(subject)
    took, cpu = time.perf_counter() - began, _cpu_s() - cpu
    # A pause shows at the first tick behind it.
    await asyncio.sleep(2 * TICK_S)
    ticking.cancel()
    await asyncio.wait([ticking])
    return Call(took * 1e3, cpu * 1e3, max(gaps) * 1e3)


async def _said(subject: Subject) -> str:
    """Call a tool as the loop does: a plain function in a worker thread."""
    context = ToolContext("call_1", vision=False, cancelled=lambda: False, progress=lambda _text, _details: None)
    given = subject.given()
    if inspect.iscoroutinefunction(subject.tool.run):
        output = await subject.tool.run(given, context)
    else:
        output = await asyncio.to_thread(subject.tool.run, given, context)
    return getattr(output, "text", output)


async def _tick(gaps: list[float]) -> None:
    before = time.perf_counter()
    while True:
        await asyncio.sleep(TICK_S)
        now = time.perf_counter()
        gaps.append(now - before)
        before = now


def _program_ms(words: list[str], root: Path) -> float:
    began = time.perf_counter()
    subprocess.run(words, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return (time.perf_counter() - began) * 1e3


def _cpu_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _shown(words: list[str]) -> list[str]:
    return [words[0].rpartition("/")[2], *words[1:]] if words else ["-"]


def _middle(calls: list[Call], field: str) -> float:
    return median(getattr(call, field) for call in calls)


def _ratio(calls: list[Call], programs: list[float]) -> float:
    """Median of the ratios of neighbours in time."""
    if not programs:
        return float("nan")
    return median(mine.wall_ms / theirs for mine, theirs in zip(calls, programs, strict=True))


def _grow(root: Path) -> None:
    """Make a tree of small modules in folders, a few of which have the needle, a long file and a big one."""
    body = "import os\n\n" + "".join(f"def function_{n}(value):\n    return value + {n}\n" for n in range(LINES // 2))
    for folder in range(FOLDERS):
        (root / f"src_{folder:02}").mkdir(parents=True)
    for at in range(FILES):
        more = f"needle_{at // 97} = {at}\n" if at % 97 == 0 else ""
        (root / f"src_{at % FOLDERS:02}" / f"module_{at:04}.py").write_text(body + more, encoding="utf-8")
    (root / "long.py").write_text("".join(f"x = {at}\n" for at in range(2_000)), encoding="utf-8")
    half = "".join(f"{at:07} some text that stands in a line of a big file\n" for at in range(EDITED_BYTES // 2 // 57))
    (root / "big.txt").write_text(f"{half}the first middle\n{half}", encoding="utf-8")
