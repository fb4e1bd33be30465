"""What `serve` promises where two things happen at once: an abort while the session is folded, with words that wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from agent_serve_hub import serving
from msgspec.structs import replace

from beyond_agent_core.testing import assert_fit, turn
from beyond_wire.types import TokenUsage

if TYPE_CHECKING:
    from pathlib import Path

FULL = TokenUsage(input_tokens=19_000, output_tokens=5)


def test_an_abort_while_a_run_compacts_loses_no_steer(tmp_path: Path) -> None:
    """The fold that a run began is dropped, the run ends cancelled, and what waited comes with the next prompt."""

    async def go() -> None:
        said = turn.text("a" * 8000)
        script = [said, replace(said, usage=FULL), turn.stall(after=1), turn.text("short"), turn.text("on")]
        options: dict[str, Any] = {
            "context_window": 20_000,
            "compaction_keep_recent_tokens": 500,
            "compaction_reserve_tokens": 4000,
        }
        async with serving(tmp_path, script, **options) as served:
            talk = await served.talk()
            for number in range(2):
                assert (await talk.ask("prompt", id=number, message="v" * 4000))["success"]
            talk.say("prompt", id="folds", message="v" * 4000)
            await talk.event("compaction_start")
            assert (await talk.ask("get_state"))["data"]["is_compacting"]
            before = (await talk.ask("get_messages"))["data"]["messages"]
            await talk.ask("steer", message="do not forget")
            one, two = await asyncio.gather(talk.ask("abort", id="a"), talk.ask("abort", id="b"))
            assert one["data"] == two["data"] == {"pending": 1}
            assert (await talk.response("prompt", "folds"))["error_code"] == "cancelled"
            assert (await talk.ask("get_messages"))["data"]["messages"][: len(before)] == before
            live = await served.hub.first()
            assert_fit(live.stored.session)
            assert (await talk.ask("prompt", id="on", message="on"))["success"]
            assert "do not forget" in msgspec.json.encode(served.transport.requests[-1].messages).decode()

    asyncio.run(go())
