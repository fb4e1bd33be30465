"""The scripted model: what a script says is what a stream gives, in small pieces, and a cancel is taken at each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from beyond_agent_core.errors import RunFault
from beyond_agent_core.testing import ScriptedTransport, ScriptExhausted, turn
from beyond_agent_core.testing.scripted import events_of
from beyond_agent_core.transport import TransportFailed
from beyond_wire.accumulate import Accumulator
from beyond_wire.types import (
    ImageBlock,
    ImageSource,
    InputJsonDelta,
    ModelRequest,
    RedactedThinkingBlock,
    TextDelta,
    ThinkingBlock,
    ToolUseBlock,
    Turn,
    assistant,
    user,
)

if TYPE_CHECKING:
    from beyond_wire.types import StreamEvent

REQUEST = ModelRequest(model="m", messages=(user("go"),), max_tokens=10)

WHOLE = [
    turn.text("hello, this is an answer"),
    turn.tool_call("read", path="a", name="b"),
    turn.calls(("read", {"path": "a"}), ("bash", {"command": "ls -l"}), said="both"),
    turn.refusal(),
    turn.max_tokens("so far", ("write", {"path": "a", "text": "x" * 30})),
]


def folded(events: list[StreamEvent]) -> Turn:
    accumulator = Accumulator()
    for event in events:
        accumulator.add(event)
    return accumulator.turn()


def stream(model: ScriptedTransport) -> list[StreamEvent]:
    async def scenario() -> list[StreamEvent]:
        return [event async for event in model.stream(REQUEST)]

    return asyncio.run(scenario())


@pytest.mark.parametrize("whole", WHOLE)
@pytest.mark.parametrize("seed", range(3))
def test_a_turn_comes_in_pieces_and_as_itself(whole: Turn, seed: int) -> None:
    """Folded again it is what the script has; the cuts are elsewhere with another seed."""
    events = stream(ScriptedTransport([whole], seed=seed))
    assert folded(events) == whole
    pieces = [
        event.text if isinstance(event, TextDelta) else event.partial_json
        for event in events
        if isinstance(event, TextDelta | InputJsonDelta)
    ]
    assert max(map(len, pieces)) <= 7
    assert events != events_of(whole, seed=seed + 1)
    assert events == events_of(whole, seed=seed + 7)


def test_builders_say_what_they_are() -> None:
    """Stop reasons, and calls with ids of their own."""
    assert [each.stop_reason for each in WHOLE] == ["end_turn", "tool_use", "tool_use", "refusal", "max_tokens"]
    assert [block.id for block in WHOLE[2].message.content if isinstance(block, ToolUseBlock)] == ["call_0", "call_1"]


def test_thinking_is_streamed_and_what_no_model_says_is_refused() -> None:
    """Signed, unsigned and redacted."""
    content = (ThinkingBlock(thinking="let me see", signature="s"), RedactedThinkingBlock(data="d"))
    whole = replace(turn.text(""), message=assistant(content))
    assert folded(events_of(whole)) == whole
    image = ImageBlock(source=ImageSource(media_type="image/png", data=""))
    with pytest.raises(TypeError, match="a model does not answer with ImageBlock"):
        events_of(replace(whole, message=assistant([image])))


def test_a_fault_comes_before_or_within_an_answer() -> None:
    """After as many events as asked for; before the first it is a fault by itself."""
    fault = RunFault(code="unauthorized", message="no key")

    async def seen(model: ScriptedTransport) -> tuple[int, RunFault | None]:
        count = 0
        try:
            async for _ in model.stream(REQUEST):
                count += 1
        except TransportFailed as failed:
            return count, failed.fault
        return count, None

    model = ScriptedTransport([fault, turn.fail(fault), turn.fail(fault, after=3)])
    assert [asyncio.run(seen(model)) for _ in range(3)] == [(0, fault), (0, fault), (3, fault)]


def test_an_entry_may_be_made_of_the_request() -> None:
    """Which is recorded, as all are."""
    model = ScriptedTransport([turn.from_request(lambda request: turn.text(f"you asked {request.model}"))])
    assert folded(stream(model)) == turn.text("you asked m")
    assert model.requests == [REQUEST]


def test_a_script_that_is_over_says_which_call_it_was() -> None:
    """The number of the call."""
    model = ScriptedTransport([turn.text("one")])
    stream(model)
    with pytest.raises(ScriptExhausted, match="call 2 has no answer in the script"):
        stream(model)


@pytest.mark.parametrize("at", range(6))
def test_a_cancel_is_taken_at_every_event(at: int) -> None:
    """Also in a stall, which ends in no other way."""

    async def scenario() -> None:
        seen = 0

        async def read() -> None:
            nonlocal seen
            async for _ in ScriptedTransport([turn.stall(after=5)]).stream(REQUEST):
                seen += 1
                if seen == at:
                    task.cancel()

        task = asyncio.ensure_future(read())
        if at == 0:
            await asyncio.sleep(0.01)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
        assert seen == (at or 5)

    asyncio.run(scenario())
