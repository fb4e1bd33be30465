from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from agent_project import Project
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent.errors import AgentFault
from beyond_agent.prompt import trust
from beyond_agent.prompt.load import is_trusted
from beyond_agent.prompt.trust import TrustStore, trust_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.parametrize(
    ("directory", "expected"),
    [
        ("/a", "trusted"),
        ("/a/b", "untrusted"),
        ("/a/b/c", "trusted"),
        ("/a/b/c/d", "trusted"),
        ("/a/x", "trusted"),
        ("/ab", "unknown"),
        ("/", "unknown"),
    ],
)
def test_the_nearest_ancestor_wins(directory: str, expected: str) -> None:
    """A directory is as trusted as the nearest one that is named; names that only begin alike are others."""
    assert trust_of(directory, {"/a": True, "/a/b": False, "/a/b/c": True}) == expected


@given(
    st.dictionaries(st.sampled_from(["/", "/a", "/a/b", "/b"]), st.booleans()), st.sampled_from(["/a/b/c", "/b", "/c"])
)
def test_what_is_not_above_does_not_matter(projects: Mapping[str, bool], directory: str) -> None:
    """Only a directory itself and those above it have a say."""
    above = {each: told for each, told in projects.items() if f"{directory}/".startswith(each.rstrip("/") + "/")}
    assert trust_of(directory, projects) == trust_of(directory, above)
    assert (trust_of(directory, projects) == "unknown") == (not above)


def test_trust_is_kept_and_taken_back(tmp_path: Path) -> None:
    """Another process sees it; the folder is made, and readable by its owner only."""
    path = tmp_path / "state" / "beyond-ai" / "trust.json"
    store = TrustStore(str(path))
    assert store.judge("/x", []) == "unknown"
    assert store.set("/x", trusted=True) == "/x"
    assert store.set("/x/y", trusted=False) == "/x/y"
    again = TrustStore(str(path))
    assert [again.judge(each, []) for each in ("/x/z", "/x/y/z", "/z")] == ["trusted", "untrusted", "unknown"]
    assert again.projects() == {"/x": True, "/x/y": False}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["trust.json"]
    assert repr(store) == f"<TrustStore {path}>"


def test_symlinks_are_resolved_on_both_sides(tmp_path: Path) -> None:
    """Trust by a link is trust in what it leads to, and a link into a trusted directory is trusted."""
    real = tmp_path.resolve() / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    store = TrustStore(str(tmp_path / "trust.json"))
    assert store.set(f"{tmp_path}/link", trusted=True) == str(real)
    assert [store.judge(f"{tmp_path}/{name}", []) for name in ("real", "link/below", "other")] == [
        "trusted",
        "trusted",
        "unknown",
    ]


DAMAGED = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b'{"version":1}',
    b'{"version":1,"projects":{"/":"yes"}}',
    b'{"version":1,"projects":{"\xff":true}}',
    b'{"version":2,"projects":{"/":true}}',
    b'{"version":1,"projects":{},"more":1}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_trusts_nothing_and_says_so(content: bytes, tmp_path: Path) -> None:
    """The notice names the file; a change is refused, so that nothing of it is lost."""
    file = tmp_path / "trust.json"
    file.write_bytes(content)
    store = TrustStore(str(file))
    notices: list[str] = []
    assert store.judge("/", notices) == "unknown"
    (notice,) = notices
    assert notice.startswith(f"nothing is trusted: {file} ")
    with pytest.raises(AgentFault) as raised:
        store.set("/x", trusted=True)
    assert raised.value.code == "io"
    assert file.read_bytes() == content


@given(cut=st.integers(0, 60))
def test_a_cut_file_never_trusts_more(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever is missing at its end, a directory that was untrusted is not trusted by it."""
    file = tmp_path_factory.mktemp("trust") / "trust.json"
    whole = msgspec.json.encode({"version": 1, "projects": {"/": True, "/a": False}})
    file.write_bytes(whole[: len(whole) - cut])
    assert TrustStore(str(file)).judge("/a", []) == ("unknown" if cut else "untrusted")


def test_what_cannot_be_read_or_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    """A file in the place of a folder, and a directory in the place of the file."""
    (tmp_path / "file").touch()
    with pytest.raises(AgentFault, match=f"^{tmp_path}/file cannot be used: File exists"):
        TrustStore(f"{tmp_path}/file/trust.json").set("/x", trusted=True)
    (tmp_path / "trust.json").mkdir()
    notices: list[str] = []
    assert TrustStore(f"{tmp_path}/trust.json").judge("/x", notices) == "unknown"
    assert notices == [f"nothing is trusted: {tmp_path}/trust.json cannot be read: Is a directory"]
    (tmp_path / "dir").symlink_to(f"{tmp_path}/missing/trust.json")
    with pytest.raises(AgentFault, match=f"^{tmp_path}/dir cannot be written: "):
        TrustStore(f"{tmp_path}/dir").set("/x", trusted=True)


def test_a_name_that_is_no_utf_8_cannot_be_trusted(tmp_path: Path) -> None:
    """JSON cannot hold it, and something near it must not be trusted in its place."""
    with pytest.raises(AgentFault, match="a name that is not UTF-8 cannot be trusted"):
        TrustStore(f"{tmp_path}/trust.json").set("/\udcff", trusted=True)
    assert TrustStore(f"{tmp_path}/trust.json").judge("/\udcff", []) == "unknown"


def test_a_lock_that_is_held_is_waited_for_and_then_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that hangs with the lock does not hang all others; reading needs no lock."""
    monkeypatch.setattr(trust, "LOCK_S", 0.0)
    store = TrustStore(f"{tmp_path}/trust.json")
    store.set("/x", trusted=True)
    held = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(AgentFault, match=f"^{tmp_path} has been locked by another process"):
            store.set("/y", trusted=True)
        assert store.judge("/x", []) == "trusted"
    finally:
        os.close(held)
    store.set("/y", trusted=True)
    assert store.projects() == {"/x": True, "/y": True}


def test_a_flag_trusts_for_this_process_only(tmp_path: Path) -> None:
    """`-a` counts, and nothing of it is written."""
    project = Project(tmp_path)
    project.put("repo/.beyond-ai/SYSTEM.md")
    store = TrustStore(project.places.trust)
    notices: list[str] = []
    assert is_trusted(project.places, store, notices, this_time=True)
    assert notices == []
    assert not Path(project.places.state).exists()
    assert not is_trusted(project.places, store, [], this_time=False)


def test_one_notice_says_what_was_left_out_and_how_to_trust_it(tmp_path: Path) -> None:
    """It names each file and the command; a project that has nothing, or is trusted, is not worth one."""
    project = Project(tmp_path / "a b")
    store = TrustStore(project.places.trust)
    notices: list[str] = []
    assert not is_trusted(project.places, store, notices, this_time=False)
    assert notices == []
    paths = [project.put(f"repo/.beyond-ai/{name}") for name in ("SYSTEM.md", "agent.toml")]
    project.put("repo/.agents/skills/x/SKILL.md")
    assert not is_trusted(project.places, store, notices, this_time=False)
    left_out = ", ".join([*paths, f"{project.root}/.agents/skills"])
    how = f"beyond-ai-agent trust '{project.root}'"
    assert notices == [f"the project is not trusted, left out: {left_out}; to trust it: {how}"]
    store.set(str(project.root), trusted=True)
    assert is_trusted(project.places, store, notices, this_time=False)
    store.set(str(project.root), trusted=False)
    assert not is_trusted(project.places, store, notices, this_time=False)
    assert len(notices) == 2
