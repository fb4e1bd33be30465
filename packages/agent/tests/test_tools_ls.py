from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from agent_search import MemoryTree, context, memory_place, place

from beyond_agent.seams import Entry
from beyond_agent.tools.listing import listing
from beyond_agent.tools.ls import LsTool
from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.tools import ToolContext

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def listed(*names: str, **given: object) -> str:
    return LsTool(memory_place(dict.fromkeys((*names, "empty.fifo"), b""))).run(given, context())


def test_directories_come_first() -> None:
    """Directories have a slash and come first; then names without regard to case and accents."""
    assert listed("b", "a/x", "Z/x", "É", "f", "D", "c/y/z", "é") == "a/\nc/\nZ/\nb\nD\nÉ\né\nempty.fifo\nf"


def test_dotfiles_are_listed_on_demand() -> None:
    """Without `all` a name that begins with a dot is left out, and not counted."""
    assert listed(".git/x", ".env", "a") == "a\nempty.fifo"
    assert listed(".git/x", ".env", "a", all=True) == ".git/\n.env\na\nempty.fifo"


def test_a_limit_says_what_is_left() -> None:
    """The number of entries left out, of all, and a limit for more."""
    names = [f"{number:03}" for number in range(600)]
    body, _, notice = listed(*names).partition("\n\n")
    assert body.split("\n") == names[:500]
    assert notice == "[101 more entries; 601 total — use limit=1000 to see more]"
    assert listed("a", "b/x", limit=2) == "b/\na\n\n[1 more entries; 3 total — use limit=4 to see more]"
    assert listed("a", "b/x", limit=3) == "b/\na\nempty.fifo"


def test_an_empty_directory_is_said(tmp_path: Path) -> None:
    """A directory of nothing, or of dotfiles alone, has its own text."""
    tool = LsTool(place(tmp_path))
    assert tool.run({}, context()) == "(empty directory)"
    (tmp_path / ".env").touch()
    assert tool.run({}, context()) == "(empty directory)"


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    """A symlink to a directory has a slash; one that leads nowhere is listed as a file is."""
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to("d")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "round").symlink_to("round")
    assert LsTool(place(tmp_path)).run({}, context()) == "d/\nlink/\ngone\nround"


def test_names_stay_on_their_line() -> None:
    """Control characters and bytes that are not UTF-8 are shown as escapes."""
    assert listed("a\nb", "c\udcff", "d\x1b[0m") == "a\\x0ab\nc\\xff\nd\\x1b[0m\nempty.fifo"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("gone", "Path not found: gone"),
        ("a", "Not a directory: a"),
        ("a.fifo", "Not a directory: a.fifo"),
        ("", "the path is empty"),
        ("a\0b", "no file can have this path: 'a\\x00b'"),
    ],
)
def test_only_directories_are_listed(path: str, text: str) -> None:
    """What is missing, a file, and what is neither, is for the model to correct."""
    tool = LsTool(memory_place({"a": b"", "a.fifo": b""}))
    with pytest.raises(InvalidInput) as caught:
        tool.run({"path": path}, context())
    assert text == str(caught.value)


def test_a_listing_is_cut_above_50_kib_and_not_before() -> None:
    """Names and line feeds of just that size are whole; of one byte more only whole lines are left, with a notice."""
    names = [f"{number:0255}" for number in range(200)]
    assert listing(names, (), "ask") == "\n".join(names)
    assert len(listing([*names[:-1], f"{names[-1]}x"], (), "ask").encode()) == 51_200
    cut = listing([*names[:-1], f"{names[-1]}xy"], (), "ask")
    assert cut == "\n".join([*names[:199], "", "[output truncated at 50.0KB; ask]"])


def test_an_unreadable_directory_is_an_error() -> None:
    """The error says which and why."""
    tool = LsTool(memory_place({"d/!": PermissionError(13, "Permission denied"), "d/x": b""}))
    with pytest.raises(ExecutionFailed, match=r"^ls d: Permission denied$"):
        tool.run({"path": "d"}, context())


class Endless(MemoryTree):
    looked_at = 0

    def entries(self, path: str) -> Iterator[Entry]:
        del path
        while True:
            self.looked_at += 1
            yield Entry(name=f"{self.looked_at:09}", kind="file")


def test_at_most_10000_entries_are_looked_at() -> None:
    """A directory without end is listed as far as it was looked at, and the text says so."""
    files = Endless({"x": b""})
    text = LsTool(place("/w", files)).run({"limit": 3}, context())
    assert text.startswith(
        "000000001\n000000002\n000000003\n\n[9997 more entries; 10000 total — use limit=6 to see more]"
    )
    assert text.endswith("\n[the directory is larger: only 10000 of its entries were looked at]")
    assert files.looked_at == 10_001


def test_a_listing_is_cut_to_the_limits_of_a_text() -> None:
    """Above 2000 lines, or 50 KiB, whole lines are left out and the last line says so."""
    many = listed(*[f"{number:05}" for number in range(3000)], limit=4000)
    assert many.count("\n") == 1999
    assert many.endswith("\n\n[output truncated at 2000 lines; use bash with ls for the rest]")
    large = listed(*[f"{number:04}" + "é" * 100 for number in range(600)], limit=1000)
    assert len(large.encode()) <= 51_200
    assert large.endswith("\n\n[output truncated at 50.0KB; use bash with ls for the rest]")


def test_a_cancelled_listing_stops() -> None:
    """Where nobody waits any more no further entry is read."""
    files = Endless({"x": b""})
    LsTool(place("/w", files)).run(
        {}, ToolContext("call_1", vision=False, cancelled=lambda: True, progress=lambda _text, _details: None)
    )
    assert files.looked_at == 1


def test_the_schema_is_the_contracts() -> None:
    """Types, bounds and names are exact; each property has a line that describes it."""
    tool = LsTool(memory_place({}))
    properties = tool.input_schema["properties"]
    assert all("\n" not in each.pop("description") for each in properties.values())
    assert tool.input_schema == {
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "all": {"type": "boolean"},
            "limit": {"type": "integer", "minimum": 1},
        },
    }
    assert tool.read_only
