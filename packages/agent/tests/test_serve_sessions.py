"""Commands about sessions as a whole, and about the tree of one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from agent_serve_hub import KEY, Parts, holds, serving
from msgspec.structs import replace

from beyond_agent.sessions.memory import FixedStore, MemoryStore
from beyond_agent_core.errors import RunFault
from beyond_agent_core.testing import turn
from beyond_wire.types import TokenUsage

if TYPE_CHECKING:
    from agent_serve_client import Talk

NOTHING = {"steers": 0, "follow_ups": 0, "approvals": 0}


def written(path: Path) -> str:
    return path.read_text()


async def state(talk: Talk) -> dict[str, Any]:
    return (await talk.ask("get_state"))["data"]


async def texts(talk: Talk) -> list[str]:
    messages = (await talk.ask("get_messages"))["data"]["messages"]
    return ["".join(block.get("text", "") for block in message["content"]) for message in messages]


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


def test_branches_labels_and_the_tree(tmp_path: Path) -> None:
    """Going on from an earlier entry makes a branch; labels can be set, read and taken away."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a"), turn.text("b"), turn.text("c")]) as served:
            talk = await served.talk()
            await talk.ask("prompt", id=1, message="one")
            await talk.ask("prompt", id=2, message="two")
            messages = (await talk.ask("get_messages"))["data"]["messages"]
            await talk.ask("steer", message="dropped")
            moved = await talk.ask("switch_branch", target_id=messages[2]["id"], before=True, summarize=False)
            assert moved["data"] == {
                "target_id": messages[2]["id"],
                "dropped": {"steers": 1, "follow_ups": 0, "approvals": 0},
            }
            assert await texts(talk) == ["one", "a"]
            await talk.ask("prompt", id=3, message="other")
            branches = (await talk.ask("list_branches"))["data"]["branches"]
            assert [(each["active"], each["message_count"], each["preview"]) for each in branches] == [
                (False, 4, "b"),
                (True, 4, "c"),
            ]
            target = branches[0]["leaf_id"]
            assert (await talk.ask("get_label", target_id=target))["data"] == {"target_id": target, "label": None}
            named = await talk.ask("set_label", target_id=target, label="first try")
            assert named["data"] == {"target_id": target, "label": "first try"}
            assert (await talk.ask("list_branches"))["data"]["branches"][0]["label"] == "first try"
            assert (await talk.ask("get_label", target_id=target))["data"]["label"] == "first try"
            assert (await talk.ask("set_label", target_id=target, label=None))["data"]["label"] is None
            tree = (await talk.ask("get_tree"))["data"]
            assert [node.get("role") for node in tree["nodes"] if node["type"] == "message"].count("user") == 3
            rest = (await talk.ask("get_tree", since=tree["nodes"][3]["id"]))["data"]
            assert rest["nodes"] == tree["nodes"][4:]
            asked: list[tuple[str, dict[str, Any]]] = [
                ("set_label", {"label": "x"}), ("get_label", {}), ("switch_branch", {}),
            ]  # fmt: skip
            for name, fields in asked:
                assert (await talk.ask(name, target_id="00000000", **fields))["error_code"] == "not_found"
            assert (await talk.ask("get_tree", since="00000000"))["error_code"] == "not_found"

    asyncio.run(go())


def test_a_branch_that_is_left_is_summarised_for_the_one_that_goes_on(tmp_path: Path) -> None:
    """The model is asked about what is left, with the instructions; the next prompt sees the summary."""

    async def go() -> None:
        script = [turn.text("a"), turn.text("dead end"), turn.text("It was a dead end."), turn.text("c")]
        async with serving(tmp_path, script) as served:
            talk = await served.talk()
            await talk.ask("prompt", id=1, message="one")
            await talk.ask("prompt", id=2, message="try this")
            first = (await talk.ask("get_messages"))["data"]["messages"][1]["id"]
            moved = await talk.ask("switch_branch", target_id=first, custom_instructions="name the files")
            assert moved["success"]
            asked = msgspec.json.encode(served.transport.requests[2]).decode()
            assert "try this" in asked
            assert "name the files" in asked
            assert '"tools":[' not in asked
            await talk.ask("prompt", id=3, message="on")
            sent = msgspec.json.encode(served.transport.requests[3].messages).decode()
            assert "It was a dead end." in sent
            assert "try this" not in sent

    asyncio.run(go())


@pytest.mark.parametrize("how", ["fault", "refusal", "empty", "abort"])
def test_a_summary_that_fails_moves_nothing(tmp_path: Path, how: str) -> None:
    """A fault, a refusal, an empty answer, an abort: an error, and the session is where it was."""
    answers: dict[str, Any] = {
        "fault": RunFault(code="quota", message="no money left"),
        "refusal": turn.refusal(),
        "empty": turn.text(" "),
        "abort": turn.stall(after=1),
    }
    codes = {"fault": "quota", "refusal": "refused", "empty": "summary_empty", "abort": "cancelled"}

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a"), turn.text("b"), answers[how], turn.text("c")]) as served:
            talk = await served.talk()
            await talk.ask("prompt", id=1, message="one")
            await talk.ask("prompt", id=2, message="two")
            first = (await talk.ask("get_messages"))["data"]["messages"][1]["id"]
            talk.say("switch_branch", target_id=first)
            if how == "abort":
                await holds(lambda: len(served.transport.requests) == 3)
                refused = await talk.ask("prompt", id="x", message="between")
                assert refused["error_code"] == "busy"
                await talk.ask("abort")
            assert (await talk.response("switch_branch"))["error_code"] == codes[how]
            assert await texts(talk) == ["one", "a", "two", "b"]
            assert (await talk.ask("prompt", id=3, message="on"))["success"]

    asyncio.run(go())


def test_a_compaction_by_hand_folds_what_is_old(tmp_path: Path) -> None:
    """Its events are told, its figures are in the answer; where there is nothing to fold it says so."""

    async def go() -> None:
        script = [turn.text("x" * 4000) for _ in range(6)] + [turn.text("All of it, short.")]
        async with serving(tmp_path, script, compaction_keep_recent_tokens=1000) as served:
            talk = await served.talk()
            small = (await talk.ask("compact", id=0))["data"]
            assert (small["compacted"], small["reason"]) == (False, "too_small")
            for number in range(6):
                await talk.ask("prompt", id=number, message=f"q{number}")
            done = (await talk.ask("compact", id=9, custom_instructions="keep names"))["data"]
            assert (done["compacted"], done["reason"]) == (True, "manual")
            assert "All of it, short." in done["summary"]
            assert done["tokens_after"] < done["tokens_before"]
            kept = (await talk.ask("get_messages"))["data"]["messages"]
            assert done["first_kept_entry_id"] == kept[1]["id"]
            assert "keep names" in msgspec.json.encode(served.transport.requests[-1].messages).decode()
            kinds = [frame["event"]["kind"] for frame in talk.frames if frame["type"] == "event"]
            assert kinds[-2:] == ["compaction_start", "compacted"]

    asyncio.run(go())


def test_a_compaction_that_fails_or_is_aborted_leaves_all_as_it_was(tmp_path: Path) -> None:
    """The fault's code is the answer's; get_state says that it is compacting; the next prompt works."""

    async def go() -> None:
        answers = [RunFault(code="quota", message="no money left"), turn.stall(after=1), turn.text("on")]
        script = [turn.text("x" * 4000) for _ in range(6)] + answers
        async with serving(tmp_path, script, compaction_keep_recent_tokens=1000) as served:
            talk = await served.talk()
            for number in range(6):
                await talk.ask("prompt", id=number, message=f"q{number}")
            before = await texts(talk)
            assert (await talk.ask("compact", id=1))["error_code"] == "quota"
            talk.say("compact", id=2)
            await talk.event("compaction_start", len(talk.frames))
            assert (await state(talk))["is_compacting"]
            await talk.ask("abort")
            assert (await talk.response("compact", 2))["error_code"] == "cancelled"
            assert await texts(talk) == before
            assert not (await state(talk))["is_compacting"]
            assert (await talk.ask("prompt", id=8, message="on"))["success"]

    asyncio.run(go())


def test_an_abort_ends_a_run_that_is_compacting(tmp_path: Path) -> None:
    """Answered behind the end of the run; a queued steer waits on, nothing was folded, the next prompt works."""

    async def go() -> None:
        full = replace(turn.text("x" * 4000), usage=TokenUsage(input_tokens=19_000, output_tokens=5))
        script = [*[turn.text("x" * 4000)] * 5, full, turn.stall(after=1), turn.text("short"), turn.text("on")]
        sizes: dict[str, Any] = {
            "context_window": 20_000,
            "compaction_keep_recent_tokens": 1000,
            "compaction_reserve_tokens": 4000,
        }
        async with serving(tmp_path, script, **sizes) as served:
            talk = await served.talk()
            for number in range(6):
                await talk.ask("prompt", id=number, message=f"q{number}")
            before = await texts(talk)
            talk.say("prompt", id=8, message="more")
            await talk.event("compaction_start", len(talk.frames))
            await talk.ask("steer", id=9, message="later")
            assert (await talk.ask("abort"))["data"] == {"pending": 1}
            ended = await talk.response("prompt", 8)
            assert (ended["error_code"], ended["data"]["outcome"]) == ("cancelled", "cancelled")
            assert (await texts(talk))[: len(before)] == before
            assert (await talk.ask("prompt", id=10, message="on"))["success"]
            assert "onlater" in await texts(talk)

    asyncio.run(go())


def test_a_compaction_that_cannot_shrink_stops_and_the_session_lives_on(tmp_path: Path) -> None:
    """At most three summary calls, then none by itself; get_state answers, and one by hand may succeed."""
    long = "w" * 60_000

    async def go() -> None:
        summaries = 0

        def answer(request: Any) -> Any:
            nonlocal summaries
            if request.tools:
                return replace(turn.text("ok"), usage=TokenUsage(input_tokens=19_000, output_tokens=5))
            summaries += 1
            return turn.text(long if summaries <= 3 else "short")

        script = [turn.from_request(answer)] * 60
        async with serving(
            tmp_path, script, context_window=20_000, compaction_keep_recent_tokens=2000, compaction_reserve_tokens=4000
        ) as served:
            talk = await served.talk()
            for number in range(12):
                await talk.ask("prompt", id=number, message="v" * 6000)
                assert (await state(talk))["session_id"]
            assert 1 <= summaries <= 3
            stopped = summaries
            summaries = 3
            assert (await talk.ask("compact", id="c"))["data"]["compacted"]
            assert summaries == 4
            assert stopped <= 3

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
