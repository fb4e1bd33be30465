"""`python -m fuzz [TARGET ...] [--seconds 60]`: look for bytes that break a target, and keep those that reach new code.

`--replay FILE` runs one input again, without atheris. Exit status 1 says that something was found; the input is then in
`fuzz/findings/`. What is kept in `fuzz/corpus/` is the smallest set found that reaches the same code.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from fuzz.targets import TARGETS

HERE = Path(__file__).parent
FINDINGS = HERE / "findings"
CORPUS = HERE / "corpus"

INPUT_BYTES = 4096  # above it are limits that tests prove; below it are all the grammars
KEPT_FILES = 12  # for each target beside its `seed-` files, so that the repository stays light
KEPT_BYTES = 2048
ONE_INPUT_S = 10
MEMORY_MB = 1024


class Run(NamedTuple):
    """What one target's process said."""

    executions: int
    a_second: int
    finding: Path | None
    fault: str


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all of them without")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="feed one input to one target, without atheris")
    asked = parser.parse_args()
    unknown = set(asked.targets) - set(TARGETS)
    if unknown or (asked.replay and len(asked.targets) != 1):
        parser.error(f"targets are {', '.join(TARGETS)}")
    if asked.replay:
        TARGETS[asked.targets[0]](asked.replay.read_bytes())
        return 0
    return max(_fuzz(name, asked.seconds) for name in asked.targets or TARGETS)


def _fuzz(name: str, seconds: int) -> int:
    corpus = CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    FINDINGS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as new:
        run = _run(name, seconds, Path(new), corpus)
        if run.finding is None and not run.fault:
            _keep_smallest(name, Path(new), corpus)
    files = list(corpus.iterdir())
    size = sum(file.stat().st_size for file in files) / 1024
    print(
        f"{name:20} {run.executions:9,} inputs {run.a_second:6,}/s  corpus {len(files):3} files {size:5.1f} KiB",
        flush=True,
    )
    if run.finding is None and not run.fault:
        return 0
    print(f"{run.fault}\n  python -m fuzz {name} --replay {run.finding}", flush=True)
    return 1


def _run(name: str, seconds: int, new: Path, corpus: Path) -> Run:
    before = set(FINDINGS.glob(f"{name}-*"))
    flags = [
        f"-max_total_time={seconds}",
        f"-max_len={INPUT_BYTES}",
        f"-timeout={ONE_INPUT_S}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-dict={HERE / 'words.dict'}",
        f"-artifact_prefix={FINDINGS / name}-",
        "-print_final_stats=1",
    ]
    status, said = _libfuzzer(name, *flags, str(new), str(corpus), timeout=seconds + 60)
    found = sorted(set(FINDINGS.glob(f"{name}-*")) - before)
    _, _, uncaught = said.partition("Uncaught Python exception: ===")
    fault = "" if status == 0 else re.split(r"\n(?===|INFO|WARNING)", uncaught or said[-2000:])[0]
    return Run(
        executions=_number("number_of_executed_units", said),
        a_second=_number("average_exec_per_sec", said),
        finding=found[0] if found else None,
        fault=fault,
    )


def _number(label: str, said: str) -> int:
    match = re.search(rf"stat::{label}: +(\d+)", said)
    return int(match[1]) if match else 0


def _keep_smallest(name: str, new: Path, corpus: Path) -> None:
    """Put the smallest set of inputs that reaches all that both folders reach in the place of the corpus."""
    with tempfile.TemporaryDirectory() as counted, tempfile.TemporaryDirectory() as reached:
        _libfuzzer(name, "-set_cover_merge=1", counted, str(corpus), str(new), timeout=600)
        # Without counters a loop that runs once is one that runs often; with them the set is several times as large.
        _libfuzzer(name, "-set_cover_merge=1", "-use_counters=0", reached, counted, timeout=600)
        needed = {file.name for file in Path(reached).iterdir()}
        files = sorted(Path(counted).iterdir(), key=lambda file: (file.name not in needed, file.stat().st_size))
        kept = [file for file in files if file.stat().st_size <= KEPT_BYTES][:KEPT_FILES]
        if not kept:
            return
        for file in corpus.iterdir():
            if not file.name.startswith("seed-"):
                file.unlink()
        for file in kept:
            shutil.copy(file, corpus / file.name[:16])


def _libfuzzer(name: str, *arguments: str, timeout: float) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "fuzz.one", name, *arguments],
        cwd=HERE.parent,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return ended.returncode, (ended.stdout + ended.stderr).decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
