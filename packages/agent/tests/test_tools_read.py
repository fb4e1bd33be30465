from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from agent_file_tools import MemoryFiles, call, workplace

from beyond_agent.tools import read as read_module
from beyond_agent.tools.read import ReadTool
from beyond_agent_core.errors import ExecutionFailed, InvalidInput

if TYPE_CHECKING:
    from pathlib import Path


def shown(content: bytes, **given: Any) -> str:
    return call(ReadTool(workplace(files=MemoryFiles(a=content))), path="a", **given).text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "(empty file)"),
        (b"\xef\xbb\xbf", "(empty file)"),
        (b"\n", "     1\t"),
        (b"a", "     1\ta"),
        (b"a\n", "     1\ta"),
        (b"a\n\n", "     1\ta\n     2\t"),
        (b"a\r\nb\r\n", "     1\ta\n     2\tb"),
        (b"a\rb\n", "     1\ta\rb"),
        (b"a\r\r\n", "     1\ta\r"),
        (b"a\rb\r", "     1\ta\n     2\tb"),
        ("\tä\u2028b".encode(), "     1\t\tä\u2028b"),
        ("\ufeffa\nb".encode("utf-16-be"), "     1\ta\n     2\tb"),
        (b"caf\xe9\n", "     1\tcafé\n\n[not UTF-8: read as Latin-1]"),
    ],
)
def test_lines_are_numbered(content: bytes, text: str) -> None:
    """Each line has its number, right-aligned to 6, and a tab; line ends and a mark are not shown."""
    assert text == shown(content)


LINES = b"".join(b"line %d\n" % number for number in range(1, 3001))


@pytest.mark.parametrize(
    ("given", "first", "last", "notice"),
    [
        ({}, 1, 2000, "[showing lines 1-2000; use offset=2001 to continue]"),
        ({"offset": 2001}, 2001, 3000, None),
        ({"offset": 1001}, 1001, 3000, None),
        ({"offset": 1000}, 1000, 2999, "[showing lines 1000-2999; use offset=3000 to continue]"),
        ({"limit": 2}, 1, 2, "[showing lines 1-2; use offset=3 to continue]"),
        ({"limit": 99_999}, 1, 2000, "[showing lines 1-2000; use offset=2001 to continue]"),
        ({"offset": 2999, "limit": 2}, 2999, 3000, None),
        ({"offset": 3000, "limit": 1}, 3000, 3000, None),
    ],
)
def test_at_most_2000_lines_are_shown(given: dict[str, int], first: int, last: int, notice: str | None) -> None:
    """What is cut is said with the line to go on from; nothing is said where nothing is cut."""
    body, _, end = shown(LINES, **given).partition("\n\n")
    assert [f"{number:>6}\tline {number}" for number in range(first, last + 1)] == body.split("\n")
    assert (notice or "") == end


def test_at_most_50_kib_are_shown_in_whole_lines() -> None:
    """Lines stop before the bytes do, and the next offset goes on with the line that was left out."""
    content = ("ä" * 500 + "\n").encode() * 200
    body, _, notice = shown(content).partition("\n\n")
    count = body.count("\n") + 1
    assert len(body.encode()) <= 51_200 < len(body.encode()) + 1008
    assert notice == f"[showing lines 1-{count}; use offset={count + 1} to continue]"
    assert shown(content, offset=count + 1).startswith(f"{count + 1:>6}\t")


@pytest.mark.parametrize(("length", "cut"), [(3999, False), (4000, False), (4001, True), (10_000_000, True)])
def test_a_long_line_is_cut_at_4000_bytes(length: int, cut: bool) -> None:  # noqa: FBT001 - a column of the table
    """A line keeps what fits whole characters, and the next is whole."""
    lines = shown(b"x" * length + b"\nb").split("\n")
    assert [f"     1\t{'x' * min(length, 4000)}{'… [line truncated]' if cut else ''}", "     2\tb"] == lines
    assert shown(("x" + "€" * 2000).encode()) == f"     1\tx{'€' * 1333}… [line truncated]"


@pytest.mark.parametrize(("content", "offset", "total"), [(b"a\nb\n", 3, 2), (b"a", 99, 1), (b"", 2, 0)])
def test_an_offset_beyond_the_end_is_refused(content: bytes, offset: int, total: int) -> None:
    """The model is told how many lines there are."""
    with pytest.raises(InvalidInput, match=rf"^offset {offset} is beyond end of file \({total} lines total\)$"):
        shown(content, offset=offset)


def test_binary_files_are_refused_with_their_size() -> None:
    """A NUL is not for a model to read."""
    with pytest.raises(InvalidInput, match=r"^a is a binary file \(2\.0KB\)$"):
        shown(b"\x7fELF" + bytes(2044))


def test_a_huge_file_is_read_by_its_first_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what is held, the last whole line is the last, and an offset after it names bash."""
    monkeypatch.setattr(read_module, "HELD_BYTES", 12)
    content = "aäb\nccc\nééé\n".encode()
    assert shown(content) == "     1\taäb\n     2\tccc\n\n[showing lines 1-2; the file goes on after its first 12B]"
    with pytest.raises(InvalidInput, match=r"^offset 3 is beyond the first 12B \(2 lines\), use bash for the rest$"):
        shown(content, offset=3)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_a_huge_file_of_utf_16_is_read_by_its_first_part(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines end with two bytes, and what is held may end within a pair of surrogates."""
    monkeypatch.setattr(read_module, "HELD_BYTES", 16)
    for content in ("\ufeffaä\nccccc\n", "\ufeffaä\ncc𝄞𝄞\n"):
        held = shown(content.encode(codec))
        assert held == "     1\taä\n\n[showing lines 1-1; the file goes on after its first 16B]"


@pytest.mark.parametrize("content", ["äöüäöüäö".encode(), "aäöüäöü".encode(), "a𝄞a𝄞a𝄞a𝄞".encode()])
def test_a_huge_line_is_cut_between_characters(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held of a file of one line may end within a character, and is not taken for another encoding."""
    monkeypatch.setattr(read_module, "HELD_BYTES", 12)
    text, _, note = shown(content).partition("\n\n")
    assert note == "[showing lines 1-1; the file goes on after its first 12B]"
    assert content.decode().startswith(text.removeprefix("     1\t"))


def test_a_huge_file_of_lines_that_end_in_cr_alone_is_read_by_its_first_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is not said to end where only what is held does."""
    monkeypatch.setattr(read_module, "HELD_BYTES", 6)
    assert shown(b"a\rb\rcccc\r") == "     1\ta\n     2\tb\n\n[showing lines 1-2; the file goes on after its first 6B]"


def test_a_file_of_just_what_is_held_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left out of it, and nothing is said to be."""
    monkeypatch.setattr(read_module, "HELD_BYTES", 6)
    assert shown(b"a\nb\ncc") == "     1\ta\n     2\tb\n     3\tcc"


def test_a_missing_file_is_the_models_to_correct(tmp_path: Path) -> None:
    """The path comes back as it was given."""
    with pytest.raises(InvalidInput, match=r"^no such file: gone$"):
        call(ReadTool(workplace(tmp_path)), path="gone")


@pytest.mark.parametrize(
    ("path", "why"),
    [("d", "is a directory; use ls"), ("fifo", "is not a regular file"), ("/dev/zero", "is not a regular file")],
)
def test_what_is_no_file_is_refused_without_blocking(path: str, why: str, tmp_path: Path) -> None:
    """A directory, a FIFO without a writer and a device without an end are refused at once."""
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InvalidInput, match=rf"^{path} {why}$"):
        call(ReadTool(workplace(tmp_path)), path=path)


def test_what_the_system_refuses_is_a_failure(tmp_path: Path) -> None:
    """A loop of symlinks cannot be read, and the system's words say why."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ExecutionFailed, match=r"^read loop: Too many levels of symbolic links$"):
        call(ReadTool(workplace(tmp_path)), path="loop")


def test_a_call_names_the_canonical_path_it_reads(tmp_path: Path) -> None:
    """It is that of the file in the spelling that is there, behind symlinks."""
    (tmp_path / "it\u2019s").write_text("x")
    (tmp_path / "link").symlink_to("it\u2019s")
    tool = ReadTool(workplace(tmp_path))
    assert {str(tmp_path / "it\u2019s")} == {tool.read_target({"path": path}) for path in ("it's", "link")}
    assert tool.read_only


def bare(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "description"}


def test_the_schema_is_the_contracts() -> None:
    """Offset and limit begin at 1, only the path is wanted."""
    schema = ReadTool(workplace()).input_schema
    kinds = {name: bare(each) for name, each in schema["properties"].items()}
    number = {"type": "integer", "minimum": 1}
    assert kinds == {"path": {"type": "string"}, "offset": number, "limit": number}
    assert (schema["required"], schema["type"]) == (["path"], "object")
    assert all(each["description"] for each in schema["properties"].values())
