"""Commands about sessions as a whole, and what they write."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from agent_serve_hub import KEY, Parts, serving, state, texts

from beyond_agent.sessions.memory import FixedStore, MemoryStore
from beyond_agent_core.testing import turn

NOTHING = {"steers": 0, "follow_ups": 0, "approvals": 0}


def written(path: Path) -> str:
    return path.read_text()


def test_a_new_session_is_another_one_and_what_waited_is_dropped(tmp_path: Path) -> None:
    """The connection is bound to it; the answer names what was dropped; on stdio its frames come at once."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("one"), turn.text("two")]) as served:
            talk = await served.talk()
            first = (await state(talk))["session_id"]
            await talk.ask("prompt", id=1, message="hi")
            for name in ("steer", "steer", "follow_up"):
                await talk.ask(name, message="wait")
            made = (await talk.ask("new_session", parent_session=first))["data"]
            assert made["dropped"] == {"steers": 2, "follow_ups": 1, "approvals": 0}
            assert made["session_id"] != first
            now = await state(talk)
            assert (now["session_id"], now["message_count"], now["last_seq"]) == (made["session_id"], 0, 0)
            at = len(talk.frames)
            await talk.ask("prompt", id=2, message="fresh")
            assert [frame["seq"] for frame in talk.frames[at:] if "seq" in frame][:2] == [1, 2]
            listed = (await talk.ask("list_sessions"))["data"]
            assert [each["parent"] for each in listed["sessions"]] == [first, None]
            back = (await talk.ask("switch_session", session_id=first))["data"]
            assert back == {"session_id": first, "dropped": NOTHING}
            assert (await state(talk))["pending_messages"] == 0
            assert await texts(talk) == ["hi", "one"]

    asyncio.run(go())


def test_sessions_are_listed_found_by_prefix_deleted_and_restored(tmp_path: Path) -> None:
    """list_sessions pages and searches; delete and restore may be repeated; a live session is busy."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text(str(number)) for number in range(3)]) as served:
            talk = await served.talk()
            ids: list[str] = []
            for number in range(3):
                ids.append((await state(talk))["session_id"])
                await talk.ask("prompt", id=number, message=f"question {number}")
                await talk.ask("new_session")
            found = (await talk.ask("list_sessions"))["data"]
            assert [each["id"] for each in found["sessions"]] == ids[::-1]
            assert found["total"] == 3
            assert set(found["sessions"][0]) == {
                "id", "title", "cwd", "model", "created_at", "updated_at", "message_count", "preview", "parent", "live",
            }  # fmt: skip
            page = (await talk.ask("list_sessions", limit=1, offset=1))["data"]
            assert [each["id"] for each in page["sessions"]] == [ids[1]]
            search = (await talk.ask("list_sessions", query="QUESTION 2"))["data"]
            assert [each["preview"] for each in search["sessions"]] == ["question 2"]
            for limit in (0, 501):
                assert (await talk.ask("list_sessions", limit=limit))["error_code"] == "invalid_field"
            switched = await talk.ask("switch_session", session_id=ids[0][:-1])
            assert switched["data"]["session_id"] == ids[0]
            assert [each["live"] for each in (await talk.ask("list_sessions"))["data"]["sessions"]] == [
                False, False, True,
            ]  # fmt: skip
            assert (await talk.ask("switch_session", session_id="sess_"))["error_code"] == "ambiguous"
            assert (await talk.ask("switch_session", session_id="nobody"))["error_code"] == "not_found"
            assert (await talk.ask("delete_session", session_id=ids[0]))["error_code"] == "busy"
            for _ in range(2):
                assert (await talk.ask("delete_session", session_id=ids[1]))["data"] == {"session_id": ids[1]}
            assert [each["id"] for each in (await talk.ask("list_trash"))["data"]["sessions"]] == [ids[1]]
            assert (await talk.ask("switch_session", session_id=ids[1]))["error_code"] == "not_found"
            for _ in range(2):
                assert (await talk.ask("restore_session", session_id=ids[1]))["data"] == {"session_id": ids[1]}
            assert (await talk.ask("delete_session", session_id="nobody"))["error_code"] == "not_found"
            assert (await talk.ask("restore_session", session_id="nobody"))["error_code"] == "not_found"
            assert (await talk.ask("list_sessions"))["data"]["total"] == 3

    asyncio.run(go())


def test_a_session_of_another_process_is_locked_until_it_is_taken_over(tmp_path: Path) -> None:
    """session_locked names the owner; with takeover the session opens, and the other writer is superseded."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("one"), turn.text("two")]) as served:
            other = served.store.create(str(served.work), "claude-test")
            other.session.user("theirs")
            await other.checkpoint("prompt")
            talk = await served.talk()
            locked = await talk.ask("switch_session", session_id=other.id)
            assert locked["error_code"] == "session_locked"
            assert "beyond-ai-agent" in locked["error"]
            taken = await talk.ask("switch_session", session_id=other.id, takeover=True)
            assert taken["data"]["session_id"] == other.id
            assert not other.renew()
            assert (await talk.ask("prompt", message="ours"))["success"]
            other.close()

    asyncio.run(go())


def test_a_damaged_and_a_newer_session_are_refused_and_not_touched(tmp_path: Path) -> None:
    """session_corrupt and session_version; the connection stays where it was."""

    async def go() -> None:
        async with serving(tmp_path) as served:
            folder = tmp_path / "sessions"
            corrupt, newer = folder / "2025_sess_bad.jsonl", folder / "2025_sess_new.jsonl"
            corrupt.write_text("no header\n")
            newer.write_text(
                '{"type":"session","version":99,"id":"sess_new","created_at":"2025","cwd":"/","model":"m"}\n'
            )
            talk = await served.talk()
            before = (await state(talk))["session_id"]
            assert (await talk.ask("switch_session", session_id="sess_bad"))["error_code"] == "session_corrupt"
            assert (await talk.ask("attach", session_id="sess_new"))["error_code"] == "session_version"
            assert (await state(talk))["session_id"] == before
            assert corrupt.read_text() == "no header\n"

    asyncio.run(go())


def test_fork_and_clone_copy_and_move_to_the_copy(tmp_path: Path) -> None:
    """By count, by entry, before an entry, whole; the source stays as it is."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a"), turn.text("b"), turn.text("c")]) as served:
            talk = await served.talk()
            source = (await state(talk))["session_id"]
            await talk.ask("prompt", id=1, message="one")
            await talk.ask("prompt", id=2, message="two")
            ids = [message["id"] for message in (await talk.ask("get_messages"))["data"]["messages"]]
            asked: list[tuple[str, dict[str, Any], list[str]]] = [
                ("fork", {"upto": 1}, ["one"]),
                ("fork", {"upto": 0}, []),
                ("fork", {"target_id": ids[1]}, ["one", "a"]),
                ("fork", {"target_id": ids[2], "before": True}, ["one", "a"]),
                ("clone", {}, ["one", "a", "two", "b"]),
            ]
            for name, fields, expected in asked:
                await talk.ask("switch_session", session_id=source)
                made = (await talk.ask(name, **fields))["data"]
                assert made["session_id"] not in (source, None)
                assert await texts(talk) == expected, (name, fields)
            assert (await talk.ask("prompt", id=3, message="on"))["success"]
            await talk.ask("switch_session", session_id=source)
            assert await texts(talk) == ["one", "a", "two", "b"]
            assert (await talk.ask("fork", upto=99))["error_code"] == "not_found"
            assert (await talk.ask("fork", target_id="00000000"))["error_code"] == "not_found"
            assert (await talk.ask("fork", upto=1, target_id=ids[0]))["error_code"] == "invalid_field"
            assert (await talk.ask("fork", before=True))["error_code"] == "missing_field"

    asyncio.run(go())


@pytest.mark.parametrize("fixed", [False, True])
def test_without_a_store_the_commands_for_one_say_so(tmp_path: Path, *, fixed: bool) -> None:
    """--no-session and --session-file: no_session_store, and the session works; without sessions no file is written."""
    store = FixedStore(tmp_path / "one.jsonl") if fixed else MemoryStore()

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a"), turn.text("b")], parts=Parts(store=store)) as served:
            talk = await served.talk()
            asked: list[tuple[str, dict[str, Any]]] = [
                ("list_sessions", {}),
                ("list_trash", {}),
                ("fork", {}),
                ("clone", {}),
                ("switch_session", {"session_id": "x"}),
                ("delete_session", {"session_id": "x"}),
                ("restore_session", {"session_id": "x"}),
            ]
            for name, fields in asked:
                assert (await talk.ask(name, **fields))["error_code"] == "no_session_store", name
            assert (await talk.ask("prompt", id=1, message="hi"))["success"]
            assert await texts(talk) == ["hi", "a"]
            if not fixed:
                assert (await state(talk))["session_file"] is None
                assert (await talk.ask("export_html"))["error_code"] == "no_session_store"
                first = (await state(talk))["session_id"]
                other = (await talk.ask("new_session"))["data"]["session_id"]
                assert other != first
                assert (await talk.ask("switch_session", session_id=first))["success"]
                assert await texts(talk) == ["hi", "a"]

    asyncio.run(go())
    files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert files == (["one.jsonl"] if fixed else [])


def test_no_command_writes_a_file_outside_of_its_session(tmp_path: Path) -> None:
    """Every setting that a command changes stays in the session: no file of settings, nothing in the directory."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a")]) as served:
            talk = await served.talk()
            await talk.ask("prompt", message="hi")
            await talk.ask("set_model", model="gpt-5")
            await talk.ask("set_thinking", effort="low")
            await talk.ask("set_session_name", title="t")
            await talk.ask("bash", command="true")
            leaf = (await talk.ask("get_messages"))["data"]["leaf_id"]
            await talk.ask("set_label", target_id=leaf, label="l")

    asyncio.run(go())
    written = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"sessions"}


def test_an_export_is_a_page_beside_the_session_or_where_it_was_asked_for(tmp_path: Path) -> None:
    """A transcript full of markup is inert, keys are redacted, a place that cannot be written is io."""
    markup = f"<script>alert(1)</script><img src=x onerror=alert(1)> {KEY}"

    async def go() -> None:
        async with serving(tmp_path, [turn.text(markup)]) as served:
            talk = await served.talk()
            await talk.ask("prompt", message=markup)
            path = Path((await talk.ask("export_html"))["data"]["path"])
            assert path.parent == tmp_path / "sessions"
            page = written(path)
            assert "<script>alert" not in page
            assert "<img src=x" not in page
            assert KEY not in page
            there = (await talk.ask("export_html", output_path="page.html"))["data"]["path"]
            assert Path(there) == served.work / "page.html"
            assert (await talk.ask("export_html", output_path="/proc/none/x.html"))["error_code"] == "io"

    asyncio.run(go())
