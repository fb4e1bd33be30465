from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from agent_search import RecordingRunner, answer, memory_place, somewhere

from beyond_agent.seams import Finished
from beyond_agent.tools.grep import GrepTool
from beyond_agent.tools.search_ripgrep import installed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from beyond_agent.seams import Command

WARNING = b': WARNING: stopped searching binary file after match (found "\\0" byte around offset 9)\n'


def grepped(runner: RecordingRunner, **given: Any) -> str:
    place = memory_place({"a": b"", "d/x": b""}, runner)
    return answer(GrepTool(place, somewhere), **{"pattern": "p"} | given)


OUTPUT = (
    b"./b\x0010\0ten\n./b\x0011\0a:b\n./we\nird\x001\0odd\n./bin\x001\0hit\n./bin"
    + WARNING
    + b"./x\ny\x001\0z\n./x\ny"
    + WARNING
    + b"./a\x002\0\r\n"
)
TEXT = "a:2: \nb:10: ten\nb:11: a:b\nwe\\x0aird:1: odd"


@pytest.mark.parametrize("cut", range(0, len(OUTPUT), 3))
def test_records_are_read_however_they_come(cut: int) -> None:
    """Files come in any order and pieces end anywhere; what ripgrep took back as binary is not there."""
    assert grepped(RecordingRunner(OUTPUT[:cut], OUTPUT[cut:])) == TEXT


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ({}, ["--case-sensitive", "--regexp=p", "./"]),
        ({"pattern": "-x", "ignore_case": True}, ["--ignore-case", "--regexp=-x", "./"]),
        ({"literal": True}, ["--case-sensitive", "--fixed-strings", "--regexp=p", "./"]),
        ({"glob": "*.py"}, ["--type-add=wanted:*.py", "--type=wanted", "--case-sensitive", "--regexp=p", "./"]),
        ({"glob": "s/*.py"}, ["--type-add=wanted:*.py", "--type=wanted", "--case-sensitive", "--regexp=p", "./"]),
        ({"glob": "!d/"}, ["--glob=!**/d/", "--case-sensitive", "--regexp=p", "./"]),
        ({"glob": "!/d"}, ["--glob=!/d", "--case-sensitive", "--regexp=p", "./"]),
        ({"glob": "?.py"}, ["--glob=!.git", "--case-sensitive", "--regexp=p", "./"]),
        ({"glob": "s/**"}, ["--glob=!.git", "--case-sensitive", "--regexp=p", "./"]),
        ({"glob": "{a/b,c}"}, ["--glob=!.git", "--case-sensitive", "--regexp=p", "./"]),
        ({"path": "a"}, ["--max-depth=1", "--glob=/a", "--case-sensitive", "--regexp=p", "./"]),
    ],
)
def test_ripgrep_is_told_what_it_can_know(given: dict[str, Any], flags: list[str]) -> None:
    """Pattern, case and what of the glob leaves files out; it runs in the folder that is searched."""
    runner = RecordingRunner()
    grepped(runner, **given)
    assert [flags] == [list(each.argv[-len(flags) :]) for each in runner.commands]
    assert {"/w"} == {each.cwd for each in runner.commands}


def test_beyond_10000_matches_it_searches_in_path_order() -> None:
    """What the cores found first says nothing, so that the search begins anew and ends with the limit."""
    many = b"".join(b"./%05d\x001\0x\n" % number for number in range(10_003))
    runner = RecordingRunner(many)
    text = grepped(runner, limit=2)
    assert text.startswith("00000:1: x\n00001:1: x\n\n[match limit 2 reached; use limit=4 ")
    assert ["--sort=path" in each.argv for each in runner.commands] == [False, True]
    runner = RecordingRunner(many[: many.index(b"./10000")])
    grepped(runner, limit=2)
    assert len(runner.commands) == 1


def test_a_file_of_many_matches_is_read_to_its_end() -> None:
    """It may be binary at its end: then none of its matches counts."""
    hits = b"".join(b"./b\x00%d\0x\n" % number for number in range(1, 20_001))
    assert grepped(RecordingRunner(hits, b"./b" + WARNING)) == 'no matches for "p"'
    assert grepped(RecordingRunner(hits), limit=1).startswith("b:1: x\n\n[match limit 1 reached; ")


@pytest.mark.parametrize(
    ("finished", "text"),
    [
        (Finished(signal=9), "ExecutionFailed: ripgrep was killed by signal 9"),
        (Finished(code=101, stderr=b"rg: panic\n"), "ExecutionFailed: ripgrep exited 101: rg: panic"),
        (Finished(code=2, stderr=b"rg: bad\n"), 'no matches for "p"'),
        (Finished(code=1), 'no matches for "p"'),
    ],
)
def test_how_ripgrep_ended_is_told(finished: Finished, text: str) -> None:
    """What ends it is an error; where it searched nothing Python does."""
    assert text == grepped(RecordingRunner(finished=finished))


def test_only_what_is_below_the_root_is_unreadable() -> None:
    """A bad rule in a folder above makes an error too, and hides nothing."""
    above = Finished(code=2, stderr=b"rg: /x/.gitignore: line 1: error parsing glob\n/x/.gitignore: line 2: also\n")
    below = Finished(code=2, stderr=above.stderr + b"rg: ./d: Permission denied (os error 13)\n")
    assert grepped(RecordingRunner(b"./a\x001\0x\n", finished=above)) == "a:1: x"
    some = "some of the files or directories could not be read"
    assert grepped(RecordingRunner(b"./a\x001\0x\n", finished=below)) == f"a:1: x\n\n[{some}]"


class Versions(RecordingRunner):
    """Programs that tell their version, or cannot be started."""

    def __init__(self, **versions: bytes | None) -> None:
        super().__init__()
        self._versions = versions

    async def run(self, command: Command, output: Callable[[bytes], object]) -> Finished:
        if command.argv[1] == "--version":
            version = self._versions[command.argv[0]]
            if version is None:
                raise FileNotFoundError(2, "No such file or directory")
            output(version)
        return await super().run(command, output)


@pytest.mark.parametrize(
    ("versions", "chosen"),
    [
        ({"first": b"ripgrep 15.1.0\n", "second": b""}, "first"),
        ({"first": b"ripgrep 13.0.0\n-SIMD", "second": b""}, "second"),
        ({"first": b"something else", "second": b""}, "first"),
        ({"first": None, "second": b""}, "second"),
        ({"first": b"ripgrep 13.0.0\n"}, "first"),
    ],
)
def test_an_old_ripgrep_gives_way_to_another(versions: dict[str, bytes | None], chosen: str) -> None:
    """The first of those that there are runs, unless it is known to be old; its version is asked once."""
    runner = Versions(**versions)
    tool = GrepTool(memory_place({"a": b""}, runner), lambda: tuple(versions))
    assert [answer(tool, pattern="p") for _ in range(2)] == ['no matches for "p"'] * 2
    assert [chosen] * 2 == [each.argv[0] for each in runner.commands if each.argv[1] != "--version"]


def test_python_searches_for_what_an_old_ripgrep_refuses() -> None:
    """A pattern that Python knows is no error; one that it does not is told in ripgrep's words."""
    refusing = RecordingRunner(finished=Finished(code=2, stderr=b"rg: unrecognized escape sequence\n"))
    assert answer(GrepTool(memory_place({"a": b"x/y"}, refusing), somewhere), pattern="x\\/y") == "a:1: x/y"
    text = answer(GrepTool(memory_place({"a": b""}, refusing), somewhere), pattern="\\p{Nope}")
    assert text == "InvalidInput: bad pattern: unrecognized escape sequence"


def test_ripgrep_is_looked_for_on_path_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then comes the one that was installed with this package; a file that cannot be run is none."""
    for folder, mode in (("no", 0o644), ("yes", 0o755), ("later", 0o755)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rg").touch(mode)
    monkeypatch.setenv("PATH", f"rel:{tmp_path}/no:{tmp_path}/yes:{tmp_path}/later")
    first, second = installed()
    assert str(tmp_path / "yes" / "rg") == first
    monkeypatch.setenv("PATH", "")
    assert [second] == installed()
    monkeypatch.setenv("PATH", second.removesuffix("/rg"))
    assert [second] == installed()
