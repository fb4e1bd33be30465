from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from agent_search import MemoryTree, RecordingRunner, answer, memory_place, nowhere, somewhere

from beyond_agent.tools.grep import GrepTool
from beyond_agent.tools.grep_query import FileHits, Found, Query
from beyond_agent.tools.grep_text import result_text
from beyond_agent.tools.search_root import SearchRoot

if TYPE_CHECKING:
    from collections.abc import Mapping


def grepped(tree: Mapping[str, bytes | OSError], pattern: str = "hit", **given: Any) -> str:
    return answer(GrepTool(memory_place(tree), nowhere), pattern=pattern, **given)


NUMBERED = b"".join(b"%d\n" % number for number in range(1, 301))


def test_matches_are_sorted_by_path_then_line() -> None:
    """What is in a folder stays together, and lines have their numbers."""
    tree = {"b": b"hit\n\nhit", "a/z": b"no\nhit 1\n", "a.b": b"hit", "a-b/x": b"hit", ".h": b"hit"}
    assert grepped(tree) == ".h:1: hit\na/z:2: hit 1\na-b/x:1: hit\na.b:1: hit\nb:1: hit\nb:3: hit"


def test_no_match_has_its_text() -> None:
    """The pattern is in it as it was given."""
    assert grepped({"a": b"x"}, 'h"t') == 'no matches for "h"t"'


def test_no_match_is_an_error_where_not_all_was_read() -> None:
    """With a file or folder that could not be read nobody knows, but what was found is told with a note."""
    denied = PermissionError(13, "Permission denied")
    some = "some of the files or directories could not be read"
    assert grepped({"a": b"x", "b": denied}) == f'ExecutionFailed: no matches for "hit": {some}'
    assert grepped({"a": b"x", "b/!": denied, "b/x": b"hit"}) == f'ExecutionFailed: no matches for "hit": {some}'
    assert grepped({"a": b"hit", "b": denied}) == f"a:1: hit\n\n[{some}]"
    assert grepped({"b": denied}, path="b") == f'ExecutionFailed: no matches for "hit": {some}'


def test_context_is_shown_once_and_in_order() -> None:
    """Context has dashes; where it overlaps a line is shown once, and a match stays a match."""
    tree = {"a": b"1\nhit\n3\nhit\n5\n6\n", "b": b"hit\r\nx\r\n"}
    lines = ["a-1- 1", "a:2: hit", "a-3- 3", "a:4: hit", "a-5- 5", "b:1: hit", "b-2- x"]
    assert grepped(tree, context=1) == "\n".join(lines)
    assert grepped(tree, before=1) == "\n".join([*lines[:4], lines[5]])
    assert grepped(tree, after=1) == "\n".join(lines[1:])
    assert grepped(tree, context=5, before=0, after=0) == "a:2: hit\na:4: hit\nb:1: hit"


def test_context_is_at_most_100_lines() -> None:
    """More is not shown on either side."""
    lines = grepped({"a": NUMBERED}, "^150$", context=1000).split("\n")
    assert (lines[0], lines[100], lines[-1], len(lines)) == ("a-50- 50", "a:150: 150", "a-250- 250", 201)


def test_context_from_a_large_file_takes_no_memory_for_its_lines() -> None:
    """Only the lines that are shown are held, beside the file's bytes."""
    files = MemoryTree({"a": b"line\n" * 400_000 + b"hit\n"})
    query = Query(pattern="hit", root=SearchRoot(folder="/w"), before=1)
    tracemalloc.start()
    try:
        text = result_text(Found([FileHits("a", [(400_001, b"hit")])], unreadable=False), query, files)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert text == "a-400000- line\na:400001: hit"
    assert peak < 4 * 1024 * 1024


def test_the_first_matches_of_all_are_shown() -> None:
    """Of more than the limit those that come first are kept, and a limit for more is named."""
    notice = "[match limit 100 reached; use limit=200 for more, or a narrower pattern, path or glob]"
    kept = "\n".join(f"a:{number}: {number}" for number in range(1, 101))
    assert grepped({"a": NUMBERED, "b": NUMBERED}, "") == f"{kept}\n\n{notice}"
    assert grepped({"b": b"hit\nhit", "a": b"hit"}, limit=2).startswith(
        "a:1: hit\nb:1: hit\n\n[match limit 2 reached; "
    )
    assert grepped({"b": b"hit\nhit", "a": b"hit"}, limit=3) == "a:1: hit\nb:1: hit\nb:2: hit"


def test_no_limit_above_the_highest_is_named() -> None:
    """More than 10,000 matches are not collected, whatever the limit."""
    notice = "[match limit 10000 reached; use a narrower pattern, path or glob]"
    assert notice in grepped({"a": b"hit\n" * 10_001}, limit=30_000)


def test_a_match_beyond_the_limit_may_be_context() -> None:
    """It is shown as context is."""
    assert grepped({"a": b"hit\nhit\n"}, limit=1, after=1).startswith("a:1: hit\na-2- hit\n\n[match limit 1 ")


@pytest.mark.parametrize(
    ("length", "cut"), [(499, ""), (500, ""), (501, "… [line truncated]"), (5000, "… [line truncated]")]
)
@pytest.mark.parametrize("char", ["x", "é", "文", "\U0001d4b3"])
def test_a_long_line_is_cut_at_500_characters(char: str, length: int, cut: str) -> None:
    """A character is never cut."""
    assert grepped({"a": char.encode() * length + b"\n"}, "") == f"a:1: {char * min(length, 500)}{cut}"


def test_output_is_cut_to_whole_lines() -> None:
    """Above 50 KiB the rest is left out, and the last line says so."""
    text = grepped({"a": (b"x" * 400 + b"\n") * 200}, "", limit=300)
    assert len(text.encode()) <= 51_200
    assert text.endswith("x\n\n[output truncated at 50.0KB; use a narrower pattern, path or glob]")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"hit\nx\0\n", 'no matches for "hit"'),
        (b"hit\n" * 100_000 + b"\0", 'no matches for "hit"'),
        (b"\xef\xbb\xbfhit\n", "a:1: hit"),
        ("é\nhit é\n".encode("utf-16"), "a:2: hit é"),
        (b"\xfe\xff\0h\0i\0t\0\n", "a:1: hit"),
        (b"\xff\xfeh\0i\0t\0\0\0", 'no matches for "hit"'),
        (b"hit \xe9\n", "a:1: hit é\n\n[not UTF-8: read as Latin-1]"),
        (b"\xe9\nhit\n", "a:1: hit".replace("1", "2")),
        (b"hit\r\n", "a:1: hit"),
        (b"\rhit\r\r\n", "a:1: \rhit\r"),
        (b"", 'no matches for "hit"'),
    ],
)
def test_text_is_decoded(content: bytes, text: str) -> None:
    """UTF-8 and UTF-16 with their marks, else Latin-1 with a note; a file with a NUL is not searched."""
    assert text == grepped({"a": content})


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("", 3), ("^", 3), ("$", 3), ("^$", 1), ("x*", 3), ("[^a]", 1), ("\\s", 0), ("a$", 1)],
)
def test_an_empty_match_is_one_of_its_line(pattern: str, count: int) -> None:
    """There is no line behind the last line feed, and none is found twice."""
    for content in (b"a\n\nb\n", b"a\n\nb"):
        text = grepped({"a": content}, pattern)
        assert count == (0 if text.startswith("no matches") else len(text.split("\n")))


def test_a_large_file_is_searched_in_blocks() -> None:
    """A match in any block has its number, also one at a border."""
    lines = [b"x" * (number % 300) for number in range(10_000)]
    for number in (0, 1750, 5000, 9999):
        lines[number] += b"hit"
    text = grepped({"a": b"\n".join(lines)}, "hit$")
    assert [line.split(":")[1] for line in text.split("\n")] == ["1", "1751", "5001", "10000"]
    assert len(grepped({"a": b"\n".join(lines)}, "^", limit=10_000, glob="a").split("\n")) > 190


@pytest.mark.parametrize(
    ("glob", "shown"),
    [
        ("*.py", ["a.py", "d/b.py"]),
        ("d/*", ["d/b.py", "d/c.js"]),
        ("/d/*", ["d/b.py", "d/c.js"]),
        ("/*", ["a.py", "c.js"]),
        ("!*.py", ["c.js", "d/c.js"]),
        ("!d", ["a.py", "c.js"]),
        ("!d/", ["a.py", "c.js"]),
        ("!a.py/", ["a.py", "c.js", "d/b.py", "d/c.js"]),
        ("!/d/b.py", ["a.py", "c.js", "d/c.js"]),
        ("*.{py,js}", ["a.py", "c.js", "d/b.py", "d/c.js"]),
        ("", ["a.py", "c.js", "d/b.py", "d/c.js"]),
    ],
)
def test_a_glob_chooses_files(glob: str, shown: list[str]) -> None:
    """With `!` before it, it chooses the others; an ignored file it does not call in."""
    tree = {"a.py": b"hit", "d/b.py": b"hit", "d/c.js": b"hit", "c.js": b"hit", ".gitignore": b"no*", "no.py": b"hit"}
    assert [f"{each}:1: hit" for each in shown] == grepped(tree, glob=glob).split("\n")


def test_ignored_files_are_left_out() -> None:
    """.gitignore holds at each level and from above the root; dotfiles are searched, `.git` and links are not."""
    tree: dict[str, bytes | OSError] = dict.fromkeys(
        ("x.log", "d/x.log", "d/e/n.log", "d/e/y", "d/e/.z", ".git/c", "d/.git"), b"hit"
    )
    tree |= {".gitignore": b"*.log", "d/e/.gitignore": b"y\n"}
    assert grepped(tree) == "d/e/.z:1: hit"
    tree["d/.gitignore"] = b"!x.log"
    assert grepped(tree) == "d/e/.z:1: hit\nd/x.log:1: hit"
    assert grepped(tree, path="d/e") == ".z:1: hit"


def test_rules_from_above_end_at_a_jujutsu_repository() -> None:
    """A `.jj` that is met in a walk ends the rules of the folders above it, as in ripgrep since version 15."""
    tree = {".gitignore": b"x", "d/.jj/y": b"", "d/x": b"hit", "e/x": b"hit"}
    assert grepped(tree) == "d/x:1: hit"


def test_one_file_is_searched_though_ignored() -> None:
    """A file that is named is searched whatever is ignored, and shown by its name."""
    tree = {".gitignore": b"*", "d/x": b"hit", "d/y": b"hit"}
    assert grepped(tree, path="d/x") == "x:1: hit"
    assert grepped(tree, path="d/x", context=2) == "x:1: hit"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"path": "gone"}, "InvalidInput: Path not found: gone"),
        ({"path": "x.fifo"}, "InvalidInput: Neither a file nor a directory: x.fifo"),
        ({"pattern": "a("}, "InvalidInput: bad pattern: a ( is not closed"),
        ({"pattern": "(?=a)"}, "InvalidInput: bad pattern: look-around is not supported"),
        (
            {"pattern": "a\nb"},
            "InvalidInput: bad pattern: a line end cannot be matched, each line is searched by itself",
        ),
        ({"glob": "[a"}, "InvalidInput: bad glob: a [ is not closed"),
        ({"glob": "![a"}, "InvalidInput: bad glob: a [ is not closed"),
        ({"pattern": "\\pL"}, "InvalidInput: only ripgrep understands this pattern, and it is not installed: \\p"),
    ],
)
def test_a_wrong_call_is_told_what_is_wrong(given: dict[str, str], text: str) -> None:
    """Each fault has a text for the model, and nothing is searched."""
    assert text == grepped({"a": b"hit", "x.fifo": b""}, **given)


def test_patterns_may_look_like_flags() -> None:
    """What begins with a dash or a slash is a pattern; with `literal` all of it is text; case may be ignored."""
    tree = {"a": b"-hit /hit --files a.c abc HIT"}
    for pattern in ("-hit", "/hit", "--files", "-e"):
        assert grepped(tree, pattern).startswith("a:1: " if pattern != "-e" else "no matches")
    assert grepped(tree, "a.c a", literal=True).startswith("a:1: ")
    assert grepped(tree, "(", literal=True) == 'no matches for "("'
    assert grepped(tree, "Hit") == 'no matches for "Hit"'
    assert grepped(tree, "Hit", ignore_case=True).startswith("a:1: ")


def test_python_searches_where_ripgrep_does_not_start() -> None:
    """A program that cannot be run is as good as none."""
    place = memory_place({"a": b"hit"}, RecordingRunner(failure=OSError(8, "Exec format error")))
    assert answer(GrepTool(place, somewhere), pattern="hit") == "a:1: hit"


def test_the_schema_is_the_contracts() -> None:
    """Types, bounds and names are exact; each property has a line that describes it."""
    tool = GrepTool(memory_place({}))
    assert all("\n" not in each.pop("description") for each in tool.input_schema["properties"].values())
    count = {"type": "integer", "minimum": 0}
    assert tool.input_schema == {
        "type": "object",
        "properties": {
            "pattern": {"type": "string"},
            "path": {"type": "string"},
            "glob": {"type": "string"},
            "ignore_case": {"type": "boolean"},
            "literal": {"type": "boolean"},
            "limit": {"type": "integer", "minimum": 1},
            "context": count,
            "before": count,
            "after": count,
        },
        "required": ["pattern"],
    }
    assert tool.read_only
