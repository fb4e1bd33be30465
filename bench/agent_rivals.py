"""Other coding agents, each as its index installs it into a throwaway folder, told to ask the bench's own endpoint.

They are run without a terminal, for one task, with a key that is none, a home of their own, and their own switches
against telemetry and updates, so that they ask the endpoint and nobody else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench import agent_process, peers
from bench.agent_process import KEY
from bench.setting import progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.agent_process import Place
    from bench.setting import Setting

TASK = "Fix add in app.py."
CODEX = os.environ.get("BENCH_CODEX", "@openai/codex")
CLAUDE = os.environ.get("BENCH_CLAUDE", "@anthropic-ai/claude-code")
PI = os.environ.get("BENCH_PI", "@mariozechner/pi-coding-agent")
MINI = os.environ.get("BENCH_MINI_SWE", "mini-swe-agent")
# The newest of this one is offered only outside of the index, which npm is not asked to leave.
OVERRIDES = {"xlsx": "0.18.5"}


class Rival(NamedTuple):
    """An installed agent: its name with its version, and the command and environment that make it ask `port`."""

    label: str
    command: list[str]
    where: Place
    environment: dict[str, str]


class Make(NamedTuple):
    """How to install an agent, and how to aim it; `source` is what the index knows it by."""

    name: str
    source: str
    install: Callable[[Setting, str, str], Path]
    aim: Callable[[Path, Place, int], tuple[list[str], dict[str, str]]]


def all_of(setting: Setting, port: int) -> tuple[list[Rival], list[str]]:
    """Every rival that can be had, and a line for each that cannot."""
    found: list[Rival] = []
    notes: list[str] = []
    for make in MAKES:
        try:
            home = make.install(setting, make.name, make.source)
        except (peers.UnavailableError, OSError) as error:
            notes.append(f"{make.source} cannot be measured: {error}")
            continue
        where = agent_process.place(setting, make.name)
        words, more = make.aim(home, where, port)
        found.append(Rival(make.name, words, where, where.environment(**more)))
    return found, notes


def npm(setting: Setting, name: str, package: str) -> Path:
    """The folder that npm put `package` into, kept in BENCH_RIVALS where that names one. Raises UnavailableError."""
    home = Path(os.environ.get("BENCH_RIVALS") or setting.tmp / "npm") / name
    if (home / "node_modules").is_dir():
        return home
    if not shutil.which("npm"):
        raise peers.UnavailableError("npm is not installed")
    progress(f"npm install {package} (a minute)")
    home.mkdir(parents=True, exist_ok=True)
    (home / "package.json").write_text(json.dumps({"private": True, "overrides": OVERRIDES}), encoding="utf-8")
    words = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", package]
    done = subprocess.run(words, cwd=home, capture_output=True, text=True, check=False)
    if done.returncode:
        raise peers.UnavailableError((done.stderr.strip().splitlines() or ["npm failed"])[0][:200])
    return home


def venv(setting: Setting, name: str, requirement: str) -> Path:
    """The venv with `requirement`, kept in BENCH_RIVALS where that names a folder. Raises UnavailableError."""
    kept = Path(os.environ.get("BENCH_RIVALS", "/nonexistent")) / name
    return kept if kept.is_dir() else peers.installed(setting, name, requirement)


def _codex(home: Path, where: Place, port: int) -> tuple[list[str], dict[str, str]]:
    provider = f'{{name="mock",base_url="http://127.0.0.1:{port}/v1",env_key="MOCK_KEY",wire_api="responses"}}'
    settings = ["-c", f"model_providers.mock={provider}", "-c", 'model_provider="mock"']
    words = [str(home / "node_modules/.bin/codex"), "exec", "--skip-git-repo-check", *settings, "-m", "gpt-5", TASK]
    return words, {"MOCK_KEY": KEY, "CODEX_HOME": str(_made(where.home / ".codex"))}


def _codex_alone(home: Path, where: Place, port: int) -> tuple[list[str], dict[str, str]]:
    """Its program without the launcher in Node.js that the index puts before it."""
    words, more = _codex(home, where, port)
    program = next(home.glob("node_modules/@openai/*/vendor/*/bin/codex"))
    return [str(program), *words[1:]], more


def _claude(home: Path, _: Place, port: int) -> tuple[list[str], dict[str, str]]:
    more = {
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}",
        "ANTHROPIC_API_KEY": KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
    return [str(home / "node_modules/.bin/claude"), "-p", TASK], more


def _pi(home: Path, where: Place, port: int) -> tuple[list[str], dict[str, str]]:
    provider = {
        "baseUrl": f"http://127.0.0.1:{port}/v1",
        "api": "openai-completions",
        "apiKey": KEY,
        "models": [{"id": "gpt-4o"}],
    }
    models = _made(where.home / ".pi/agent") / "models.json"
    models.write_text(json.dumps({"providers": {"mock": provider}}), encoding="utf-8")
    words = [str(home / "node_modules/.bin/pi"), "-p", "--provider", "mock", "--model", "gpt-4o", TASK]
    return words, {"PI_OFFLINE": "1", "PI_TELEMETRY": "0"}


def _mini(home: Path, where: Place, port: int) -> tuple[list[str], dict[str, str]]:
    more = {
        "OPENAI_API_BASE": f"http://127.0.0.1:{port}/v1",
        "OPENAI_API_KEY": KEY,
        "MSWEA_CONFIGURED": "true",
        "MSWEA_COST_TRACKING": "ignore_errors",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    out = str(where.home / "trajectory.json")
    return [str(home / "bin/mini"), "-y", "--exit-immediately", "-m", "openai/gpt-4o", "-o", out, "-t", TASK], more


def _same_as_codex(setting: Setting, _: str, package: str) -> Path:
    return npm(setting, "codex", package)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


MAKES = (
    Make("codex", CODEX, npm, _codex),
    Make("codex, no launcher", CODEX, _same_as_codex, _codex_alone),
    Make("claude", CLAUDE, npm, _claude),
    Make("pi", PI, npm, _pi),
    Make("mini", MINI, venv, _mini),
)
