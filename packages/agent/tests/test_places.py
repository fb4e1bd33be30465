from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from beyond_agent import places

if TYPE_CHECKING:
    from pathlib import Path


def test_without_variables_the_folders_are_below_the_home(tmp_path: Path) -> None:
    """Settings are in ~/.config, sessions and trust in ~/.local/state, each in a folder of the agent's own."""
    found = places.find({}, "/home/me", str(tmp_path))
    assert found.settings == "/home/me/.config/beyond-ai/agent.toml"
    assert found.trust == "/home/me/.local/state/beyond-ai/trust.json"
    assert found.all_sessions == "/home/me/.local/state/beyond-ai/sessions"
    assert found.notices == ()


def test_the_variables_move_the_folders(tmp_path: Path) -> None:
    """XDG_CONFIG_HOME and XDG_STATE_HOME are used where they are absolute."""
    found = places.find({"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/home/me", str(tmp_path))
    assert (found.config, found.state) == ("/c/beyond-ai", "/s/beyond-ai")


@pytest.mark.parametrize("value", ["state", "./state", "~/state"])
def test_a_relative_variable_is_ignored_with_a_notice(value: str, tmp_path: Path) -> None:
    """A value that is not absolute counts as none, and the notice names the variable and the value."""
    found = places.find({"XDG_STATE_HOME": value}, "/home/me", str(tmp_path))
    assert found.state == "/home/me/.local/state/beyond-ai"
    assert found.notices == (f"XDG_STATE_HOME is ignored: it is not an absolute path: {value!r}",)


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    """An empty value is no mistake, and no notice."""
    assert places.find({"XDG_STATE_HOME": ""}, "/h", str(tmp_path)) == places.find({}, "/h", str(tmp_path))


def test_a_directory_has_a_folder_of_sessions_of_its_own(tmp_path: Path) -> None:
    """Its name can be read, ends in 8 hex digits, and tells apart what looks alike."""
    cwd = tmp_path.resolve()
    found = places.find({}, "/h", str(cwd))
    folder, name = os.path.split(found.sessions)
    assert folder == found.all_sessions
    assert re.fullmatch(r"[A-Za-z0-9._-]+-[0-9a-f]{8}", name)
    assert cwd.name in name
    names = [places.session_folder_name(each) for each in ("/a/b", "/a-b", "/a/b ", "/")]
    assert len(set(names)) == 4
    assert names == [places.session_folder_name(each) for each in ("/a/b", "/a-b", "/a/b ", "/")]


@pytest.mark.parametrize("cwd", ["/" + "x" * 4000, "/\udcff/é/ü", "/../..", "/"])
def test_any_directory_has_a_name_that_a_disk_takes(cwd: str) -> None:
    """A long, an odd and an empty directory give a short and plain name."""
    name = places.session_folder_name(cwd)
    assert name.isascii()
    assert len(name) <= places.SLUG_CHARACTERS + 9
    assert not name.startswith((".", "-"))


def test_symlinks_in_the_directory_are_resolved(tmp_path: Path) -> None:
    """A directory has the same sessions by whatever way it is reached."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert places.find({}, "/h", f"{tmp_path}/link") == places.find({}, "/h", f"{tmp_path}/real")


def test_the_root_is_the_top_of_the_repository(tmp_path: Path) -> None:
    """Inside a repository, or a work tree whose .git is a file, it is the top; outside it is the directory itself."""
    inner = tmp_path / "repo" / "tree" / "deep"
    inner.mkdir(parents=True)
    assert places.find({}, "/h", str(inner)).root == str(inner.resolve())
    (tmp_path / "repo" / ".git").mkdir()
    assert places.find({}, "/h", str(inner)).root == str((tmp_path / "repo").resolve())
    (tmp_path / "repo" / "tree" / ".git").write_text("gitdir: elsewhere")
    assert places.find({}, "/h", str(inner)).root == str((tmp_path / "repo" / "tree").resolve())


@pytest.mark.parametrize("marker", [".beyond-ai", ".agents"])
def test_the_project_is_the_nearest_directory_with_a_folder_for_the_agent(marker: str, tmp_path: Path) -> None:
    """It is looked for from the directory up to the top of the repository, not above."""
    top = tmp_path.resolve()
    inner = top / "repo" / "sub" / "deep"
    inner.mkdir(parents=True)
    (top / "repo" / ".git").mkdir()
    (top / marker).mkdir()
    assert places.find({}, "/h", str(inner)).project == str(inner)
    (top / "repo" / marker).mkdir()
    assert places.find({}, "/h", str(inner)).project == str(top / "repo")
    (top / "repo" / "sub" / marker).mkdir()
    found = places.find({}, "/h", str(inner))
    assert found.project == str(top / "repo" / "sub")
    assert found.project_folder == str(top / "repo" / "sub" / ".beyond-ai")
    assert found.project_settings == str(top / "repo" / "sub" / ".beyond-ai" / "agent.toml")
