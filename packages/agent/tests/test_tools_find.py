from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from agent_search import RecordingRunner, answer, memory_place, nowhere, somewhere

from beyond_agent.seams import Finished
from beyond_agent.tools.find import FindTool

if TYPE_CHECKING:
    from collections.abc import Iterable


def found(paths: Iterable[str], pattern: str, **given: Any) -> str:
    return answer(FindTool(memory_place(dict.fromkeys(paths, b"")), nowhere), pattern=pattern, **given)


TREE = ("src/a.py", "src/x/b.py", "x/src/c.py", ".dot/d.py", "e.txt", "a-b/f", "a.b", "a/g")


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("*.py", ".dot/d.py src/a.py src/x/b.py x/src/c.py"),
        ("src/*.py", "src/a.py x/src/c.py"),
        ("/src/*.py", "src/a.py"),
        ("**/src/*.py", "src/a.py x/src/c.py"),
        ("src/**", "src/a.py src/x src/x/b.py x/src/c.py"),
        ("src/**/*.py", "src/a.py src/x/b.py x/src/c.py"),
        ("src", "src x/src"),
        ("/src", "src"),
        ("x", "src/x x"),
        ("a*", "a a-b a.b src/a.py"),
        (".*", ".dot"),
        ("{e,f}*", "a-b/f e.txt"),
        ("**", ".dot .dot/d.py a a/g a-b a-b/f a.b e.txt src src/a.py src/x src/x/b.py x x/src x/src/c.py"),
    ],
)
def test_a_glob_finds_files_and_folders(pattern: str, paths: str) -> None:
    """A glob without a slash is for names, one with it for paths from anywhere; all is in path order, dotfiles too."""
    assert paths.split() == found(TREE, pattern).split("\n")


def test_nothing_has_its_text() -> None:
    """The pattern is in it as it was given; where not all was read that is told too."""
    assert found(TREE, "*.zig") == 'no files matching "*.zig"'
    place = memory_place({"a/!": PermissionError(13, "Permission denied"), "a/x": b""})
    text = 'no files matching "x"\n\n[some of the directories could not be read]'
    assert answer(FindTool(place, nowhere), pattern="x") == text


def test_folders_of_ignored_files_are_left_out() -> None:
    """A folder is found if it holds, at any depth, a file that is not ignored; `.git` never is."""
    place = memory_place(
        {".gitignore": b"*.log\nbuild/\n", "a/x.log": b"", "b/c/x": b"", "build/x": b"", ".git/x": b"", "d/build": b""}
    )
    assert answer(FindTool(place, nowhere), pattern="**") == ".gitignore\nb\nb/c\nb/c/x\nd\nd/build"
    assert answer(FindTool(place, nowhere), pattern="x", path="b") == "c/x"


def test_the_first_paths_of_all_are_shown() -> None:
    """Of more than the limit those that come first are kept, 10,000 at most, and a limit for more is named."""
    names = [f"{number:05}" for number in range(12_000)]
    printed = "".join(f"./{name}\0" for name in reversed(names)).encode()

    def limited(**given: Any) -> str:
        place = memory_place({}, RecordingRunner(printed[:7], printed[7:]))
        return answer(FindTool(place, somewhere), pattern="*", **given)

    body, _, notice = limited().partition("\n\n")
    assert body.split("\n") == names[:1000]
    assert notice == "[result limit 1000 reached; use limit=2000 for more, or a narrower pattern or path]"
    assert limited(limit=2).startswith("00000\n00001\n\n[result limit 2 reached; use limit=4 for more")
    assert "[result limit 10000 reached; use a narrower pattern or path]" in limited(limit=11_000)
    assert "reached" not in found(TREE, "*.py", limit=4)
    assert found(TREE, "*.py", limit=3).startswith(".dot/d.py\nsrc/a.py\nsrc/x/b.py\n\n[result limit 3 reached; ")


def test_very_many_paths_are_kept_down() -> None:
    """What comes late but is first in order is among those kept."""
    printed = "".join(f"{number:06}\0" for number in range(100_000, 0, -1)).encode()
    place = memory_place({}, RecordingRunner(printed))
    assert answer(FindTool(place, somewhere), pattern="*", limit=2).startswith("000001\n000002\n\n[")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"pattern": "[a"}, "InvalidInput: bad glob: a [ is not closed"),
        ({"pattern": ""}, "InvalidInput: bad glob: it is empty"),
        ({"pattern": "/"}, "InvalidInput: bad glob: it is empty"),
        ({"path": "gone"}, "InvalidInput: Path not found: gone"),
        ({"path": "e.txt"}, "InvalidInput: Not a directory: e.txt"),
    ],
)
def test_a_wrong_call_is_told_what_is_wrong(given: dict[str, str], text: str) -> None:
    """Each fault has a text for the model."""
    assert text == found(TREE, **{"pattern": "*"} | given)


def test_ripgrep_lists_the_files() -> None:
    """It runs in the folder that is searched, and an error of its own is told."""
    runner = RecordingRunner(b"./a\0./we\nird/\xff\0", finished=Finished(code=2, stderr=b"rg: ./d: denied\n"))
    text = answer(FindTool(memory_place({"d/x": b""}, runner), somewhere), pattern="*", path="d")
    assert text == "a\nwe\\x0aird\nwe\\x0aird/\\xff\n\n[some of the directories could not be read]"
    (command,) = runner.commands
    assert (*command.argv[:2], command.argv[-1], command.cwd) == ("/bin/rg", "--files", "./", "/w/d")
    runner = RecordingRunner(failure=FileNotFoundError(2, "No such file or directory"))
    assert answer(FindTool(memory_place({"x": b""}, runner), somewhere), pattern="*") == "x"


def test_what_ripgrep_listed_is_the_answer() -> None:
    """The folder is not walked a second time, not even where ripgrep complained of a rule in a folder above."""
    for ended in (Finished(code=0), Finished(code=2, stderr=b"rg: /.gitignore: bad rule\n")):
        place = memory_place({"walked": b""}, RecordingRunner(b"./listed\0", finished=ended))
        assert answer(FindTool(place, somewhere), pattern="*") == "listed"


def test_the_schema_is_the_contracts() -> None:
    """Types, bounds and names are exact; each property has a line that describes it."""
    tool = FindTool(memory_place({}))
    assert all("\n" not in each.pop("description") for each in tool.input_schema["properties"].values())
    assert tool.input_schema == {
        "type": "object",
        "properties": {
            "pattern": {"type": "string"},
            "path": {"type": "string"},
            "limit": {"type": "integer", "minimum": 1},
        },
        "required": ["pattern"],
    }
    assert tool.read_only
