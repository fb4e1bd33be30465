from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from agent_file_tools import MemoryFiles, call, workplace

from beyond_agent.tools.write import WriteTool
from beyond_agent_core.errors import ExecutionFailed, InvalidInput

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_written_with_its_parents(tmp_path: Path) -> None:
    """Directories that are missing are made, and bytes, not characters, are counted."""
    output = call(WriteTool(workplace(tmp_path)), path="a/b/ü.txt", content="é\r\n")
    assert output.text == "wrote 4 bytes to a/b/ü.txt"
    assert (tmp_path / "a" / "b" / "ü.txt").read_bytes() == b"\xc3\xa9\r\n"


def test_a_file_that_is_there_is_replaced(tmp_path: Path) -> None:
    """The old content goes; text is written as it is given, an empty one too."""
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfold\r\n")
    output = call(WriteTool(workplace(tmp_path)), path=str(tmp_path / "a"), content="")
    assert output.text == f"wrote 0 bytes to {tmp_path}/a"
    assert (tmp_path / "a").read_bytes() == b""


def test_a_parent_that_is_a_file_is_named(tmp_path: Path) -> None:
    """The directory that could not be made is in the error."""
    (tmp_path / "a").write_bytes(b"file")
    with pytest.raises(ExecutionFailed, match=rf"^mkdir {tmp_path}/a: File exists$"):
        call(WriteTool(workplace(tmp_path)), path="a/b", content="x")
    with pytest.raises(ExecutionFailed, match=rf"^mkdir {tmp_path}/a/b: Not a directory$"):
        call(WriteTool(workplace(tmp_path)), path="a/b/c", content="x")
    assert (tmp_path / "a").read_bytes() == b"file"


@pytest.mark.parametrize(("path", "why"), [("d", "Is a directory"), ("fifo", "not a regular file")])
def test_what_is_no_file_is_not_written(path: str, why: str, tmp_path: Path) -> None:
    """A directory and a FIFO in the place of the file are refused without blocking."""
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ExecutionFailed, match=rf"^write {path}: {why}$"):
        call(WriteTool(workplace(tmp_path)), path=path, content="x")


def test_text_that_cannot_be_encoded_makes_nothing(tmp_path: Path) -> None:
    """Half of a surrogate pair is refused before a directory is made."""
    with pytest.raises(InvalidInput, match=r"^content: half of a surrogate pair at character 1 is not text$"):
        call(WriteTool(workplace(tmp_path)), path="d/a", content="a\ud800")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_says_why() -> None:
    """The system's words are in the error, and the old content stays."""
    files = MemoryFiles(a=b"old")
    files.failure = OSError(28, "No space left on device", "/w/a")
    with pytest.raises(ExecutionFailed, match=r"^write a: No space left on device$"):
        call(WriteTool(workplace(files=files)), path="a", content="new")
    assert files.files == {"/w/a": b"old"}


def test_a_call_names_the_canonical_path_it_writes(tmp_path: Path) -> None:
    """Two spellings of one file are one target, so that their writes go one after the other."""
    (tmp_path / "link").symlink_to("real")
    tool = WriteTool(workplace(tmp_path))
    assert {str(tmp_path / "real")} == {tool.write_target({"path": path}) for path in ("real", "@link", "./x/../real")}
    assert tool.read_only is False


def bare(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "description"}


def test_the_schema_is_the_contracts() -> None:
    """Both properties are described and wanted."""
    schema = WriteTool(workplace()).input_schema
    kinds = {name: bare(each) for name, each in schema["properties"].items()}
    assert kinds == {"path": {"type": "string"}, "content": {"type": "string"}}
    assert (schema["required"], schema["type"]) == (["path", "content"], "object")
    assert all(each["description"] for each in schema["properties"].values())
