"""Histories that are kept between requests give what a fresh preparation gives, for less."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from beyond_agent_core.client_histories import Histories
from beyond_wire.caps import caps_for
from beyond_wire.history import prepare
from beyond_wire.types import Message, ModelRequest, TextBlock, ToolResultBlock, ToolUseBlock, assistant, user

MODELS = ("claude-opus-4-8", "gpt-5", "some/other")


def round_of(number: int) -> list[Message]:
    """A call with an id that no provider takes as it is, and its result."""
    call = ToolUseBlock(id=f"call {number}!", name="read", input={"path": "a"})
    result = ToolResultBlock(tool_use_id=call.id, content="x")
    return [assistant([TextBlock(text="look"), call]), Message(role="user", content=(result,))]


def asked(model: str, messages: list[Message]) -> ModelRequest:
    return ModelRequest(model=model, messages=tuple(messages), max_tokens=1)


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_what_is_kept_is_what_a_fresh_preparation_gives(seed: int, most: int) -> None:
    """Whichever conversation comes next, grown, compacted, forked, or asked of another model."""
    source, histories = random.Random(seed), Histories(most)  # noqa: S311 - repeatable, no secret
    sessions = [[user(f"go {at}")] for at in range(3)]
    for number in range(30):
        session = source.choice(sessions)
        match source.choice(("grow", "grow", "grow", "compact", "fork")):
            case "compact":
                session[:] = [user("summary"), *session[-2:]] if len(session) > 2 else session
            case "fork":
                sessions[source.randrange(3)] = session.copy()
            case _:
                session += round_of(number)
        request = asked(source.choice(MODELS), session)
        caps = caps_for(request.model)
        assert histories.prepare(request, caps) == prepare(request, caps)
        assert repr(histories) <= f"<Histories conversations={most}>"


def test_a_next_turn_pays_for_its_new_messages_only() -> None:
    """What was prepared before is the very same object; the conversation served longest ago is forgotten."""
    histories, caps = Histories(2), caps_for(MODELS[0])
    first, second, third = ([user("go"), *round_of(0), *round_of(1)] for _ in range(3))

    def prepared(session: list[Message]) -> Message:
        return histories.prepare(asked(MODELS[0], session), caps).messages[1]

    before = prepared(first)
    prepared(second)
    first += round_of(2)
    assert prepared(first) is before
    prepared(third)
    assert prepared(first) is before
    prepared(second)
    prepared(third)
    assert prepared(first) is not before
    histories.clear()
    assert repr(histories) == "<Histories conversations=0>"


def test_a_request_without_messages_is_prepared_too() -> None:
    """It is nobody's history."""
    request = asked(MODELS[1], [])
    assert Histories().prepare(request, caps_for(MODELS[1])) == prepare(request, caps_for(MODELS[1]))
