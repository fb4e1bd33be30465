from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import pytest
from agent_file_tools import MemoryFiles, call, workplace

from beyond_agent.tools.edit import EditTool
from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.tools import ToolRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_agent.seams import FileInfo


def pairs(*given: str) -> dict[str, Any]:
    return {"edits": [{"old_string": old, "new_string": "x"} for old in given]}


LINES = b"def one():\n    return 1\n\ndef two():\n    return 2\n"
REFUSED: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "empty": (b"a", pairs(""), "edits[0]: old_string is empty; use write for a new file"),
    "empty, second": (b"a", pairs("a", ""), "edits[1]: old_string is empty; use write for a new file"),
    "not found": (b"abc\nxyz\n", pairs("abd"), "edits[0]: old_string not found in a; the nearest line is 1: abc"),
    "not found, second": (
        b"abc\nxyz\n",
        pairs("abc", "xyy"),
        "edits[1]: old_string not found in a; the nearest line is 2: xyz",
    ),
    "not found, first line that differs": (
        LINES,
        pairs("def two():\n    return 3\n"),
        "edits[0]: old_string not found in a; the nearest line is 5:     return 2",
    ),
    "not found, indented otherwise": (
        LINES,
        pairs("\tdef two():"),
        "edits[0]: old_string not found in a; the nearest line is 4: def two():",
    ),
    "not found, empty file": (b"", pairs("a"), "edits[0]: old_string not found in a"),
    "not found, blanks": (b"a\n", pairs("\t\t"), "edits[0]: old_string not found in a"),
    "not found for every": (
        b"abc\n",
        pairs("abd") | {"replace_all": True},
        "edits[0]: old_string not found in a; the nearest line is 1: abc",
    ),
    "within a character": (
        "ﬁ\n".encode(),
        pairs("i"),
        "edits[0]: old_string not found in a; the nearest line is 1: ﬁ",
    ),
    "without the mark of its last letter": (
        "“b\u0301\n".encode(),
        pairs('"b'),
        "edits[0]: old_string not found in a; the nearest line is 1: “b\u0301",
    ),
    "blanks too many inside a line": (
        b"b c\n",
        pairs("b  "),
        "edits[0]: old_string not found in a; the nearest line is 1: b c",
    ),
    "not unique": (
        b"a\nb a\n",
        pairs("a"),
        "edits[0]: old_string is not unique in a: 2 matches, at lines 1, 2; add lines around it, or set replace_all",
    ),
    "not unique, overlapping": (
        b"aaa",
        pairs("aa"),
        "edits[0]: old_string is not unique in a: 2 matches, at lines 1, 1; add lines around it, or set replace_all",
    ),
    "curly and straight twins": (
        "'a'\nb\n\u2018a\u2019\n".encode(),
        pairs("'a'"),
        "edits[0]: old_string is not unique in a: 2 matches, at lines 1, 3; add lines around it, or set replace_all",
    ),
    "twins, the curly one sought": (
        "'a'\r\nb\r\n\u2018a\u2019\r\n".encode(),
        pairs("\u2018a\u2019"),
        "edits[0]: old_string is not unique in a: 2 matches, at lines 1, 3; add lines around it, or set replace_all",
    ),
    "twins on one line": (
        "'a' \u2018a\u2019\n".encode(),
        pairs("'a'"),
        "edits[0]: old_string is not unique in a: 2 matches, at lines 1, 1; add lines around it, or set replace_all",
    ),
    "twins but for trailing blanks": (
        b"a\nb\na \nb\n",
        pairs("a\nb\n"),
        "edits[0]: old_string is not unique in a: 2 matches, at lines 1, 3; add lines around it, or set replace_all",
    ),
    "thirty": (
        b"a\n" * 30,
        pairs("a"),
        "edits[0]: old_string is not unique in a: 30 matches, at lines "
        + ", ".join(map(str, range(1, 21)))
        + ", …; add lines around it, or set replace_all",
    ),
    "overlap": (b"z\nabc\n", pairs("ab", "bc"), "edits[0] and edits[1] overlap at line 2"),
    "overlap, out of order": (b"abc d\n", pairs("d", "bc", "ab"), "edits[1] and edits[2] overlap at line 1"),
    "overlap, the same": (b"abc\n", pairs("b", "b"), "edits[0] and edits[1] overlap at line 1"),
    "no change": (b"x\n", pairs("x"), "no change: a would stay as it is"),
    "no change but line ends": (
        b"x\r\ny\r\n",
        {"old_string": "x\ny", "new_string": "x\r\ny"},
        "no change: a would stay as it is",
    ),
    "both forms": (
        b"a",
        pairs("a") | {"old_string": "a", "new_string": "x"},
        "give either edits or old_string and new_string, not both",
    ),
    "neither form": (b"a", {}, "edits, or old_string and new_string, missing"),
    "no edits": (b"a", {"edits": []}, "edits, or old_string and new_string, missing"),
    "half a pair": (b"a", {"old_string": "a"}, "new_string missing"),
    "the other half": (b"a", {"new_string": "a"}, "edits, or old_string and new_string, missing"),
    "every of two": (b"a b", pairs("a", "b") | {"replace_all": True}, "replace_all takes a single edit"),
    "not in latin-1": (
        b"\xe9 a b",
        {"edits": [{"old_string": "a", "new_string": "x"}, {"old_string": "b", "new_string": "1 €"}]},
        "edits[1]: new_string has '€', which the file's Latin-1 cannot hold",
    ),
    "half of a pair": (
        b"a",
        {"old_string": "a", "new_string": "\ud800"},
        "edits[0]: new_string has '\\ud800', which the file's UTF-8 cannot hold",
    ),
    "half of a pair in UTF-16": (
        b"\xff\xfea\0",
        {"old_string": "a", "new_string": "\ud800"},
        "edits[0]: new_string has '\\ud800', which the file's UTF-16 cannot hold",
    ),
    "binary": (b"a\0" * 1000, pairs("a"), "a is a binary file (2.0KB)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_edit_says_why_and_touches_nothing(name: str, tmp_path: Path) -> None:
    """The error is the model's to correct; the file is the very same one, with its bytes and times."""
    content, given, text = REFUSED[name]
    target = tmp_path / "a"
    target.write_bytes(content)
    before = target.stat()
    with pytest.raises(InvalidInput) as refused:
        call(EditTool(workplace(tmp_path)), path="a", **given)
    assert str(refused.value) == text
    after = target.stat()
    assert target.read_bytes() == content
    assert (before.st_ino, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_ino,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )
    assert [target] == list(tmp_path.iterdir())


def test_one_good_edit_beside_a_bad_one_is_not_made() -> None:
    """Either all of the edits land, or none."""
    files = MemoryFiles(a=b"a b\n")
    with pytest.raises(InvalidInput):
        call(EditTool(workplace(files=files)), path="a", **pairs("a", "gone"))
    assert files.files == {"/w/a": b"a b\n"}


def test_a_missing_file_is_the_models_to_correct(tmp_path: Path) -> None:
    """The path comes back as it was given, and nothing is made."""
    with pytest.raises(InvalidInput, match=r"^no such file: d/gone$"):
        call(EditTool(workplace(tmp_path)), path="d/gone", **pairs("a"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("d", "d is a directory"),
        ("fifo", "fifo is not a regular file"),
        ("/dev/zero", "/dev/zero is not a regular file"),
        ("loop", "read loop: Too many levels of symbolic links"),
    ],
)
def test_what_is_no_file_is_a_failure_without_blocking(path: str, why: str, tmp_path: Path) -> None:
    """A directory, a FIFO without a writer, a device and a loop of links are refused at once."""
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ExecutionFailed) as failed:
        call(EditTool(workplace(tmp_path)), path=path, **pairs("a"))
    assert str(failed.value) == why


def test_a_file_above_64_mib_is_refused_unread(tmp_path: Path) -> None:
    """Its size is named, and so is the bound."""
    with (tmp_path / "a").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    with pytest.raises(InvalidInput, match=r"^a is 64\.0MB; edit takes at most 64\.0MB$"):
        call(EditTool(workplace(tmp_path)), path="a", **pairs("a"))


class ChangedMeanwhile(MemoryFiles):
    """Files that another program writes between an edit's reading and its writing."""

    def replace(self, path: str, content: bytes, *, expected: FileInfo | None = None) -> None:
        self.files[path] = b"theirs"
        self.changes += 1
        super().replace(path, content, expected=expected)


def test_a_file_that_changed_meanwhile_stays_as_the_other_left_it() -> None:
    """What was matched is no more there, so that the edit is not made."""
    files = ChangedMeanwhile(a=b"a\n")
    with pytest.raises(ExecutionFailed, match=r"^a changed on disk meanwhile; read it again$"):
        call(EditTool(workplace(files=files)), path="a", **pairs("a"))
    assert files.files == {"/w/a": b"theirs"}


def test_a_failed_write_says_why() -> None:
    """The system's words are in the error, and the old content stays."""
    files = MemoryFiles(a=b"a\n")
    files.failure = OSError(28, "No space left on device", "/w/a")
    with pytest.raises(ExecutionFailed, match=r"^write a: No space left on device$"):
        call(EditTool(workplace(files=files)), path="a", **pairs("a"))
    assert files.files == {"/w/a": b"a\n"}


def test_edits_written_as_one_string_are_taken() -> None:
    """Models that put the list in quotes get what they meant."""
    files = MemoryFiles(a=b"a b\n")
    tool = EditTool(workplace(files=files))
    registry = ToolRegistry([tool])
    given = {"path": "a", "edits": '[{"old_string": "a", "new_string": "x"}]'}
    assert call(tool, **registry.check("edit", given).input).text == "edited a (1 replacement)"
    assert files.files == {"/w/a": b"x b\n"}


def test_a_call_names_the_canonical_path_it_writes(tmp_path: Path) -> None:
    """It is that of the file in the spelling that is there, behind symlinks."""
    (tmp_path / "it\u2019s").write_text("x")
    (tmp_path / "link").symlink_to("it\u2019s")
    tool = EditTool(workplace(tmp_path))
    assert {tool.write_target({"path": path}) for path in ("it's", "link")} == {str(tmp_path / "it\u2019s")}
    assert tool.read_only is False


def without_descriptions(schema: object) -> object:
    if not isinstance(schema, dict):
        return schema
    members = cast("dict[str, object]", schema)
    return {key: without_descriptions(value) for key, value in members.items() if key != "description"}


def test_the_schema_is_the_contracts() -> None:
    """Only the path is wanted, an edit wants both of its strings, and every property is described."""
    described = EditTool(workplace()).input_schema
    string = {"type": "string"}
    pair = {"old_string": string, "new_string": string}
    item = {"type": "object", "properties": pair, "required": ["old_string", "new_string"]}
    edits = {"type": "array", "items": item}
    properties = {"path": string, "edits": edits, **pair, "replace_all": {"type": "boolean"}}
    assert without_descriptions(described) == {"type": "object", "properties": properties, "required": ["path"]}
    assert all(each["description"] for each in described["properties"].values())
