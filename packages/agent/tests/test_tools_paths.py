from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import pytest
from agent_file_tools import workplace

from beyond_agent.tools.paths import existing, resolve
from beyond_agent_core.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("a.py", "/w/a.py"),
        ("./a//b", "/w/a/b"),
        (".", "/w"),
        ("/etc/hosts", "/etc/hosts"),
        ("link/../a", "/w/link/../a"),
        ("@src/a.py", "/w/src/a.py"),
        ("@/a", "/a"),
        ("~", "/home/me"),
        ("@~/a", "/home/me/a"),
        ("file:///a%20b", "/a b"),
        ("file://localhost/a", "/a"),
        ("a\u00a0b\u202fc\u3000d", "/w/a b c d"),
        ("a%20b", "/w/a%20b"),
        ("a\udcffb", "/w/a\udcffb"),
    ],
)
def test_paths_are_taken_as_models_write_them(path: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home, a URL, an @ and odd spaces are understood; the rest is relative to the session's directory."""
    monkeypatch.setenv("HOME", "/home/me")
    assert meant == resolve(path, "/w")


@pytest.mark.parametrize("path", ["", "@", "file://", "a\0b", "a\ud800b"])
def test_what_no_file_can_be_called_is_refused(path: str) -> None:
    """An empty path, a NUL and half of a surrogate pair are the model's to correct."""
    with pytest.raises(InvalidInput):
        resolve(path, "/w")


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        (unicodedata.normalize("NFD", "café.txt"), "café.txt"),
        (unicodedata.normalize("NFD", "l'été.txt"), "l'été.txt"),
        ("it\u2019s.txt", "it's.txt"),
        (unicodedata.normalize("NFD", "l\u2019été.txt"), "l'été.txt"),
        ("shot 9.41\u202fAM.png", "shot 9.41\u202fAM.png"),
        ("shot 9.41 AM.png", "shot 9.41\u202fAM.png"),
    ],
)
def test_a_missing_name_is_tried_in_other_spellings(there: str, asked: str, tmp_path: Path) -> None:
    """Decomposed accents, a curly apostrophe and odd spaces are found where the name as written is not there."""
    (tmp_path / there).write_text("x")
    path, info = existing(asked, workplace(tmp_path))
    assert (str(tmp_path / there), 1) == (path, info.size)


def test_a_name_as_written_goes_before_other_spellings(tmp_path: Path) -> None:
    """Where both are there, the file that was named is taken."""
    (tmp_path / "it's").write_text("plain")
    (tmp_path / "it\u2019s").write_text("curly!")
    assert existing("it's", workplace(tmp_path))[1].size == len("plain")


@pytest.mark.parametrize("path", ["gone", "file/below", "it's"])
def test_a_file_that_is_in_no_spelling_there_is_named(path: str, tmp_path: Path) -> None:
    """The path comes back as it was given."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInput, match=f"^no such file: {path}$"):
        existing(path, workplace(tmp_path))


def test_a_loop_of_symlinks_is_the_systems_error(tmp_path: Path) -> None:
    """What is there and cannot be looked at is not called missing."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        existing("loop", workplace(tmp_path))
