"""The history of a session made smaller: by hand and by itself, and what becomes of it when that fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from agent_serve_hub import serving, state, texts
from msgspec.structs import replace

from beyond_agent_core.errors import RunFault
from beyond_agent_core.testing import turn
from beyond_wire.types import TokenUsage

if TYPE_CHECKING:
    from pathlib import Path


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
