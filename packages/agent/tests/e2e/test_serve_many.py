"""Many sessions in one process: real tools, no word of one in another, and what that costs."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from agent_serve_client import numbered
from agent_serve_hub import Parts, serving

from beyond_agent_core.testing import assert_fit, turn

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_wire.types import ModelRequest

pytestmark = pytest.mark.e2e

SESSIONS = 200


class Echo:
    """A model that has each session write and read a file of its own name, and then says it."""

    async def stream(self, request: ModelRequest) -> Any:
        from beyond_agent_core.testing.scripted import events_of

        said = msgspec.json.encode(request.messages).decode()
        names = set(re.findall(r"agent-\d{3}", said))
        assert len(names) == 1, names
        (name,) = names
        steps = [
            turn.tool_call("write", path=f"{name}.txt", content=f"{name} was here"),
            turn.tool_call("bash", command=f"cat {name}.txt; sleep 0.05"),
            turn.tool_call("read", path=f"{name}.txt"),
            turn.text(f"{name} is done"),
        ]
        for event in events_of(steps[sum(message.role == "assistant" for message in request.messages)]):
            await asyncio.sleep(0)
            yield event


def test_two_hundred_sessions_with_real_tools_do_not_talk_across(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each has its own file, events and answer; meanwhile get_state answers, and all are stored."""

    async def go() -> None:
        async with serving(tmp_path, parts=Parts(transport=Echo())) as served:
            before = _resident()
            talks = [await served.talk(shared=True) for _ in range(SESSIONS)]
            for talk in talks:
                await talk.ask("new_session")
                await talk.ask("attach")
            started = time.monotonic()
            asked = [
                asyncio.ensure_future(talk.ask("prompt", message=f"you are agent-{number:03}"))
                for number, talk in enumerate(talks)
            ]
            waits: list[float] = []
            while not all(task.done() for task in asked):
                asking = time.monotonic()
                assert (await talks[0].ask("get_state"))["success"]
                waits.append(time.monotonic() - asking)
                await asyncio.sleep(0.05)
            took, grown = time.monotonic() - started, _resident() - before
            for number, (talk, task) in enumerate(zip(talks, asked, strict=True)):
                name = f"agent-{number:03}"
                assert task.result()["data"]["outcome"] == "done"
                text = (await talk.ask("get_last_assistant_text"))["data"]["text"]
                assert text == f"{name} is done"
                told = str(numbered(talk.frames))
                assert set(re.findall(r"agent-\d{3}", told)) == {name}
                assert (served.work / f"{name}.txt").read_text() == f"{name} was here"
                assert_fit(talk.connection.live.stored.session)
            assert (await talks[0].ask("list_sessions"))["data"]["total"] == SESSIONS
            waits.sort()
            p50, p95 = (1000 * waits[len(waits) * part // 100] for part in (50, 95))
            with capsys.disabled():
                print(  # noqa: T201 - figures are what it prints
                    f"\n{SESSIONS} sessions in {took:.1f} s, {grown / SESSIONS:.0f} KiB each with their clients, "
                    f"get_state p50 {p50:.0f} ms, p95 {p95:.0f} ms"
                )

    asyncio.run(go())


def _resident() -> int:
    """KiB of memory of this process."""
    with open("/proc/self/status") as file:  # noqa: PTH123 - it is no file
        return int(re.findall(r"VmRSS:\s+(\d+)", file.read())[0])
