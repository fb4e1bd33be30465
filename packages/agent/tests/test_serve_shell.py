"""Commands that a person runs in a session, beside the model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agent_serve_client import events, without_stream
from agent_serve_hub import said, serving

from beyond_agent_core.testing import turn

if TYPE_CHECKING:
    from pathlib import Path


def test_a_persons_command_is_told_like_a_tool_and_joins_the_next_prompt(tmp_path: Path) -> None:
    """bash has tool events and its result; the model sees it with the next prompt, once, unless it is excluded."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("one"), turn.text("two")]) as served:
            talk = await served.talk()
            done = await talk.ask("bash", command="echo seen; exit 3")
            assert done["data"] == {
                "result": "seen\n\nCommand exited with code 3", "is_error": True, "exit_code": 3, "cancelled": False,
                "truncated": False, "full_output_path": None,
            }  # fmt: skip
            assert without_stream(talk.frames)[0] == "tool_start"
            assert without_stream(talk.frames)[-1] == "tool_end"
            await talk.ask("bash", command="echo hidden", exclude_from_context=True)
            await talk.ask("prompt", message="what was that?")
            assert "$ echo seen; exit 3" in said(served.transport.requests[0])
            assert "hidden" not in said(served.transport.requests[0])
            await talk.ask("prompt", message="and now?")
            assert said(served.transport.requests[1]).count("$ echo seen") == 1
            bad = await talk.ask("bash", command="true", cwd="/nowhere")
            assert (bad["error_code"], bad["success"]) == ("invalid_field", False)
            assert "tool_end" in without_stream(talk.frames)[-1]

    asyncio.run(go())


def test_one_such_command_at_a_time_and_it_can_be_ended(tmp_path: Path) -> None:
    """A second one is busy, also beside a run; abort_bash ends it, keeping its output; without one it says so."""

    async def go() -> None:
        async with serving(tmp_path, [turn.stall(after=1)]) as served:
            talk = await served.talk()
            assert (await talk.ask("abort_bash"))["data"] == {"aborted": False}
            talk.say("prompt", message="hi")
            await talk.event("turn_start")
            talk.say("bash", id=1, command="echo begun; sleep 30")
            await talk.event("tool_progress")
            assert (await talk.ask("bash", id=2, command="true"))["error_code"] == "busy"
            assert (await talk.ask("abort_bash"))["data"] == {"aborted": True}
            done = (await talk.response("bash", 1))["data"]
            assert (done["cancelled"], done["exit_code"], done["result"]) == (True, None, "begun\n\nCommand cancelled")
            assert (await talk.ask("get_state"))["data"]["is_streaming"]
            talk.raw(b'{"type":"bash","id":3,"command":"sleep 30"}\n{"type":"abort_bash","id":4}\n')
            assert (await talk.response("bash", 3))["data"]["cancelled"]
            assert events(talk.frames).count("tool_start") == events(talk.frames).count("tool_end") == 2

    asyncio.run(go())
