from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from agent_file_tools import call, workplace

from beyond_agent.machine.files import LocalFiles
from beyond_agent.tools.edit import EditTool
from beyond_agent.tools.write import WriteTool
from beyond_agent_core import Agent, Session
from beyond_agent_core.testing import ScriptedTransport, calls, says

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

SUPPORT = str(Path(__file__).parents[1] / "support")
BEGIN = f"""
import os, resource, sys
sys.path.insert(0, {SUPPORT!r})
from agent_file_tools import call, workplace
from beyond_agent.tools.edit import EditTool
from beyond_agent.tools.read import ReadTool
from beyond_agent.tools.write import WriteTool
from beyond_agent_core.errors import ExecutionFailed
folder = sys.argv[1]
place = workplace(folder)
def failure(tool, **given):
    try:
        return call(tool(place), **given).text
    except ExecutionFailed as error:
        return str(error)
"""
FULL = """
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
print(failure(WriteTool, path="a", content="x" * 200_000))
print(failure(WriteTool, path="new", content="x" * 200_000))
print(failure(EditTool, path="a", old_string="old", new_string="x" * 200_000))
"""
FOR_EVER = """
print("ready", flush=True)
while True:
    call(WriteTool(place), path="a", content="x" * SIZE)
    call(EditTool(place), path="a", old_string="x" * SIZE, new_string="y" * SIZE)
"""
AS_ANOTHER = """
os.setgroups([]), os.setgid(65534), os.setuid(65534)
"""
DENIED = """
for name in ("sealed", "fixed", "theirs"):
    print(failure(EditTool, path=name, old_string="old", new_string="new"))
    print(failure(WriteTool, path=name, content="new"))
print(failure(ReadTool, path="sealed"))
print(failure(WriteTool, path="closed/new", content="new"))
print(failure(WriteTool, path="closed/d/new", content="new"))
"""


def ran(script: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script, str(folder)], check=True, capture_output=True, text=True, timeout=30
    )
    return done.stdout.splitlines()


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    """Where the new content finds no room, the old stays, and nothing is left beside it."""
    (tmp_path / "a").write_bytes(b"old\n")
    assert ran(FULL, tmp_path) == [
        "write a: File too large",
        "write new: File too large",
        "write a: File too large",
    ]
    assert (tmp_path / "a").read_bytes() == b"old\n"
    assert [tmp_path / "a"] == list(tmp_path.iterdir())


def test_a_kill_leaves_the_old_content_or_the_new(tmp_path: Path) -> None:
    """Killed at any moment of write and edit, a file is one of the two, never a mix."""
    size = 3_000_000
    target = tmp_path / "a"
    whole = {b"x" * size, b"y" * size}
    script = BEGIN + FOR_EVER.replace("SIZE", str(size))
    for delay in range(1, 11):
        target.write_bytes(b"y" * size)
        with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(delay * 0.007)
            child.kill()
        assert target.read_bytes() in whole


@pytest.fixture
def open_folder() -> Iterator[Path]:
    # A directory of pytest's own is closed to other users.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def test_what_a_user_may_not_do_is_a_failure_and_changes_nothing(open_folder: Path) -> None:
    """Files that may not be read or written, or whose owner could not stay, stay; the system's words say why."""
    modes = {"sealed": 0o000, "fixed": 0o444, "theirs": 0o666}
    for name, mode in modes.items():
        (open_folder / name).write_bytes(b"old")
        (open_folder / name).chmod(mode)
    (open_folder / "closed").mkdir(mode=0o555)
    root = os.geteuid() == 0
    # Who is not root owns all of it, so that `theirs` may be written.
    mine = ["edited theirs (1 replacement)", "wrote 3 bytes to theirs"]
    theirs = ["write theirs: Operation not permitted"] * 2 if root else mine
    assert ran((AS_ANOTHER if root else "") + DENIED, open_folder) == [
        "read sealed: Permission denied",
        "write sealed: Permission denied",
        "write fixed: Permission denied",
        "write fixed: Permission denied",
        *theirs,
        "read sealed: Permission denied",
        "write closed/new: Permission denied",
        f"mkdir {open_folder}/closed/d: Permission denied",
    ]
    assert {path.name: path.stat().st_mode & 0o777 for path in open_folder.iterdir()} == modes | {"closed": 0o555}


class Watched(LocalFiles):
    """Files that tell which threads read them."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def read(self, path: str, at_most: int | None = None) -> bytes:
        self.threads.add(threading.get_ident())
        return super().read(path, at_most)


def test_parallel_edits_of_one_file_all_land(tmp_path: Path) -> None:
    """Calls of one turn, by two names of the file, go one after the other, and none in the loop's thread."""
    lines = [f"line {number};\n" for number in range(20)]
    (tmp_path / "a").write_text("".join(lines))
    (tmp_path / "link").symlink_to("a")
    files = Watched()
    place = workplace(tmp_path, files)
    turn = calls(
        *(
            ("edit", {"path": ("a", "link")[n % 2], "old_string": f"line {n};", "new_string": f"LINE {n};"})
            for n in range(20)
        )
    )
    session = Session()
    agent = Agent(ScriptedTransport([turn, says("done")]), model="m", tools=[EditTool(place), WriteTool(place)])
    asyncio.run(agent.run(session, "edit"))
    assert (tmp_path / "a").read_text() == "".join(lines).upper()
    assert threading.get_ident() not in files.threads


def test_a_file_of_4_mb_is_edited_within_100_ms(tmp_path: Path) -> None:
    """The work of one edit, the best of five times, is that of a few passes over the text."""
    line = "    some words of a line\n"
    half = line * (2_000_000 // len(line))
    place = workplace(tmp_path)
    seconds: list[float] = []
    for _ in range(5):
        (tmp_path / "a").write_text(f"{half}one place\n{half}")
        start = time.process_time()
        call(EditTool(place), path="a", old_string="one place", new_string="another")
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.1


def test_a_file_of_60_mb_is_edited(tmp_path: Path) -> None:
    """Size is no reason to refuse below the bound, and all other bytes stay."""
    half = b"0123456789 abcdef\r\n" * (30_000_000 // 19)
    (tmp_path / "a").write_bytes(half + b"one place\r\n" + half)
    call(EditTool(workplace(tmp_path)), path="a", old_string="one place\n", new_string="two\nplaces\n")
    assert (tmp_path / "a").read_bytes() == half + b"two\r\nplaces\r\n" + half


def test_what_only_a_call_needs_is_not_loaded_with_the_tools() -> None:
    """Start-up pays for schemas, not for the regexes and tables behind edit, grep and find, nor for images."""
    late = ("edit_match", "edit_diff", "grep_query", "find_paths", "images")
    code = f"import sys, beyond_agent.toolset\nprint([n for n in {late} if f'beyond_agent.tools.{{n}}' in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
