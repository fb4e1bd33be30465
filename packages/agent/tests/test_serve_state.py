"""Commands that say where a session stands."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_serve_hub import serving

from beyond_agent_core.testing import turn

if TYPE_CHECKING:
    import pytest

ROOMY: dict[str, Any] = {"context_window": 100_000_000}

COUNTS = {
    "steps", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens",
    "reasoning_tokens", "last_input_tokens",
}  # fmt: skip


def test_the_state_has_every_field_of_the_contract(tmp_path: Path) -> None:
    """Fresh, in a run, and behind it."""

    async def go() -> None:
        async with serving(tmp_path, [turn.stall(after=1)]) as served:
            talk = await served.talk()
            fresh = (await talk.ask("get_state"))["data"]
            assert set(fresh) == COUNTS | {
                "session_id", "model", "title", "message_count", "cwd", "thinking", "is_streaming", "is_compacting",
                "is_retrying", "pending_messages", "steer_queue", "follow_up_queue", "pending_approvals",
                "last_outcome", "session_file", "epoch", "last_seq",
            }  # fmt: skip
            assert (fresh["last_outcome"], fresh["title"], fresh["message_count"]) == (None, None, 0)
            assert fresh["cwd"] == str(served.work)
            ready = talk.frames[0]
            assert [fresh[name] for name in ("session_id", "model", "epoch", "last_seq")] == [
                ready[name] for name in ("session_id", "model", "epoch", "last_seq")
            ]
            talk.say("prompt", id=1, message="do  it\nnow")
            await talk.event("turn_start")
            running = (await talk.ask("get_state"))["data"]
            assert (running["is_streaming"], running["last_outcome"], running["title"]) == (True, None, "do it")
            assert running["last_seq"] >= 2
            await talk.ask("abort")
            after = (await talk.ask("get_state"))["data"]
            assert (after["is_streaming"], after["last_outcome"], after["message_count"]) == (False, "cancelled", 1)

    asyncio.run(go())


def without_run_end(file: Path) -> None:
    """Leave in a session's file what a kill would have left."""
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(line for line in lines if b"run_end" not in line))


def test_a_run_without_an_end_is_a_crash(tmp_path: Path) -> None:
    """A session whose process was killed in a run says so when it is loaded again."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("x"), turn.text("y")]) as served:
            talk = await served.talk()
            await talk.ask("prompt", id=1, message="hi")
            crashed = (await talk.ask("get_state"))["data"]["session_file"]
            await talk.ask("new_session")
            without_run_end(Path(crashed))
            await talk.ask("switch_session", session_id=crashed)
            assert (await talk.ask("get_state"))["data"]["last_outcome"] == "crashed"
            assert (await talk.ask("prompt", id=2, message="on"))["success"]
            assert (await talk.ask("get_state"))["data"]["last_outcome"] == "done"

    asyncio.run(go())


def test_messages_are_paged_with_the_ids_of_their_entries(tmp_path: Path) -> None:
    """`since` gives what follows, `limit` bounds it, `next` goes on; an id that is not there is not_found."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text(str(number)) for number in range(3)]) as served:
            talk = await served.talk()
            for number in range(3):
                await talk.ask("prompt", id=number, message=f"q{number}")
            every = (await talk.ask("get_messages"))["data"]
            assert "next" not in every
            assert [message["role"] for message in every["messages"]] == ["user", "assistant"] * 3
            assert every["leaf_id"] == every["messages"][-1]["id"]
            seen: list[Any] = []
            since: dict[str, Any] = {}
            while True:
                page = (await talk.ask("get_messages", limit=4, **since))["data"]
                assert 1 <= len(page["messages"]) <= 4
                seen += page["messages"]
                if "next" not in page:
                    break
                since = {"since": page["next"]}
            assert seen == every["messages"]
            assert (await talk.ask("get_messages", since=every["leaf_id"]))["data"]["messages"] == []
            assert (await talk.ask("get_messages", since="00000000"))["error_code"] == "not_found"

    asyncio.run(go())


def test_messages_that_are_large_come_in_several_pages(tmp_path: Path) -> None:
    """Ten messages of 1 MB do not fit one frame."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("ok") for _ in range(10)], **ROOMY) as served:
            talk = await served.talk()
            for number in range(10):
                await talk.ask("prompt", id=number, message="x" * 1_000_000)
            page = (await talk.ask("get_messages"))["data"]
            assert 6 <= len(page["messages"]) < 10
            assert page["next"] == page["messages"][-1]["id"]
            await talk.ask("attach")
            caught = await talk.until(lambda frame: frame["type"] == "catchup")
            assert caught["data"]["omitted"] == 20 - len(caught["data"]["messages"])
            assert caught["data"]["messages"][-1]["content"] == [{"type": "text", "text": "ok"}]

    asyncio.run(go())


def test_a_message_that_no_line_can_hold_is_cut_and_kept_whole_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt of 9 MB: the frame is within the limit and names a spill file with all of it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    async def go() -> None:
        async with serving(tmp_path, [turn.text("ok")], **ROOMY) as served:
            talk = await served.talk()
            assert (await talk.ask("prompt", id=1, message="y" * 9_000_000))["success"]
            block = (await talk.ask("get_messages"))["data"]["messages"][0]["content"][0]
            assert len(block["text"]) < 20_000
            assert block["spill"]["bytes"] == 9_000_000
            spilled.append(Path(block["spill"]["path"]))

    spilled: list[Path] = []
    asyncio.run(go())
    assert spilled[0].read_bytes() == b"y" * 9_000_000


def test_text_stats_models_and_commands(tmp_path: Path) -> None:
    """The last text, counts by kind of message, models with the chosen one, no commands where there are none."""

    async def go() -> None:
        async with serving(tmp_path, [turn.tool_call("ls"), turn.text("that is all")]) as served:
            talk = await served.talk()
            assert (await talk.ask("get_last_assistant_text"))["data"] == {"text": ""}
            await talk.ask("prompt", message="hi")
            assert (await talk.ask("get_last_assistant_text"))["data"] == {"text": "that is all"}
            stats = (await talk.ask("get_session_stats"))["data"]
            assert set(stats) == COUNTS | {
                "user_messages", "assistant_messages", "tool_calls", "tool_results", "total_messages",
            }  # fmt: skip
            assert [stats[name] for name in ("user_messages", "assistant_messages", "tool_calls", "tool_results")] == [
                2, 2, 1, 1,
            ]  # fmt: skip
            assert (stats["total_messages"], stats["steps"], stats["output_tokens"]) == (4, 2, 10)
            assert "claude-test" in (await talk.ask("get_available_models"))["data"]["models"]
            assert (await talk.ask("get_commands"))["data"] == {"commands": []}

    asyncio.run(go())


def test_a_title_is_one_line_and_all_who_are_attached_are_told(tmp_path: Path) -> None:
    """Controls are removed, 200 characters stay; the frame names the command and its id."""

    async def go() -> None:
        async with serving(tmp_path) as served:
            talk, other = await served.talk(shared=True), await served.talk(shared=True)
            await other.ask("attach")
            named = await talk.ask("set_session_name", id="n", title="a\tb\x07\n" + "c" * 300)
            title = named["data"]["title"]
            assert title.startswith("a b c")
            assert len(title) == 200
            told = await other.until(lambda frame: frame["type"] == "session_info_changed")
            assert (told["id"], told["command"], told["title"]) == ("n", "set_session_name", title)
            assert (await talk.ask("get_state"))["data"]["title"] == title
            assert not [frame for frame in talk.frames if "seq" in frame]

    asyncio.run(go())
