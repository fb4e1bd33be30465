"""Questions before calls: every way of not answering denies, the first answer counts, memory is the session's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from agent_serve_client import Frame, Talk, numbered
from agent_serve_hub import Served, serving

from beyond_agent_core.testing import turn

if TYPE_CHECKING:
    from pathlib import Path

WRITE = turn.tool_call("write", path="a.txt", content="x")
RUN = turn.tool_call("bash", command="echo ran")


def asks(frame: Frame) -> bool:
    return frame["type"] == "approval_request"


def results(served: Served, request: int = -1) -> str:
    """What the model was told last."""
    return msgspec.json.encode(served.transport.requests[request].messages[-1]).decode()


def test_a_question_shows_what_it_is_about_behind_the_start_of_its_call(tmp_path: Path) -> None:
    """The request has every field and comes behind tool_start; get_state lists it; an allow lets the call run."""

    async def go() -> None:
        async with serving(tmp_path, [RUN, turn.text("ok")], approve="all") as served:
            talk = await served.talk()
            talk.say("prompt", message="go")
            question = await talk.until(asks)
            assert {name: question[name] for name in ("tool", "summary", "scope_key", "origin", "options")} == {
                "tool": "bash",
                "summary": "bash: echo ran",
                "scope_key": "cmd:echo ran",
                "origin": "model",
                "options": ["allow", "allow_session", "deny"],
            }
            assert talk.frames[talk.frames.index(question) - 1]["event"]["kind"] == "tool_start"
            pending = (await talk.ask("get_state"))["data"]["pending_approvals"]
            assert [each["request_id"] for each in pending] == [question["request_id"]]
            answer = await talk.ask("approve", request_id=question["request_id"], decision="allow")
            assert answer["data"] == {"accepted": True}
            resolved = await talk.until(lambda frame: frame["type"] == "approval_resolved")
            assert (resolved["request_id"], resolved["decision"], resolved["scope"]) == (
                question["request_id"],
                "allow",
                "once",
            )
            assert (await talk.response("prompt"))["success"]
            assert '"content":"ran"' in results(served)

    asyncio.run(go())


@pytest.mark.parametrize(
    ("approve", "script", "asked"),
    [
        ("off", [WRITE, RUN], []),
        ("writes", [turn.tool_call("ls"), WRITE, RUN], ["write", "bash"]),
        ("all", [turn.tool_call("ls"), WRITE], ["ls", "write"]),
        ("tools:ls", [turn.tool_call("ls"), WRITE], ["ls"]),
    ],
)
def test_each_way_of_asking_gates_its_tools(tmp_path: Path, approve: str, script: list[Any], asked: list[str]) -> None:
    """off, writes, all, tools: those calls are asked about, and no others."""

    async def go() -> None:
        async with serving(tmp_path, [*script, turn.text("ok")], approve=approve) as served:
            talk = await served.talk()
            talk.say("prompt", message="go")
            for _ in asked:
                at = len([frame for frame in talk.frames if frame["type"] == "approval_resolved"])
                question = await talk.until(lambda frame: asks(frame) and frame["request_id"] not in seen)
                seen.add(question["request_id"])
                await talk.ask("approve", id=at, request_id=question["request_id"], decision="allow")
            assert (await talk.response("prompt"))["success"]
            assert [frame["tool"] for frame in talk.frames if asks(frame)] == asked

    seen: set[str] = set()
    asyncio.run(go())


def test_an_answer_for_the_session_is_remembered_until_it_is_left(tmp_path: Path) -> None:
    """The same command is not asked about again; another one is; leaving the session drops the memory."""

    async def go() -> None:
        other = turn.tool_call("bash", command="echo other")
        script = [RUN, RUN, other, turn.text("ok"), RUN, turn.text("ok")]
        async with serving(tmp_path, script, approve="all") as served:
            talk = await served.talk()
            first = (await talk.ask("get_state"))["data"]["session_id"]
            talk.say("prompt", id=1, message="go")
            question = await talk.until(asks)
            await talk.ask("approve", request_id=question["request_id"], decision="allow", scope="session")
            at = talk.frames.index(question) + 1
            second = await talk.until(asks, at)
            assert second["scope_key"] == "cmd:echo other"
            await talk.ask("approve", request_id=second["request_id"], decision="deny")
            assert (await talk.response("prompt", 1))["success"]
            assert "tool call blocked: denied by the user" in results(served)
            left = (await talk.ask("new_session"))["data"]
            assert left["dropped"] == {"steers": 0, "follow_ups": 0, "approvals": 1}
            await talk.ask("switch_session", session_id=first)
            at = len(talk.frames)
            talk.say("prompt", id=2, message="again")
            question = await talk.until(asks, at)
            assert question["scope_key"] == "cmd:echo ran"
            await talk.ask("approve", request_id=question["request_id"], decision="allow")
            assert (await talk.response("prompt", 2))["success"]

    asyncio.run(go())


def test_the_first_of_two_answers_counts(tmp_path: Path) -> None:
    """The second client learns that it was late; an id that nobody asked with is not_found."""

    async def go() -> None:
        async with serving(tmp_path, [RUN, turn.text("ok")], approve="all") as served:
            one, two = await served.talk(shared=True), await served.talk(shared=True)
            for talk in (one, two):
                await talk.ask("attach")
            one.say("prompt", message="go")
            question = await two.until(asks)
            fields = {"request_id": question["request_id"]}
            answers = await asyncio.gather(
                two.ask("approve", decision="deny", **fields), one.ask("approve", decision="allow", **fields)
            )
            assert sorted(answer["data"]["accepted"] for answer in answers) == [False, True]
            assert (await one.response("prompt"))["success"]
            late = await two.ask("approve", id=9, decision="allow", **fields)
            assert late["data"] == {"accepted": False}
            assert (await two.ask("approve", request_id="x", decision="allow"))["error_code"] == "not_found"
            assert numbered(one.frames) == numbered(two.frames)

    asyncio.run(go())


def test_no_answer_in_time_denies(tmp_path: Path) -> None:
    """The call is blocked with the reason timeout, and the run goes on."""

    async def go() -> None:
        async with serving(tmp_path, [RUN, turn.text("ok")], approve="all", approve_timeout_ms=50) as served:
            talk = await served.talk()
            assert (await talk.ask("prompt", message="go"))["success"]
            resolved = await talk.until(lambda frame: frame["type"] == "approval_resolved")
            assert (resolved["decision"], resolved["reason"]) == ("deny", "timeout")
            assert "tool call blocked: timeout" in results(served)

    asyncio.run(go())


def test_without_a_client_the_call_is_denied_at_once(tmp_path: Path) -> None:
    """Nobody is attached: no question, reason no_client."""

    async def go() -> None:
        async with serving(tmp_path, [RUN, turn.text("ok")], approve="all") as served:
            talk = await served.talk(shared=True)
            assert (await talk.ask("prompt", message="go"))["success"]
            assert "tool call blocked: no_client" in results(served)
            await talk.ask("attach", since=0)
            assert not [frame for frame in talk.frames if asks(frame)]

    asyncio.run(go())


def test_a_client_that_drops_leaves_the_question_open(tmp_path: Path) -> None:
    """Who attaches again sees it in the replay, and may answer."""

    async def go() -> None:
        async with serving(tmp_path, [RUN, turn.text("ok")], approve="all") as served:
            talk = await served.talk(shared=True)
            await talk.ask("attach")
            talk.say("prompt", message="go")
            question = await talk.until(asks)
            await talk.vanish()
            back = await served.talk(shared=True)
            await back.ask("attach", since=question["seq"] - 1)
            again = await back.until(asks)
            assert again == question
            assert (await back.ask("get_state"))["data"]["pending_approvals"]
            await back.ask("approve", request_id=again["request_id"], decision="allow")
            assert (await back.event("agent_end"))["event"]["outcome"] == "done"
            assert '"content":"ran"' in results(served)

    asyncio.run(go())


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"decision": "yes"}, "decision"),
        ({"decision": "allow", "scope": "ever"}, "scope"),
        ({}, "decision"),
        ({"decision": None}, "decision"),
    ],
)
def test_a_malformed_answer_is_none(tmp_path: Path, fields: dict[str, Any], named: str) -> None:
    """It is refused by the name of its field, and the question stays open until it is denied."""

    async def go() -> None:
        async with serving(tmp_path, [RUN, turn.text("ok")], approve="all", approve_timeout_ms=300) as served:
            talk = await served.talk()
            talk.say("prompt", message="go")
            question = await talk.until(asks)
            refused = await talk.ask("approve", request_id=question["request_id"], **fields)
            assert refused["error_code"] in ("invalid_field", "missing_field")
            assert f"`{named}`" in refused["error"]
            await talk.response("prompt")
            assert "tool call blocked: timeout" in results(served)

    asyncio.run(go())


def test_an_abort_denies_the_question(tmp_path: Path) -> None:
    """It is resolved as cancelled, so that no client shows it any longer."""

    async def go() -> None:
        async with serving(tmp_path, [RUN], approve="all") as served:
            talk: Talk = await served.talk()
            talk.say("prompt", message="go")
            await talk.until(asks)
            await talk.ask("abort")
            resolved = await talk.until(lambda frame: frame["type"] == "approval_resolved")
            assert (resolved["decision"], resolved["reason"]) == ("deny", "cancelled")
            assert (await talk.ask("get_state"))["data"]["pending_approvals"] == []

    asyncio.run(go())


def test_questions_come_behind_what_was_told_before_also_to_a_slow_client(tmp_path: Path) -> None:
    """On stdio that does not read, the question waits until what is before it was sent."""
    script = [turn.calls(("bash", {"command": "echo ran"}), said="w" * 3000), turn.text("ok")]

    async def go() -> None:
        async with serving(tmp_path, script, approve="all") as served:
            talk = Talk(served.hub, await served.hub.first(), backlog=20_000)
            served.talks.append(talk)
            served.room = talk.connection.outbox.room
            talk.stop_reading()
            talk.say("prompt", message="go")
            await asyncio.sleep(0.3)
            talk.read_again()
            question = await talk.until(asks)
            assert talk.frames[talk.frames.index(question) - 1]["event"]["kind"] == "tool_start"
            await talk.ask("approve", request_id=question["request_id"], decision="allow")
            assert (await talk.response("prompt"))["success"]

    asyncio.run(go())
