"""Which model answers, and how much it thinks: chosen idle and in a run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agent_serve_client import events
from agent_serve_hub import serving

from beyond_agent_core.testing import turn

if TYPE_CHECKING:
    from pathlib import Path


def test_another_model_answers_from_the_next_turn_on(tmp_path: Path) -> None:
    """set_model and set_thinking say when they apply, also in a run, and what was chosen last stands."""

    async def go() -> None:
        script = [turn.tool_call("bash", command="sleep 0.3"), turn.text("b"), turn.text("c"), turn.text("d")]
        async with serving(tmp_path, script) as served:
            talk = await served.talk()
            assert (await talk.ask("set_model", model=" "))["error_code"] == "invalid_field"
            talk.say("prompt", message="hi")
            await talk.event("tool_start")
            assert (await talk.ask("set_model", model="gpt-5"))["data"] == {"model": "gpt-5", "applied": "next_turn"}
            assert (await talk.ask("set_thinking", effort="high"))["data"] == {
                "thinking": "high",
                "applied": "next_turn",
            }
            await talk.response("prompt")
            assert (await talk.ask("set_model", model="claude-x"))["data"] == {"model": "claude-x", "applied": "now"}
            await talk.ask("prompt", message="on")
            assert [request.model for request in served.transport.requests] == ["claude-test", "gpt-5", "claude-x"]
            assert served.transport.requests[1].reasoning_effort == "high"
            assert (await talk.ask("set_thinking", budget=2048))["data"] == {"thinking": 2048, "applied": "now"}
            await talk.ask("prompt", message="on")
            thinking = served.transport.requests[3].thinking
            assert thinking is not None
            assert thinking.budget_tokens == 2048
            assert (await talk.ask("set_thinking", budget=None))["data"] == {"thinking": None, "applied": "now"}
            assert (await talk.ask("set_thinking"))["error_code"] == "missing_field"
            assert (await talk.ask("set_thinking", budget=1, effort="low"))["error_code"] == "invalid_field"
            live = await served.hub.first()
            assert (live.stored.model, live.stored.level) == ("claude-x", "off")

    asyncio.run(go())


def test_a_choice_that_a_run_did_not_come_to_does_not_come_back(tmp_path: Path) -> None:
    """A model set in the last turn of a run, and another set behind it: the second one answers."""

    async def go() -> None:
        async with serving(tmp_path, [turn.stall(after=1), turn.text("b")]) as served:
            talk = await served.talk()
            talk.say("prompt", id=1, message="hi")
            await talk.event("turn_start")
            await talk.ask("set_model", model="claude-stale")
            await talk.ask("abort")
            await talk.ask("set_model", model="claude-new")
            await talk.ask("prompt", message="on")
            assert [request.model for request in served.transport.requests] == ["claude-test", "claude-new"]
            assert "model_switched" not in events(talk.frames)

    asyncio.run(go())
