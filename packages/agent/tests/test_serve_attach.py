"""`attach`: clients that come, go and come back see what an unbroken one sees; one that does not read harms nobody."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest
from agent_serve_client import Frame, Talk, numbered
from agent_serve_hub import holds, serving

from beyond_agent.serve.frames import Ack
from beyond_agent.serve.numbered import Numbered, SharedRoom
from beyond_agent_core.testing import turn

if TYPE_CHECKING:
    from pathlib import Path

SLEEP = turn.tool_call("bash", command="echo begun; sleep 0.5; echo ended")


def test_a_socket_gets_numbered_frames_once_it_has_attached(tmp_path: Path) -> None:
    """Before, only what is its own: ready, ack, response; behind it, all that follows."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a"), turn.text("b")]) as served:
            talk = await served.talk(shared=True)
            await talk.ask("prompt", id=1, message="hi")
            assert [frame["type"] for frame in talk.frames] == ["ready", "ack", "response"]
            attached = (await talk.ask("attach", since=0))["data"]
            ready = talk.frames[0]
            assert attached == {
                "session_id": ready["session_id"],
                "epoch": ready["epoch"],
                "replayed": len(numbered(talk.frames)),
                "last_seq": len(numbered(talk.frames)),
                "gap": False,
            }
            assert talk.frames[-1]["type"] == "response"
            await talk.ask("prompt", id=2, message="on")
            seqs = [frame["seq"] for frame in numbered(talk.frames)]
            assert seqs == list(range(1, len(seqs) + 1))
            assert seqs[-1] > attached["last_seq"]

    asyncio.run(go())


@pytest.mark.parametrize("asked", [{}, {"since": 3, "epoch": "other"}, {"since": 99_999}, {"since": 0, "epoch": "x"}])
def test_what_cannot_be_replayed_is_caught_up(tmp_path: Path, asked: dict[str, Any]) -> None:
    """Without since, of another epoch, or beyond the end: catchup, the frames of the run in flight, gap."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a"), SLEEP, turn.text("b")]) as served:
            first, late = await served.talk(shared=True), await served.talk(shared=True)
            await first.ask("attach")
            await first.ask("prompt", id=1, message="hi")
            first.say("prompt", id=2, message="work")
            begun = await first.event("tool_progress")
            attached = (await late.ask("attach", **asked))["data"]
            assert attached["gap"]
            caught = late.frames[1]
            assert (caught["type"], caught["turn_in_flight"], caught["turn_truncated"]) == ("catchup", True, False)
            said = [message["content"][0].get("text") for message in caught["data"]["messages"]]
            assert said[:3] == ["hi", "a", "work"]
            assert caught["data"]["leaf_id"] == caught["data"]["messages"][-1]["id"]
            replayed = late.frames[2:-1]
            assert replayed[0]["event"] == {"kind": "agent_start"}
            assert [frame["seq"] for frame in replayed] == list(range(replayed[0]["seq"], attached["last_seq"] + 1))
            assert begun in replayed
            await first.response("prompt", 2)
            await late.event("agent_end")
            assert numbered(late.frames) == numbered(first.frames)[-len(numbered(late.frames)) :]

    asyncio.run(go())


def test_frames_that_are_held_no_longer_are_a_gap(tmp_path: Path) -> None:
    """Few bytes are held: an old since gives a gap, and a run whose beginning is gone is said to be truncated."""

    async def go() -> None:
        script = [
            turn.text("x" * 4000),
            turn.calls(("bash", {"command": "sleep 0.4"}), said="y" * 4000),
            turn.text("z"),
        ]
        async with serving(tmp_path, script, replay_bytes=10_000) as served:
            talk = await served.talk(shared=True)
            await talk.ask("prompt", id=1, message="hi")
            behind = (await talk.ask("attach", since=1))["data"]
            assert behind["gap"]
            assert talk.frames[-2]["type"] == "catchup"
            talk.say("prompt", id=2, message="on")
            await talk.event("tool_start")
            late = await served.talk(shared=True)
            await late.ask("attach")
            assert late.frames[1]["turn_truncated"]
            assert numbered(late.frames)[0]["seq"] > behind["last_seq"] + 1
            await talk.response("prompt", 2)

    asyncio.run(go())


def test_detaching_and_attaching_anywhere_gives_the_stream_of_an_unbroken_client(tmp_path: Path) -> None:
    """At random points, by the number seen last: none lost, doubled or between, and no gap."""
    chance = random.Random(1)  # noqa: S311 - the same every time

    async def go() -> None:
        script = [SLEEP, turn.text("w" * 300), SLEEP, turn.text("v" * 300)] * 2
        async with serving(tmp_path, script) as served:
            steady = await served.talk(shared=True)
            await steady.ask("attach")
            epoch = steady.frames[0]["epoch"]
            seen: list[Frame] = []

            async def comes_and_goes() -> None:
                while True:
                    talk = await served.talk(shared=True)
                    since = seen[-1]["seq"] if seen else 0
                    answer = (await talk.ask("attach", since=since, epoch=epoch))["data"]
                    assert not answer["gap"]
                    for _ in range(chance.randrange(40)):
                        await asyncio.sleep(0)
                    await asyncio.sleep(chance.choice((0, 0, 0.05)))
                    await talk.vanish()
                    seen.extend(numbered(talk.frames))

            wandering = asyncio.ensure_future(comes_and_goes())
            for number in range(4):
                assert (await steady.ask("prompt", id=number, message="go"))["success"]
            await asyncio.sleep(0.1)
            wandering.cancel()
            await asyncio.wait([wandering])
            last = await served.talk(shared=True)
            await last.ask("attach", since=seen[-1]["seq"], epoch=epoch)
            seen.extend(numbered(last.frames))
            assert wandering.cancelled()
            assert seen == numbered(steady.frames)
            assert len(seen) > 100

    asyncio.run(go())


def test_a_run_goes_on_when_its_client_is_gone(tmp_path: Path) -> None:
    """The bridge is cut in the middle of a tool: the run ends done, and the next attach shows it."""

    async def go() -> None:
        async with serving(tmp_path, [SLEEP, turn.text("made it")]) as served:
            talk = await served.talk(shared=True)
            await talk.ask("attach")
            talk.say("prompt", message="work")
            await talk.event("tool_progress")
            seen = numbered(talk.frames)[-1]["seq"]
            await talk.vanish()
            back = await served.talk(shared=True)
            answer = (await back.ask("attach", since=seen, epoch=talk.frames[0]["epoch"]))["data"]
            assert not answer["gap"]
            end = await back.event("agent_end")
            assert end["event"]["outcome"] == "done"
            assert (await back.ask("get_state"))["data"]["last_outcome"] == "done"
            assert (await back.ask("get_last_assistant_text"))["data"]["text"] == "made it"

    asyncio.run(go())


def test_a_connection_moves_from_a_run_which_stays(tmp_path: Path) -> None:
    """On a socket new_session is taken in a run too, whose queues stay; its response comes all the same."""

    async def go() -> None:
        async with serving(tmp_path, [SLEEP, turn.text("steered"), turn.text("other")]) as served:
            talk = await served.talk(shared=True)
            first = talk.frames[0]["session_id"]
            await talk.ask("attach")
            talk.say("prompt", id="long", message="work")
            await talk.event("tool_progress")
            await talk.ask("steer", message="wait for it")
            made = (await talk.ask("new_session"))["data"]
            assert made["dropped"] == {"steers": 0, "follow_ups": 0, "approvals": 0}
            assert (await talk.ask("get_state"))["data"]["session_id"] == made["session_id"]
            at = len(talk.frames)
            assert (await talk.response("prompt", "long"))["success"]
            assert numbered(talk.frames[at:]) == []
            back = (await talk.ask("attach", session_id=first, since=0))["data"]
            assert (back["session_id"], back["gap"]) == (first, False)
            state = (await talk.ask("get_state"))["data"]
            assert (state["pending_messages"], state["message_count"]) == (0, 4)

    asyncio.run(go())


def test_attaching_twice_gives_each_frame_once(tmp_path: Path) -> None:
    """A client that attaches again to where it is gets nothing doubled afterwards."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a")]) as served:
            talk = await served.talk(shared=True)
            await talk.ask("attach")
            await talk.ask("attach", since=0)
            await talk.ask("prompt", message="hi")
            seqs = [frame["seq"] for frame in numbered(talk.frames)]
            assert seqs == list(range(1, len(seqs) + 1))

    asyncio.run(go())


def test_a_socket_that_does_not_read_is_closed_and_may_come_back(tmp_path: Path) -> None:
    """Above its backlog: closing, slow_consumer, as its last frame; others get all, and it attaches again."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("x" * 40_000), turn.text("y")]) as served:
            slow, quick = await served.talk(shared=True, backlog=100_000), await served.talk(shared=True)
            await slow.ask("attach")
            await quick.ask("attach")
            slow.stop_reading()
            assert (await quick.ask("prompt", id=1, message="hi"))["success"]
            assert len(numbered(quick.frames)) == quick.frames[-2]["seq"] > 10_000
            slow.read_again()
            closing = await slow.until(lambda frame: frame["type"] == "closing")
            assert closing["error_code"] == "slow_consumer"
            assert slow.frames[-1] is closing
            had = numbered(slow.frames)
            assert [frame["seq"] for frame in had] == list(range(1, len(had) + 1))
            back = await served.talk(shared=True)
            since = had[-1]["seq"] if had else 0
            again = (await back.ask("attach", since=since, epoch=slow.frames[0]["epoch"]))["data"]
            assert not again["gap"]
            assert had + numbered(back.frames) == numbered(quick.frames)

    asyncio.run(go())


def test_superseded_progress_is_dropped_first(tmp_path: Path) -> None:
    """A client that lags gets the last snapshot of a call and not all before it; what else there is it gets whole."""
    command = "for i in $(seq 12); do head -c 60000 /dev/zero | tr '\\0' x; echo; sleep 0.11; done"

    async def go() -> None:
        async with serving(tmp_path, [turn.tool_call("bash", command=command), turn.text("done")]) as served:
            slow, quick = await served.talk(shared=True), await served.talk(shared=True)
            for talk in (slow, quick):
                await talk.ask("attach")
            slow.stop_reading()
            # One is on its way, and the other waits: more than what counts as a lag.
            for letter in "ab":
                slow.connection.send(Ack(id=letter * 600_000, command="prompt"))
            assert (await quick.ask("prompt", message="go"))["success"]
            slow.read_again()
            await slow.event("agent_end")

            def progress(talk: Talk) -> list[Frame]:
                return [
                    frame for frame in numbered(talk.frames) if frame.get("event", {}).get("kind") == "tool_progress"
                ]

            assert len(progress(slow)) == 1
            assert len(progress(quick)) > 3
            assert progress(slow)[-1] == progress(quick)[-1]
            rest = [frame for frame in numbered(quick.frames) if frame not in progress(quick)]
            assert [frame for frame in numbered(slow.frames) if frame not in progress(slow)] == rest

    asyncio.run(go())


def test_stdio_pauses_the_run_and_goes_on_when_it_is_read(tmp_path: Path) -> None:
    """The model's stream stands still while the client does not read; nothing is lost."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("x" * 60_000)] * 2) as served:
            talk = Talk(served.hub, await served.hub.first(), backlog=50_000)
            served.talks.append(talk)
            served.room = talk.connection.outbox.room
            talk.stop_reading()
            talk.say("prompt", message="hi")
            await holds(lambda: talk.connection.outbox.full)
            seen = -1
            live = await served.hub.first()
            while live.frames.last_seq != seen:
                seen = live.frames.last_seq
                await asyncio.sleep(0.1)
            assert 100 < seen < 3_000
            assert talk.connection.outbox.bytes < 2 * 50_000
            talk.read_again()
            assert (await talk.response("prompt"))["success"]
            seqs = [frame["seq"] for frame in numbered(talk.frames)]
            assert seqs == list(range(1, len(seqs) + 1))
            assert len(seqs) > 10_000
            talk.stop_reading()
            talk.say("prompt", id=2, message="again")
            await holds(lambda: talk.connection.outbox.full)
            talk.say("get_state", id=4)
            talk.say("abort", id=3)
            # It is taken all the same, for commands are read on for longer than frames may wait.
            await holds(lambda: live.control.cancelled)
            talk.read_again()
            assert (await talk.response("prompt", 2))["error_code"] == "cancelled"

    asyncio.run(go())


def test_whoever_asks_and_does_not_read_is_asked_to_wait(tmp_path: Path) -> None:
    """Commands are not taken for ever while their answers wait; behind the reading all are answered."""

    async def go() -> None:
        async with serving(tmp_path) as served:
            talk = await served.talk(shared=True, backlog=10_000)
            outbox = talk.connection.outbox
            talk.stop_reading()
            talk.connection.send(Ack(command="prompt"))
            await holds(lambda: not outbox.bytes)
            for number in range(200):
                talk.say("get_state", id=number)
            await holds(lambda: outbox.bytes > 20_000)
            await asyncio.sleep(0.05)
            assert outbox.bytes < 22_000
            talk.read_again()
            assert (await talk.response("get_state", 199))["success"]

    asyncio.run(go())


def test_a_session_that_others_are_bound_to_keeps_what_waits(tmp_path: Path) -> None:
    """One of two clients moves on: nothing is dropped, and a steer is still there for the other."""

    async def go() -> None:
        async with serving(tmp_path) as served:
            leaves, stays = await served.talk(shared=True), await served.talk(shared=True)
            await stays.ask("steer", message="later")
            dropped = (await leaves.ask("new_session"))["data"]["dropped"]
            assert dropped == {"steers": 0, "follow_ups": 0, "approvals": 0}
            assert (await stays.ask("get_state"))["data"]["steer_queue"] == ["later"]

    asyncio.run(go())


def test_attaching_elsewhere_and_back_keeps_what_waits(tmp_path: Path) -> None:
    """What was queued in a session is still there for a client that has looked at another one meanwhile."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("said")]) as served:
            talk = await served.talk(shared=True)
            first = talk.frames[0]["session_id"]
            await talk.ask("prompt", message="hi")
            other = (await talk.ask("new_session"))["data"]["session_id"]
            await talk.ask("attach", session_id=first)
            await talk.ask("steer", message="now")
            await talk.ask("follow_up", message="later")
            await talk.ask("attach", session_id=other)
            await talk.ask("attach", session_id=first)
            state = (await talk.ask("get_state"))["data"]
            assert (state["steer_queue"], state["follow_up_queue"]) == (["now"], ["later"])

    asyncio.run(go())


def test_all_sessions_share_the_room_for_what_is_held(tmp_path: Path) -> None:
    """The one that was silent longest gives way; a session that is left holds nothing."""
    del tmp_path
    room = SharedRoom(1000)
    quiet, busy = Numbered(replay_bytes=1000, reserve=room.reserve), Numbered(replay_bytes=1000, reserve=room.reserve)
    for session in (quiet, busy):
        for _ in range(4):
            session.send(lambda _: b"x" * 100)
    assert room.bytes == 800
    for _ in range(4):
        busy.send(lambda _: b"x" * 100)
    assert (quiet.bytes, busy.bytes, room.bytes) == (200, 800, 1000)
    assert quiet.after(0) is None
    assert [held.seq for held in quiet.after(2) or ()] == [3, 4]
    busy.clear()
    assert (busy.bytes, room.bytes, busy.last_seq) == (0, 200, 8)
