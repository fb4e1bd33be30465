"""How sessions come, stay and go: loaded once, kept by their leases, unloaded when idle, stored at the end."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from agent_serve_client import without_stream
from agent_serve_hub import Parts, holds, serving

from beyond_agent.sessions.memory import MemoryStore
from beyond_agent.sessions.store import SessionStore
from beyond_agent_core.testing import turn

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_agent.sessions.stored import StoredSession
    from beyond_wire.types import ModelRequest, Turn

SLEEP = turn.tool_call("bash", command="echo begun; sleep 30")
SHORT = turn.tool_call("bash", command="sleep 0.3")
OFTEN = Parts(hub={"renew_s": 0.02})


def test_a_session_is_loaded_once_for_all_who_ask_at_once(tmp_path: Path) -> None:
    """Two connections that attach to a stored session at the same moment share it."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a"), turn.text("b")]) as served:
            stored = served.store.create(str(served.work), "claude-test")
            stored.session.user("old")
            await stored.checkpoint("prompt")
            stored.close()
            one, two = await served.talk(shared=True), await served.talk(shared=True)
            answers = await asyncio.gather(
                one.ask("attach", session_id=stored.id), two.ask("attach", session_id=stored.id[:-2])
            )
            assert answers[0]["data"]["epoch"] == answers[1]["data"]["epoch"]
            assert one.connection.live is two.connection.live

    asyncio.run(go())


@pytest.mark.parametrize("command", ["switch_session", "clone"])
def test_a_session_that_is_opened_for_a_client_that_leaves_is_not_lost(tmp_path: Path, command: str) -> None:
    """It is there for whoever asks next, though that client left before the disk answered, and goes when idle."""

    async def go() -> None:
        store = SlowStore(tmp_path / "sessions")
        async with serving(tmp_path, [turn.text("a")], parts=Parts(store=store), session_idle_timeout=0.05) as served:
            leaving, staying = await served.talk(shared=True), await served.talk(shared=True)
            await leaving.ask("prompt", message="hi")
            stored = store.create(str(served.work), "claude-test")
            stored.session.user("old")
            await stored.checkpoint("prompt")
            stored.close()
            store.begun.clear()
            store.go.clear()
            leaving.say(command, **({"session_id": stored.id} if command == "switch_session" else {}))
            await asyncio.to_thread(store.begun.wait, 10)
            await leaving.vanish()
            store.go.set()
            await holds(lambda: store.opened is not None and served.hub.is_live(store.opened))
            await holds(lambda: not served.hub.is_live(str(store.opened)))
            assert (await staying.ask("attach", session_id=store.opened))["success"]

    asyncio.run(go())


class SlowStore(SessionStore):
    """A store whose disk waits for `go`."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.begun, self.go = threading.Event(), threading.Event()
        self.go.set()
        self.opened: str | None = None

    def _wait(self) -> None:
        self.begun.set()
        assert self.go.wait(10)

    def open(self, reference: str, *, takeover: bool = False) -> StoredSession:
        self._wait()
        stored = super().open(reference, takeover=takeover)
        self.opened = stored.id
        return stored

    def fork(self, source: StoredSession | str, **how: Any) -> StoredSession:
        self._wait()
        stored = super().fork(source, **how)
        self.opened = stored.id
        return stored


def test_an_idle_session_is_unloaded_and_its_lease_released(tmp_path: Path) -> None:
    """Not while somebody is bound, and not while it works; then another process may write it, and it can come back."""

    async def go() -> None:
        script = [turn.text("a"), turn.tool_call("bash", command="sleep 0.3"), turn.text("c")]
        async with serving(tmp_path, script, session_idle_timeout=0.05) as served:
            talk = await served.talk(shared=True)
            await talk.ask("prompt", id=1, message="hi")
            first = talk.frames[0]["session_id"]
            epoch = talk.frames[0]["epoch"]
            await asyncio.sleep(0.15)
            assert served.hub.is_live(first)
            talk.say("prompt", id=2, message="work")
            await talk.until(lambda frame: frame.get("id") == 2)
            await talk.vanish()
            await asyncio.sleep(0.15)
            assert served.hub.is_live(first)
            await holds(lambda: not served.hub.is_live(first))
            other = served.store.open(first)
            assert other.last_outcome == "done"
            other.close()
            again = await served.talk(shared=True)
            assert again.frames[0]["session_id"] == first
            assert again.frames[0]["epoch"] != epoch
            assert (await again.ask("get_last_assistant_text"))["data"]["text"] == "c"

    asyncio.run(go())


def test_output_that_no_prompt_has_taken_along_outlives_unloading(tmp_path: Path) -> None:
    """What a person's command put out is in the session when it is unloaded, and the next prompt tells the model."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a")], session_idle_timeout=0.02) as served:
            talk = await served.talk(shared=True)
            first = talk.frames[0]["session_id"]
            await talk.ask("bash", command="echo seen")
            await talk.vanish()
            await holds(lambda: not served.hub.is_live(first))
            again = await served.talk(shared=True)
            assert (await again.ask("get_state"))["data"]["last_outcome"] == "done"
            await again.ask("prompt", message="what was that?")
            assert "$ echo seen" in str(served.transport.requests[0].messages)

    asyncio.run(go())


def test_a_first_session_without_a_word_keeps_its_id(tmp_path: Path) -> None:
    """Unloaded, it leaves no file; the next connection is greeted with the same id all the same."""

    async def go() -> None:
        async with serving(tmp_path, session_idle_timeout=0.02) as served:
            talk = await served.talk(shared=True)
            await talk.vanish()
            await asyncio.sleep(0.1)
            assert not served.hub.is_live(talk.frames[0]["session_id"])
            assert not list((tmp_path / "sessions").glob("*.jsonl"))
            again = await served.talk(shared=True)
            assert again.frames[0]["session_id"] == talk.frames[0]["session_id"]

    asyncio.run(go())


def test_a_session_that_is_nowhere_else_stays(tmp_path: Path) -> None:
    """Without a store, idle is not lost."""

    async def go() -> None:
        parts = Parts(store=MemoryStore())
        async with serving(tmp_path, [turn.text("a")], parts=parts, session_idle_timeout=0.02) as served:
            talk = await served.talk(shared=True)
            await talk.ask("prompt", message="hi")
            await talk.vanish()
            await asyncio.sleep(0.1)
            again = await served.talk(shared=True)
            assert (await again.ask("get_last_assistant_text"))["data"]["text"] == "a"

    asyncio.run(go())


def test_a_takeover_by_another_process_is_told_and_ends_the_run(tmp_path: Path) -> None:
    """session_superseded once, the run is cancelled, nothing more is written; taking it back makes it ours again."""

    async def go() -> None:
        async with serving(tmp_path, [SLEEP, turn.text("ours")], parts=OFTEN) as served:
            talk = await served.talk()
            talk.say("prompt", id=1, message="hi")
            await talk.event("tool_progress")
            session_id = talk.frames[0]["session_id"]
            other = served.store.open(session_id, takeover=True)
            told = await talk.until(lambda frame: frame["type"] == "session_superseded")
            assert told["session_id"] == session_id
            assert (await talk.response("prompt", 1))["error_code"] == "session_superseded"
            assert without_stream(talk.frames)[-1] == "agent_end"
            for name, fields in (
                ("prompt", {"message": "on"}),
                ("set_model", {"model": "m"}),
                ("set_session_name", {"title": "t"}),
                ("compact", {}),
            ):
                assert (await talk.ask(name, id=2, **fields))["error_code"] == "session_superseded", name
            assert (await talk.ask("get_state"))["success"]
            other.session.user("theirs")
            await other.checkpoint("prompt")
            assert [frame["type"] for frame in talk.frames].count("session_superseded") == 1
            locked = await talk.ask("attach", takeover=True)
            assert locked["success"]
            assert not other.renew()
            assert (await talk.ask("prompt", id=3, message="ours again"))["success"]
            messages = (await talk.ask("get_messages"))["data"]["messages"]
            assert "theirs" in str(messages)
            other.close()

    asyncio.run(go())


def test_leases_are_renewed(tmp_path: Path) -> None:
    """The heartbeat of a live session rises."""

    async def go() -> None:
        async with serving(tmp_path, parts=OFTEN) as served:
            assert await served.talk()
            (lease,) = (tmp_path / "sessions").glob("*.lease")
            before = lease.read_text()
            await holds(lambda: lease.read_text() != before)

    asyncio.run(go())


def test_a_drain_begins_nothing_more_waits_and_then_cancels(tmp_path: Path) -> None:
    """A run that ends in its grace ends as it would; another is cancelled and stored; a prompt is refused meanwhile."""

    async def go() -> None:
        def answer(request: ModelRequest) -> Turn:
            said = str(request.messages)
            return SLEEP if "ever" in said else SHORT if "ToolResultBlock" not in said else turn.text("made it")

        async with serving(tmp_path, [turn.from_request(answer)] * 3) as served:
            stored = served.store.create(str(served.work), "claude-test")
            stored.session.user("old")
            await stored.checkpoint("prompt")
            stored.close()
            short, long = await served.talk(shared=True), await served.talk(shared=True)
            await long.ask("new_session")
            for talk, message in ((short, "quick"), (long, "for ever")):
                await talk.ask("attach")
                talk.say("prompt", id=1, message=message)
                await talk.event("tool_start")
            draining = asyncio.ensure_future(served.hub.drain(1.0))
            await asyncio.sleep(0)
            assert (await short.ask("prompt", id=2, message="more"))["error_code"] == "busy"
            assert (await short.ask("new_session"))["error_code"] == "busy"
            assert (await short.ask("attach", session_id=stored.id))["error_code"] == "busy"
            assert (await short.response("prompt", 1))["data"]["outcome"] == "done"
            assert not draining.done()
            await draining
            assert (await long.response("prompt", 1))["error_code"] == "cancelled"
            assert (await long.ask("get_state"))["data"]["last_outcome"] == "cancelled"

    asyncio.run(go())


def test_a_full_disk_is_an_error_of_the_prompt_and_not_the_end(tmp_path: Path) -> None:
    """A session that cannot be written: the run ends as an error that says so, and the server answers."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a"), turn.text("b")]) as served:
            talk = await served.talk()
            live = await served.hub.first()
            log = live.stored.book.log
            whole = log.append

            def full(line: bytes) -> int:
                del line
                raise OSError(28, "No space left on device")

            log.append = full
            done = await talk.ask("prompt", id=1, message="hi")
            assert (done["success"], done["error_code"]) == (False, "io")
            assert without_stream(talk.frames)[-1] == "agent_end"
            log.append = whole
            assert (await talk.ask("prompt", id=2, message="again"))["success"]
            assert (await talk.ask("get_state"))["data"]["message_count"] == 3

    asyncio.run(go())
