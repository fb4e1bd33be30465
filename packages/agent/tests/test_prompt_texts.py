from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from beyond_agent.prompt.texts import attribute, front_matter, names_in, read_text, shown

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("head", "values"),
    [
        ("name: a-b\ndescription: Does it.", {"name": "a-b", "description": "Does it."}),
        ("description: 'it''s: quoted'", {"description": "it's: quoted"}),
        (r'description: "say \"hi\" # now"', {"description": 'say "hi" # now'}),
        ("description: plain # a comment", {"description": "plain"}),
        ("description: a#b", {"description": "a#b"}),
        ('description: "a: # b" # a comment', {"description": "a: # b"}),
        ("description: 'it''s' # it's a comment", {"description": "it's"}),
        ("description: \"a\" and 'b'", {"description": "\"a\" and 'b'"}),
        ("description: a\u2028b\x0cc\nname: x", {"description": "a\u2028b\x0cc", "name": "x"}),
        ("description: >- # a comment\n  one\n  two", {"description": "one two"}),
        ("description: |2-\n  one", {"description": "one"}),
        ("description: >-\n  one\n  two\nname: x", {"description": "one two", "name": "x"}),
        ("description: |\n  one\n  two", {"description": "one\ntwo"}),
        ("description: one\n  two", {"description": "one two"}),
        ("url: http://x:1/y", {"url": "http://x:1/y"}),
        ("# a comment\nname:\n\n- 1", {"name": ""}),
        ("", {}),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_head_of_a_file_is_keys_and_values(head: str, values: dict[str, str], end: str) -> None:
    """One `key: value` a line, plain, quoted or a block; the text is what stands behind it."""
    text = f"---\n{head}\n---\nbody\n---\nmore\n" if head else "---\n---\nbody\n---\nmore\n"
    found, body = front_matter(text.replace("\n", end))
    assert found == values
    assert body == "body\n---\nmore\n".replace("\n", end)


@pytest.mark.parametrize(
    "text", ["no head", "---\nname: open\nnever closed", " ---\nname: x\n---\n", "----\na: b\n---\n"]
)
def test_what_is_no_head_is_text(text: str) -> None:
    """A line of dashes elsewhere, or without an end, belongs to the text."""
    assert front_matter(text) == ({}, text)


def test_what_cannot_be_used_is_a_notice_and_never_blocks(tmp_path: Path) -> None:
    """A directory, a FIFO and a binary are left out and named; what is missing or blank is just absent."""
    (tmp_path / "dir").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "binary").write_bytes(b"a\0b")
    (tmp_path / "blank").write_text(" \n")
    notices: list[str] = []
    names = ("dir", "fifo", "binary", "blank", "missing", "blank/below")
    assert [read_text(f"{tmp_path}/{name}", notices) for name in names] == [None] * 6
    assert notices == [
        f"{tmp_path}/dir is left out: Is a directory",
        f"{tmp_path}/fifo is left out: not a regular file",
        f"{tmp_path}/binary is left out: it is no text",
    ]


@pytest.mark.parametrize(("most", "text"), [(2, "é"), (3, "é"), (4, "éé"), (5, "éé"), (6, "ééé")])
def test_a_long_file_is_cut_between_characters(most: int, text: str, tmp_path: Path) -> None:
    """What is cut is told, and no half of a character makes Latin-1 of it."""
    (tmp_path / "a").write_text("ééé", encoding="utf-8")
    notices: list[str] = []
    assert read_text(f"{tmp_path}/a", notices, most=most) == text
    assert notices == ([] if most == 6 else [f"{tmp_path}/a is cut after its first {most} bytes"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_is_decoded_as_the_tools_do(encoding: str, tmp_path: Path) -> None:
    """A byte order mark is no text."""
    (tmp_path / "a").write_text("héad", encoding=encoding)
    assert read_text(f"{tmp_path}/a", []) == "héad"


def test_a_name_cannot_draw_or_leave_its_tag() -> None:
    """Control characters are escaped in a line, quotes and angles in a tag."""
    assert shown("/a\x1b[2J\n/é b") == r"/a\x1b[2J\n/é b"
    assert attribute('a"<b>&') == "a&quot;&lt;b&gt;&amp;"


def test_names_are_sorted_and_a_missing_directory_has_none(tmp_path: Path) -> None:
    """What is read does not depend on the disk's order."""
    for name in ("b", "a", "C"):
        (tmp_path / name).touch()
    assert names_in(str(tmp_path)) == ["C", "a", "b"]
    assert names_in(f"{tmp_path}/missing") == []
