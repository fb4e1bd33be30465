"""The agent core beside other agent libraries, each in a throwaway environment: the import, its size, the same task."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from subprocess import CompletedProcess
from subprocess import run as run_process
from typing import TYPE_CHECKING

from bench.report import Table, Verdict
from bench.setting import PYTHON, ROOT, progress

if TYPE_CHECKING:
    from pathlib import Path

    from bench.setting import Setting

UV = ROOT / ".venv/bin/uv"
IMPORT = """
import time; {names}
print(time.process_time(), open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""
COLUMNS = ["library", "import, ms CPU", "import, MB", "distributions", "installed, MB", "a turn of ten, ms CPU"]


@dataclass(frozen=True, slots=True)
class Peer:
    """What to install, what a program that uses it imports, and the function of `core_tasks.py`."""

    name: str
    requirements: list[str]
    imports: str

    @property
    def task(self) -> str:
        """The function's name."""
        return self.name.replace("-", "_")


PEERS = [
    Peer(
        "beyond-ai-agent-core",
        [str(ROOT / "packages/wire"), str(ROOT / "packages/agent-core")],
        "from beyond_agent_core import Agent, HttpTransport, Session, tool",
    ),
    Peer("openai-agents", ["openai-agents==0.24.0"], "from agents import Agent, Runner, function_tool"),
    Peer("pydantic-ai", ["pydantic-ai-slim==2.68.0"], "from pydantic_ai import Agent"),
    # Two releases of litellm, which it needs, have carried credential stealers: a version from before the first.
    Peer(
        "mini-swe-agent",
        ["mini-swe-agent==2.4.6", "litellm==1.82.6"],
        "from minisweagent.agents.default import DefaultAgent",
    ),
]


def run(setting: Setting) -> list[Table]:
    """One row a library; one that cannot be had is a note."""
    table = Table("The agent core beside other agent libraries", COLUMNS)
    table.notes += [
        "import: the whole process, with what a program needs that has one agent with one tool",
        "a turn: nine calls of one tool and a text, each library's own scripted model, no network, no tracing",
        "ours streams its answers in pieces, the others get them whole; mini-swe-agent's shell is a stand-in",
        "mini-swe-agent imports litellm when it first asks a real model",
    ]
    ours, others = list[float](), list[float]()
    for peer in PEERS:
        progress(f"installing {peer.name}")
        home = setting.tmp / f"core-{peer.name}"
        failed = _installed(peer, home)
        if failed:
            table.notes.append(f"{peer.name} cannot be measured: {failed}")
            continue
        row = [*_import(peer, home, setting), *_size(home), _turn(peer, home, setting)]
        local = peer.requirements[0].startswith("/")
        table.rows.append([peer.name if local else peer.requirements[0], *row])
        if local:
            ours = row
        else:
            others.append(row[0])
    if ours and others:
        table.verdicts += [
            Verdict("the quickest other import over ours", min(others) / ours[0], 2, " times", at_least=True),
            Verdict("memory of ours", ours[1], 25, " MB"),
            Verdict("a turn of ours", ours[4], 1, " ms CPU"),
        ]
    return [table]


def _installed(peer: Peer, home: Path) -> str:
    """Make the environment; return the last line of what went wrong."""
    pip = [str(UV), "pip", "install", "--quiet", "--python", str(home / "bin/python"), "--compile-bytecode"]
    # Third parties come as wheels: building one would run its code.
    wheels = [] if peer.requirements[0].startswith("/") else ["--no-build"]
    for command in ([str(UV), "venv", "--quiet", "--python", PYTHON, str(home)], [*pip, *wheels, *peer.requirements]):
        done = run_process(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["uv failed"])[-1][:200]
    return ""


def _import(peer: Peer, home: Path, setting: Setting) -> tuple[float, float]:
    """Return milliseconds of CPU and peak MB."""
    code = IMPORT.format(names=peer.imports)
    _bare(home, setting, "-c", code)
    found = [_bare(home, setting, "-c", code).stdout.split()[-2:] for _ in range(max(5, setting.runs))]
    return median(float(cpu) for cpu, _ in found) * 1e3, median(float(kib) for _, kib in found) / 1024


def _size(home: Path) -> tuple[float, float]:
    """Return how many distributions there are, and the MB of all their files but bytecode."""
    site = next((home / "lib").glob("python*/site-packages"))
    files = [path for path in site.rglob("*") if path.suffix != ".pyc" and path.is_file()]
    return float(len(list(site.glob("*.dist-info")))), sum(path.stat().st_size for path in files) / 1e6


def _turn(peer: Peer, home: Path, setting: Setting) -> float:
    done = _bare(home, setting, str(ROOT / "bench/core_tasks.py"), peer.task, str(10 * max(3, setting.runs)))
    return float(done.stdout.split()[-1])


def _bare(home: Path, setting: Setting, *words: str) -> CompletedProcess[str]:
    """A process that sees no variable of ours; what it makes at home goes with the run."""
    environment = {"HOME": str(setting.tmp), "PATH": "/usr/bin:/bin", "MSWEA_SILENT_STARTUP": "1"}
    command = [str(home / "bin/python"), *words]
    return run_process(command, env=environment, capture_output=True, text=True, check=True)
