"""The calls of one turn: announced, gated, grouped, run, ended; by itself, without a loop and a model."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from beyond_agent_core.dispatch import AT_ONCE, Dispatcher
from beyond_agent_core.dispatch_call import ToolBounds
from beyond_agent_core.dispatch_locks import WriteLocks
from beyond_agent_core.effects import RunTools
from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.events import AgentEvent, ToolEnd, ToolProgress, ToolStart, encode_event
from beyond_agent_core.hooks import Hooks
from beyond_agent_core.run import BROKEN_OFF
from beyond_agent_core.session import Session
from beyond_agent_core.tools import ToolContext, ToolOutput, ToolRegistry, tool
from beyond_wire.types import ToolUseBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_agent_core.effects import ToolsDone
    from beyond_agent_core.tools import FunctionTool


def path_of(given: dict[str, Any]) -> str:
    return str(given["path"])


class Turn:
    """One turn's calls; `events` is what was told, `interrupt` cuts it short."""

    def __init__(self, tools: Sequence[FunctionTool], **options: Any) -> None:
        self.events: list[AgentEvent] = []
        self.dispatcher = Dispatcher(ToolRegistry(tools), self.events.append, Session(), **options)
        self.interrupt: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def run(
        self, *calls: tuple[str, dict[str, Any]], bad: dict[str, str] | None = None, ids: str = ""
    ) -> ToolsDone:
        blocks = tuple(
            ToolUseBlock(id=ids[at] if ids else f"c{at}", name=name, input=given)
            for at, (name, given) in enumerate(calls)
        )
        return await asyncio.wait_for(
            self.dispatcher.run(RunTools(calls=blocks, bad_args=bad or {}), self.interrupt), 20
        )

    def told(self) -> list[tuple[str, str]]:
        return [(type(event).__name__, event.id) for event in self.events if isinstance(event, ToolStart | ToolEnd)]


def play(tools: Sequence[FunctionTool], *calls: tuple[str, dict[str, Any]], **options: Any) -> tuple[Turn, ToolsDone]:
    bad = options.pop("bad", None)
    ids = options.pop("ids", "")

    async def scenario() -> tuple[Turn, ToolsDone]:
        turn = Turn(tools, **options)
        return turn, await turn.run(*calls, bad=bad, ids=ids)

    return asyncio.run(scenario())


def texts(done: ToolsDone) -> list[str]:
    return [result.text for result in done.results]


@tool
def read(path: str, lines: list[int] | None = None) -> str:
    """Read a file."""
    return f"{path} {lines}"


# -- order


def test_threads_that_wait_for_each_other_meet_and_the_ninth_waits() -> None:
    """Eight at a time, also where the machine has two processors; all eight are needed for any to go on."""
    meet, running, most = threading.Barrier(AT_ONCE, timeout=10), 0, 0
    guard = threading.Lock()

    @tool
    def work(n: int) -> str:
        """Meet the others."""
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        if n < AT_ONCE:
            meet.wait()
        with guard:
            running -= 1
        return str(n)

    _, done = play([work], *[("work", {"n": n}) for n in range(AT_ONCE + 1)])
    assert texts(done) == [str(n) for n in range(AT_ONCE + 1)]
    assert most == AT_ONCE


def test_ends_come_as_calls_finish_and_results_in_call_order() -> None:
    """All are announced first; repeated ids and names keep their own results."""
    second = asyncio.Event()

    @tool
    async def work(n: int) -> str:
        """Finish in reverse."""
        if n == 1:
            await second.wait()
        second.set()
        return f"result {n}"

    turn, done = play([work], ("work", {"n": 1}), ("work", {"n": 2}), ids="xx")
    assert texts(done) == ["result 1", "result 2"]
    assert turn.told() == [("ToolStart", "x")] * 2 + [("ToolEnd", "x")] * 2
    assert [event.result for event in turn.events if isinstance(event, ToolEnd)] == ["result 2", "result 1"]


@pytest.mark.parametrize(("sequential", "exclusive"), [(True, False), (False, True)])
def test_a_serial_turn_gates_runs_and_ends_one_call_before_the_next(sequential: bool, exclusive: bool) -> None:  # noqa: FBT001 - both ways to a serial turn
    """One exclusive call is enough; a parallel turn gates all before any runs."""
    log: list[str] = []

    def gate(_name: str, given: dict[str, Any], _session: Session) -> None:
        log.append(f"gate {given['n']}")

    async def body(n: int) -> str:
        """Work."""
        log.append(f"run {n}")
        await asyncio.sleep(0)
        return ""

    work, alone = tool(body), tool(exclusive=exclusive)(body)
    work.name, alone.name = "work", "alone"
    play(
        [work, alone],
        ("work", {"n": 1}),
        ("alone", {"n": 2}),
        sequential=sequential,
        hooks=Hooks(before_tool_call=gate),
    )
    assert log == ["gate 1", "run 1", "gate 2", "run 2"]
    log.clear()
    play([work, work], ("work", {"n": 1}), ("work", {"n": 2}), hooks=Hooks(before_tool_call=gate))
    assert log == ["gate 1", "gate 2", "run 1", "run 2"]


def test_writes_of_one_path_keep_their_order_and_others_do_not_wait() -> None:
    """The second write of a path begins behind the first; a write of another path in between."""
    log: list[str] = []

    async def body(path: str, text: str) -> str:
        """Write."""
        log.append(f"begin {path} {text}")
        await asyncio.sleep(0.01)
        log.append(f"end {path} {text}")
        return "written"

    write = tool(write_target=path_of)(body)
    writes = [("body", {"path": "a", "text": str(number)}) for number in range(AT_ONCE)]
    play([write], *writes, ("body", {"path": "b", "text": "other"}))
    assert [line for line in log if " a " in line] == [
        f"{what} a {number}" for number in range(AT_ONCE) for what in ("begin", "end")
    ]
    assert log.index("begin b other") < log.index("end a 0")


# -- what a model gets wrong, and what a tool does


def test_each_call_that_cannot_be_made_is_told_so() -> None:
    """Unreadable, unknown, no longer offered, invalid, empty; a stringified array is what it says."""
    turn, done = play(
        [read],
        ("read", {}),
        ("nope", {}),
        ("gone", {"path": "a"}),
        ("read", {"path": 1, "lines": ["x"]}),
        ("read", {}),
        ("read", {"path": "a", "lines": '["1", 2.0]', "limit": 3}),
        bad={"c0": "{" + "x" * 3000},
        offered="gone".__ne__,
    )
    assert texts(done) == [
        "tool call arguments were not valid JSON and could not be parsed: {" + "x" * 1999,
        "unknown tool: nope",
        "unknown tool: gone",
        'invalid tool input: path: expected string, got 1; lines[0]: expected integer, got "x"',
        "invalid tool input: the arguments are empty; required: path (string)",
        "a [1, 2]\n[ignored unknown argument: limit]",
    ]
    assert [result.is_error for result in done.results] == [True] * 5 + [False]
    assert turn.told()[:6] == [("ToolStart", f"c{at}") for at in range(6)]
    assert len(turn.told()) == 12


def test_a_repeated_id_does_not_spread_unreadable_arguments() -> None:
    """The call beside it, whose arguments were read, runs."""
    _, done = play([read], ("read", {"path": "a"}), ("read", {}), ids="xx", bad={"x": "{"})
    assert [result.is_error for result in done.results] == [False, True]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (InvalidInput("outside"), "invalid tool input: outside"),
        (ExecutionFailed("exit 1"), "tool execution failed: exit 1"),
        (FileNotFoundError(2, "No such file", "a"), "[Errno 2] No such file: 'a'"),
        (TimeoutError(), "TimeoutError"),
        (KeyError("x"), "tool execution failed: KeyError: 'x'"),
        (StopIteration("x"), "tool execution failed: StopIteration: x"),
        (asyncio.CancelledError(), "tool execution failed: CancelledError"),
        (SystemExit(1), "tool execution failed: SystemExit: 1"),
    ],
)
def test_whatever_a_tool_raises_is_its_result(fault: BaseException, text: str) -> None:
    """In a thread or in the loop; the other calls of the turn do not notice."""

    def raises() -> str:
        """Fail."""
        raise fault

    async def araises() -> str:
        """Fail."""
        raise fault

    # A coroutine cannot raise StopIteration.
    both = [raises] if isinstance(fault, StopIteration) else [raises, araises]
    for made in map(tool, both):
        _, done = play([made, read], (made.name, {}), ("read", {"path": "a"}))
        assert done.results[0].is_error
        assert done.results[0].text.removesuffix(": ") == text
        assert texts(done)[1] == "a None"


def test_a_tool_that_returns_something_else_is_told_so() -> None:
    """Types promise, and tools break."""

    @tool
    def odd() -> int:
        """Return a number."""
        return 3

    @tool
    def odder() -> ToolOutput:
        """Return an output without text."""
        return ToolOutput(text=3)  # pyright: ignore[reportArgumentType] - what is told

    @tool
    def oddest() -> ToolOutput:
        """Return an output whose images are none."""
        return ToolOutput(text="x", images=None)  # pyright: ignore[reportArgumentType] - what is told

    _, done = play([odd, odder, oddest], ("odd", {}), ("odder", {}), ("oddest", {}))
    assert texts(done) == [
        "tool execution failed: TypeError: odd returned int, not text or ToolOutput",
        "tool execution failed: TypeError: odder returned ToolOutput of other types, not text or ToolOutput",
        "tool execution failed: TypeError: oddest returned ToolOutput of other types, not text or ToolOutput",
    ]


def test_a_target_that_is_no_text_is_taken_as_text() -> None:
    """Two calls that name a list write one path, and run."""

    @tool(write_target=lambda given: [given["path"]])  # pyright: ignore[reportArgumentType] - what is tested
    def write(path: str) -> str:
        """Write a file."""
        return path

    _, done = play([write], ("write", {"path": "a"}), ("write", {"path": "a"}))
    assert texts(done) == ["a", "a"]


@pytest.mark.parametrize("odd", [{"text": None}, {"text": "a", "images": None}, {"text": "a", "images": ("x",)}])
def test_an_after_hook_that_returns_other_types_changes_nothing(odd: dict[str, Any]) -> None:
    """The result is the tool's."""

    def after(_name: str, _given: dict[str, Any], _output: ToolOutput) -> ToolOutput:
        return ToolOutput(**odd)

    _, done = play([read], ("read", {"path": "a"}), hooks=Hooks(after_tool_call=after))
    assert texts(done) == ["a None"]


def test_what_was_announced_has_its_end_where_dispatch_itself_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is raised behind the ends."""

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    async def scenario() -> list[tuple[str, str]]:
        turn = Turn([read])
        monkeypatch.setattr(ToolRegistry, "check", broken)
        with pytest.raises(RuntimeError, match="broken"):
            await turn.run(("read", {"path": "a"}), ("read", {"path": "b"}))
        return turn.told()

    assert asyncio.run(scenario()) == [("ToolStart", "c0"), ("ToolStart", "c1"), ("ToolEnd", "c0"), ("ToolEnd", "c1")]


def test_a_tool_cannot_change_the_call_in_the_transcript() -> None:
    """What it gets is its own."""

    @tool
    def rude(paths: list[str], more: dict[str, Any]) -> str:
        """Change what it gets."""
        paths.clear()
        more["x"].append(2)
        return "done"

    given = {"paths": ["a"], "more": {"x": [1]}}
    play([rude], ("rude", given))
    assert given == {"paths": ["a"], "more": {"x": [1]}}


def test_results_have_bounds_and_what_was_ignored_is_still_named() -> None:
    """Head and tail of each result; of a turn the largest are cut and small ones are not."""

    @tool
    def long(n: int) -> str:
        """Say much, with half a character that no JSON can have."""
        return "a\udc80" + "b" * n

    bounds = ToolBounds(result_bytes=1000, turn_bytes=1500)
    turn, done = play([long], ("long", {"n": 5000, "x": 1}), ("long", {"n": 5000}), ("long", {"n": 100}), bounds=bounds)
    ends = {event.id: event.result for event in turn.events if isinstance(event, ToolEnd)}
    assert all(len(text.encode()) <= 1000 for text in ends.values())
    assert ends["c0"].startswith("a\ufffdb")
    assert ends["c0"].endswith("bbb\n[ignored unknown argument: x]")
    assert sum(len(text.encode()) for text in texts(done)) <= 1500
    assert texts(done)[2] == "a\ufffd" + "b" * 100
    _, done = play([long], ("long", {"n": 995, "x": 1}), bounds=bounds)
    assert len(texts(done)[0].encode()) <= 1000


# -- progress


def test_progress_is_bounded_and_its_last_is_told() -> None:
    """The first at once, one an interval, the last before the end, none behind it; a thread may be faster than we."""
    contexts: list[ToolContext] = []

    @tool
    def loud(context: ToolContext) -> str:
        """Print for a third of a second."""
        contexts.append(context)
        end = time.monotonic() + 0.35
        count = 0
        while time.monotonic() < end:
            count += 1
            context.progress(f"{'é' * 2000} {count}", {"count": count})
        context.progress("last \udc80" + "é" * 2000 + "!")
        return "ok"

    bounds = ToolBounds(progress_s=0.1, progress_bytes=1001)

    async def scenario() -> list[AgentEvent]:
        turn = Turn([loud], bounds=bounds)
        await turn.run(("loud", {}))
        contexts[0].progress("too late")
        await asyncio.sleep(0)
        return turn.events

    events = asyncio.run(scenario())
    told = [event for event in events if isinstance(event, ToolProgress)]
    assert 3 <= len(told) <= 5
    assert isinstance(events[-1], ToolEnd)
    assert all(len(event.snapshot.encode()) <= 1001 for event in told)
    assert told[-1].snapshot == "é" * 500 + "!"
    assert told[-1].details == {"omitted_bytes": 5 + 3 + 3000}
    assert told[0].details is not None
    assert set(told[0].details) == {"count", "omitted_bytes"}


@pytest.mark.parametrize(
    ("details", "told"),
    [({"name": "\udcff"}, {"name": "\ufffd"}), ({"a": object()}, None), (["a"], None), ({"a": 1}, {"a": 1})],
)
def test_details_never_keep_an_event_from_being_encoded(details: Any, told: dict[str, Any] | None) -> None:
    """A file's name may hold bytes that are no UTF-8, and a tool may give what JSON cannot hold."""

    @tool
    def find(context: ToolContext) -> ToolOutput:
        """Find a file."""
        context.progress("so far", details)
        return ToolOutput(text="found", details=details)

    turn, _ = play([find], ("find", {}))
    assert all(encode_event(event) for event in turn.events)
    assert [event.details for event in turn.events if isinstance(event, ToolProgress | ToolEnd)] == [told, told]


def test_a_snapshot_is_text() -> None:
    """Anything else is the tool's fault, and is told as such."""

    @tool
    def odd(context: ToolContext) -> str:
        """Tell bytes."""
        context.progress(b"x")  # pyright: ignore[reportArgumentType] - what is told
        return "ok"

    assert texts(play([odd], ("odd", {}))[1]) == ["tool execution failed: TypeError: a snapshot is text, not bytes"]


# -- cancels and times


def test_a_cancel_keeps_what_comes_to_an_end_and_breaks_off_the_rest() -> None:
    """A thread sees that it is over, and what it returns in its time is its result; calls behind it do not begin."""
    began: list[str] = []

    async def body(path: str, how: str, context: ToolContext) -> str:
        """Work until cancelled."""
        assert path
        began.append(how)
        if how == "quick":
            return "done"
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if how == "stubborn":
                return f"stopped {context.cancelled}"
            raise
        return "never"

    hooked: list[str] = []

    def after(_name: str, given: dict[str, Any], _output: ToolOutput) -> None:
        hooked.append(given["how"])

    @tool
    def thread(context: ToolContext) -> str:
        """Look whether it is over."""
        began.append("thread")
        while not context.cancelled:
            time.sleep(0.001)
        return "stopped in its thread"

    async def scenario() -> tuple[Turn, ToolsDone]:
        turn = Turn([tool(write_target=path_of)(body), thread], hooks=Hooks(after_tool_call=after))
        calls = [
            ("body", {"path": path, "how": how})
            for path, how in (("a", "quick"), ("b", "stubborn"), ("b", "next"), ("c", "wait"))
        ]
        work = asyncio.ensure_future(turn.run(*calls, ("thread", {})))
        while len(began) < 4:  # noqa: ASYNC110 - a thread is one of them
            await asyncio.sleep(0.001)
        turn.interrupt.set_result("cancelled")
        return turn, await work

    turn, done = asyncio.run(scenario())
    assert texts(done) == ["done", "stopped True", BROKEN_OFF, BROKEN_OFF, "stopped in its thread"]
    assert done.interrupted == "cancelled"
    assert "next" not in began
    assert hooked == ["quick"]
    assert len(turn.told()) == 10


def test_what_does_not_end_is_left_behind_and_its_late_result_unheard(caplog: pytest.LogCaptureFixture) -> None:
    """The turn goes on after its time, with a line in the log; the path stays locked until the write has ended."""
    free, ended = threading.Event(), threading.Event()
    locks = WriteLocks()

    def body(path: str, context: ToolContext) -> str:
        """Write, and hear nothing."""
        free.wait(10)
        context.progress("late")
        ended.set()
        return path

    async def scenario() -> tuple[Turn, ToolsDone, tuple[str, ...]]:
        turn = Turn([tool(write_target=path_of)(body)], locks=locks, bounds=ToolBounds(grace_s=0.02))
        work = asyncio.ensure_future(turn.run(("body", {"path": "a"})))
        while not locks.paths:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)
        turn.interrupt.set_result("limit")
        done = await work
        held = locks.paths
        free.set()
        while locks.paths:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.001)
        return turn, done, held

    turn, done, held = asyncio.run(scenario())
    assert (texts(done), done.interrupted, held) == ([BROKEN_OFF], "limit", ("a",))
    assert ended.is_set()
    assert [type(event) for event in turn.events] == [ToolStart, ToolEnd]
    assert [record.getMessage() for record in caplog.records] == ["left behind after 0.02 s: body"]


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_call_has_its_time(stubborn: bool) -> None:  # noqa: FBT001 - whether it ends when told
    """One that takes longer is cancelled and told so; the run goes on, whether it ends or not."""

    @tool
    async def slow() -> str:
        """Take long."""
        try:
            await asyncio.sleep(3600)
        finally:
            if stubborn:
                await asyncio.sleep(3600)
        return "never"

    bounds = ToolBounds(timeout_s=0.02, grace_s=0.02)
    turn, done = play([slow, read], ("slow", {}), ("read", {"path": "a"}), bounds=bounds)
    assert texts(done) == ["tool execution failed: timed out after 0.02 s", "a None"]
    assert done.interrupted is None
    assert len(turn.told()) == 4


def test_an_interrupt_that_was_there_before_lets_nothing_run() -> None:
    """All is announced and ended, as the grammar wants."""

    async def scenario() -> tuple[Turn, ToolsDone]:
        turn = Turn([read])
        turn.interrupt.set_result("cancelled")
        return turn, await turn.run(("read", {"path": "a"}))

    turn, done = asyncio.run(scenario())
    assert texts(done) == [BROKEN_OFF]
    assert [name for name, _ in turn.told()] == ["ToolStart", "ToolEnd"]


def test_a_call_whose_path_is_held_by_a_write_that_never_ends_is_over_in_its_time() -> None:
    """The wait for the path is a part of the time of a call, and a path that it did not get stays the other's."""
    free, locks = threading.Event(), WriteLocks()

    def body(path: str) -> str:
        """Write, and hear nothing."""
        free.wait(10)
        return path

    async def scenario() -> ToolsDone:
        bounds = ToolBounds(timeout_s=0.05, grace_s=0.02)
        turn = Turn([tool(write_target=path_of)(body)], locks=locks, bounds=bounds)
        done = await turn.run(("body", {"path": "a"}), ("body", {"path": "a"}))
        assert locks.paths == ("a",)
        free.set()
        while locks.paths:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)
        return done

    timed_out = "tool execution failed: timed out after 0.05 s"
    assert texts(asyncio.run(scenario())) == [timed_out, f"{timed_out}: another write of its path has not ended"]


# -- locks


def test_two_that_edit_one_path_lose_no_edit() -> None:
    """In two event loops in two threads, with one registry of locks: read, wait, write is one step."""
    locks, numbers = WriteLocks(), {"a": 0}

    def body(path: str) -> str:
        """Add one, slowly."""
        before = numbers[path]
        time.sleep(0.001)
        numbers[path] = before + 1
        return "ok"

    def many() -> None:
        for _ in range(20):
            play([tool(write_target=path_of)(body)], ("body", {"path": "a"}), ("body", {"path": "a"}), locks=locks)

    threads = [threading.Thread(target=many) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert numbers == {"a": 80}
    assert locks.paths == ()


def test_a_lock_goes_on_to_the_next_also_past_one_that_was_cancelled() -> None:
    """In order; a waiter that is cancelled, before or with its turn, keeps nobody waiting."""

    async def scenario() -> None:
        locks = WriteLocks()
        give_up = await locks.hold("a")
        waiting = [asyncio.ensure_future(locks.hold("a")) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        give_up()
        await asyncio.sleep(0)
        waiting[1].cancel()
        (await asyncio.wait_for(waiting[2], 5))()
        assert [each.cancelled() for each in waiting] == [True, True, False]
        assert locks.paths == ()

    asyncio.run(scenario())
