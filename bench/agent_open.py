"""Opens one stored session and says what that took: seconds, KiB above what was resident before. agent_open.py PATH.

A process of its own, so that its memory is that of one session, opened once.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from beyond_agent.sessions.store import SessionStore


def _peak_kib() -> int:
    return int(Path("/proc/self/status").read_text(encoding="utf-8").split("VmHWM:")[1].split()[0])


def main(path: str) -> None:
    """Open it as `run --session` would."""
    store = SessionStore(Path(path).parent)
    before, began, cpu = _peak_kib(), time.perf_counter(), time.process_time()
    stored = store.open(path)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(took, cpu, _peak_kib() - before, len(stored.session.messages))
    stored.close()


main(sys.argv[1])
