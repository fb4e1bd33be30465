"""`prompt` and what steers it: one ack, events, one response, whatever becomes of the run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from agent_serve_client import events, numbered, without_stream
from agent_serve_hub import KEY, Parts, said, serving

from beyond_agent_core.errors import RunFault
from beyond_agent_core.testing import assert_fit, turn
from beyond_agent_core.transport import TransportFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from beyond_wire.types import ModelRequest, StreamEvent

SLEEP = turn.tool_call("bash", command="echo begun; sleep 30")


def test_a_prompt_is_acknowledged_told_and_answered_in_this_order(tmp_path: Path) -> None:
    """The ack is first, agent_end comes before the response, and nothing follows by itself."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("hello")]) as served:
            talk = await served.talk()
            done = await talk.ask("prompt", id="a", message="hi")
            assert done["success"]
            assert done["data"] == {
                "steps": 1, "input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 0, "cache_write_tokens": 0,
                "cache_write_1h_tokens": 0, "reasoning_tokens": 0, "last_input_tokens": 10,
                "outcome": "done", "stop_reason": "end_turn", "refused": False,
            }  # fmt: skip
            kinds = [frame["type"] for frame in talk.frames]
            assert kinds == ["ready", "ack", *["event"] * (len(kinds) - 3), "response"]
            assert talk.frames[1] == {"type": "ack", "id": "a", "command": "prompt"}
            assert without_stream(talk.frames) == ["agent_start", "turn_start", "turn_end", "agent_end"]
            assert [frame["seq"] for frame in numbered(talk.frames)] == list(range(1, len(kinds) - 2))
            count = len(talk.frames)
            await asyncio.sleep(0.05)
            assert len(talk.frames) == count

    asyncio.run(go())


@pytest.mark.parametrize(
    ("script", "options", "code", "outcome", "text"),
    [
        ([turn.fail(RunFault(code="quota", message="no money left"))], {}, "quota", "error", "no money left"),
        ([turn.tool_call("ls")] * 3, {"max_steps": 2}, "limit", "limit", "reached max steps (2) without completion"),
        ([], {"no_retry": True}, "internal", "error", "call 1 has no answer in the script"),
    ],
)
def test_an_error_is_a_response_with_its_code_and_the_session_is_stored(
    tmp_path: Path, *, script: list[Any], options: dict[str, Any], code: str, outcome: str, text: str
) -> None:
    """A run that fails or meets a limit has one ack, one response without success, and its end in the session."""

    async def go() -> None:
        async with serving(tmp_path, script, **options) as served:
            talk = await served.talk()
            done = await talk.ask("prompt", id=7, message="hi")
            assert (done["success"], done["error_code"], done["data"]["outcome"]) == (False, code, outcome)
            assert text in done["error"]
            assert [frame["type"] for frame in talk.frames].count("ack") == 1
            assert events(talk.frames)[-2:] == ["error", "agent_end"]
            state = await talk.ask("get_state")
            assert state["data"]["last_outcome"] == outcome
            path = state["data"]["session_file"]
        stored = served.store.open(path)
        assert stored.last_outcome == outcome
        assert_fit(stored.session)
        stored.close()

    asyncio.run(go())


def test_a_refusal_is_a_success_that_says_so(tmp_path: Path) -> None:
    """Outcome refused: success true, refused true."""

    async def go() -> None:
        async with serving(tmp_path, [turn.refusal()]) as served:
            done = await (await served.talk()).ask("prompt", message="hi")
            assert (done["success"], done["data"]["refused"], done["data"]["outcome"]) == (True, True, "refused")

    asyncio.run(go())


@pytest.mark.parametrize(
    ("script", "options", "reached"),
    [
        ([turn.stall(after=3)], {}, "stream"),
        ([SLEEP], {}, "tool_progress"),
        ([turn.fail(RunFault(code="http_status", message="busy", transient=True, retry_after=50.0))], {}, "turn_retry"),
        ([SLEEP], {"approve": "all"}, "approval_request"),
    ],
)
def test_an_abort_is_answered_when_the_run_has_unwound(
    tmp_path: Path, script: list[Any], options: dict[str, Any], reached: str
) -> None:
    """In a stream, a tool, a retry's wait, an approval: session fit, steer still there, the next prompt works."""

    async def go() -> None:
        async with serving(tmp_path, [*script, turn.text("again")], **options) as served:
            talk = await served.talk()
            talk.say("prompt", id="p", message="hi")
            await talk.until(lambda frame: reached in (frame["type"], frame.get("event", {}).get("kind")))
            await talk.ask("steer", message="later")
            aborted, twice = await asyncio.gather(talk.ask("abort", id=1), talk.ask("abort", id=2))
            assert aborted["data"] == twice["data"] == {"pending": 1}
            done = await talk.response("prompt", "p")
            assert (done["success"], done["error_code"], done["error"]) == (False, "cancelled", "run cancelled")
            assert talk.frames.index(aborted) > max(
                at for at, frame in enumerate(talk.frames) if frame.get("event", {}).get("kind") == "agent_end"
            )
            live = await served.hub.first()
            assert_fit(live.stored.session)
            assert (await talk.ask("get_state"))["data"]["pending_messages"] == 1
            assert (await talk.ask("prompt", message="on"))["success"]
            assert "later" in said(served.transport.requests[-1])
            assert (await talk.ask("abort"))["data"] == {"pending": 0}

    asyncio.run(go())


def test_an_abort_directly_behind_a_prompt_is_not_lost(tmp_path: Path) -> None:
    """Both in one piece of input: the run is cancelled all the same."""

    async def go() -> None:
        async with serving(tmp_path, [turn.stall()]) as served:
            talk = await served.talk()
            talk.raw(b'{"type":"prompt","id":1,"message":"hi"}\n{"type":"abort","id":2}\n')
            assert (await talk.response("prompt", 1))["error_code"] == "cancelled"
            assert (await talk.response("abort", 2))["success"]

    asyncio.run(go())


def test_a_stop_directly_behind_a_prompt_is_not_lost(tmp_path: Path) -> None:
    """Both in one piece of input: the run ends as done, and makes no call behind the first turn."""

    async def go() -> None:
        async with serving(tmp_path, [turn.tool_call("bash", command="true"), turn.text("no")]) as served:
            talk = await served.talk()
            talk.raw(b'{"type":"prompt","id":1,"message":"hi"}\n{"type":"stop_after_turn","id":2}\n')
            assert (await talk.response("stop_after_turn", 2))["success"]
            assert (await talk.response("prompt", 1))["data"]["outcome"] == "done"
            assert len(served.transport.requests) <= 1

    asyncio.run(go())


def test_stop_after_turn_ends_the_run_before_its_next_model_call(tmp_path: Path) -> None:
    """A stop that was asked for while a tool ran ends the run as done."""

    async def go() -> None:
        async with serving(tmp_path, [turn.tool_call("bash", command="sleep 0.3"), turn.text("no")]) as served:
            talk = await served.talk()
            talk.say("prompt", message="hi")
            await talk.event("tool_start")
            assert "data" not in await talk.ask("stop_after_turn")
            assert (await talk.response("prompt"))["data"]["outcome"] == "done"
            assert len(served.transport.requests) == 1
            await talk.ask("stop_after_turn")
            assert (await talk.ask("prompt", message="on"))["data"]["steps"] == 2

    asyncio.run(go())


def test_abort_retry_ends_the_wait_with_the_real_error(tmp_path: Path) -> None:
    """Idle it says that there was nothing; in a wait the prompt fails with the fault that was to be retried."""
    fault = RunFault(
        code="http_status", message="gateway returned 503: busy", transient=True, status=503, retry_after=50
    )

    async def go() -> None:
        async with serving(tmp_path, [fault] * 9) as served:
            talk = await served.talk()
            assert (await talk.ask("abort_retry"))["data"] == {"aborted": False}
            talk.say("prompt", id="p", message="hi")
            await talk.event("turn_retry")
            assert (await talk.ask("get_state"))["data"]["is_retrying"]
            assert (await talk.ask("abort_retry"))["data"] == {"aborted": True}
            done = await talk.response("prompt", "p")
            assert (done["error_code"], done["error"]) == ("http_status", "gateway returned 503: busy")
            assert not (await talk.ask("get_state"))["data"]["is_retrying"]

    asyncio.run(go())


def test_abort_retry_without_a_wait_spares_the_next_one(tmp_path: Path) -> None:
    """Asked for while a tool runs it does nothing: a fault after that is retried as ever."""
    fault = RunFault(code="http_status", message="busy", transient=True, status=503)

    async def go() -> None:
        script = [turn.tool_call("bash", command="sleep 0.2"), fault, turn.text("made it")]
        async with serving(tmp_path, script, retry_base_delay_ms=1) as served:
            talk = await served.talk()
            talk.say("prompt", id="p", message="hi")
            await talk.event("tool_start")
            assert (await talk.ask("abort_retry"))["data"] == {"aborted": False}
            assert (await talk.response("prompt", "p"))["success"]

    asyncio.run(go())


def test_rounds_are_told_as_frames_of_their_own(tmp_path: Path) -> None:
    """A turn that begins afresh has auto_retry_start with the prompt's id, and its end."""
    fault = RunFault(code="http_status", message="busy", transient=True, status=503)

    async def go() -> None:
        async with serving(tmp_path, [fault] * 5, retry_base_delay_ms=1, retry_max_retries=1) as served:
            talk = await served.talk()
            talk.say("prompt", id="p", message="hi")
            start = await talk.until(lambda frame: frame["type"] == "auto_retry_start")
            assert (start["id"], start["command"], start["attempt"], start["error"]) == ("p", "prompt", 1, "busy")
            assert (await talk.ask("get_state"))["data"]["is_retrying"]
            await talk.ask("abort")
            end = await talk.until(lambda frame: frame["type"] == "auto_retry_end")
            assert (end["success"], end["attempt"], end["final_error"]) == (False, 1, "run cancelled")

    asyncio.run(go())


def test_a_stream_that_stalls_ends_as_stream_stalled(tmp_path: Path) -> None:
    """No event for the idle time, and no retry left: the prompt fails with that code."""

    async def go() -> None:
        async with serving(tmp_path, [turn.stall(after=2)], event_idle_timeout_ms=50, no_retry=True) as served:
            done = await (await served.talk()).ask("prompt", message="hi")
            assert done["error_code"] == "stream_stalled"

    asyncio.run(go())


def test_a_prompt_during_a_run_joins_it_where_that_was_asked_for(tmp_path: Path) -> None:
    """Without streaming_behavior it is busy; with it, queued, and delivered."""

    async def go() -> None:
        script = [turn.tool_call("bash", command="sleep 0.4"), turn.text("one"), turn.text("two")]
        async with serving(tmp_path, script) as served:
            talk = await served.talk()
            talk.say("prompt", id="p", message="hi")
            await talk.event("tool_start")
            refused = await talk.ask("prompt", id=1, message="more")
            assert refused["error_code"] == "busy"
            assert "streaming_behavior" in refused["error"]
            for number, how in ((2, "steer"), (3, "follow_up")):
                queued = await talk.ask("prompt", id=number, message=f"by {how}", streaming_behavior=how)
                assert queued["data"] == {"queued": True}
            acks = [frame.get("id") for frame in talk.frames if frame["type"] == "ack"]
            assert acks == ["p", 2, 3]
            state = (await talk.ask("get_state"))["data"]
            assert (state["steer_queue"], state["follow_up_queue"]) == (["by steer"], ["by follow_up"])
            assert (await talk.response("prompt", "p"))["success"]
            assert "by steer" in said(served.transport.requests[1])
            assert "by follow_up" not in said(served.transport.requests[1])
            assert "by follow_up" in said(served.transport.requests[2])

    asyncio.run(go())


def test_steer_and_follow_up_wait_when_idle_and_are_bounded(tmp_path: Path) -> None:
    """What is said when nothing runs comes with the next prompt, or at its first rest; the 65th is queue_full."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("one"), turn.text("two")]) as served:
            talk = await served.talk()
            assert (await talk.ask("steer", message="s"))["data"] == {"queued": True, "pending": 1}
            assert (await talk.ask("follow_up", message="f"))["data"] == {"queued": True, "pending": 1}
            assert (await talk.ask("prompt", message="p"))["success"]
            first, second = served.transport.requests
            assert '"s"' in said(first)
            assert '"f"' not in said(first)
            assert '"f"' in said(second)
            for _ in range(64):
                assert (await talk.ask("steer", message="s"))["success"]
            full = await talk.ask("steer", message="s")
            assert (full["error_code"], full["error"]) == ("queue_full", "steering queue full")

    asyncio.run(go())


def test_nothing_but_what_may_comes_between_a_run(tmp_path: Path) -> None:
    """The commands that are not for during a run are busy, and the text names what is accepted."""

    async def go() -> None:
        async with serving(tmp_path, [turn.stall(after=1)]) as served:
            talk = await served.talk()
            talk.say("prompt", message="hi")
            await talk.event("turn_start")
            asked: list[tuple[str, dict[str, Any]]] = [
                ("compact", {}),
                ("new_session", {}),
                ("switch_session", {"session_id": "x"}),
                ("fork", {}),
                ("clone", {}),
                ("switch_branch", {"target_id": "x"}),
            ]
            for name, fields in asked:
                refused = await talk.ask(name, **fields)
                assert refused["error_code"] == "busy", name
                assert "abort" in refused["error"]

    asyncio.run(go())


def test_a_key_in_an_error_does_not_show(tmp_path: Path) -> None:
    """What a response says of a fault is redacted."""

    class Leaks:
        async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
            del request
            raise TransportFailed(RunFault(code="unauthorized", message=f"the key {KEY} was refused"))
            yield  # pyright: ignore[reportUnreachable] - makes it a generator

    async def go() -> None:
        async with serving(tmp_path, parts=Parts(transport=Leaks())) as served:
            talk = await served.talk()
            done = await talk.ask("prompt", message="hi")
            assert (done["error_code"], done["error"]) == ("unauthorized", "the key *** was refused")
            assert KEY not in str(talk.frames)

    asyncio.run(go())
