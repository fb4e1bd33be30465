"""Preparing a whole request: provider rules on random histories, idempotence, and the kept prefix."""

from __future__ import annotations

from itertools import chain
from time import process_time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from beyond_wire import types as t
from beyond_wire.errors import EncodeError
from beyond_wire.history import Preparer, prepare
from beyond_wire.testing.histories import broken_rules, random_history
from beyond_wire.tool_ids import MAX_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable

SEES = t.Caps(vision=True)
ALL_CAPS = [t.Caps(vision=vision, dialect=dialect) for vision in (True, False) for dialect in sorted(MAX_CHARACTERS)]


def _request(messages: Iterable[t.Message], **options: Any) -> t.ModelRequest:
    return t.ModelRequest(model="model-a", messages=tuple(messages), max_tokens=100, **options)


def _blocks(request: t.ModelRequest) -> list[t.ContentBlock]:
    return list(chain.from_iterable(message.content for message in request.messages))


def test_random_histories_become_fit() -> None:
    """10,000 random histories keep every provider's rules, are idempotent, and leave their input as it was."""
    for seed in range(10_000):
        caps = ALL_CAPS[seed % len(ALL_CAPS)]
        messages = random_history(seed)
        request = _request(messages, system="s" if seed % 2 else None, block_images=seed % 5 == 0)
        prepared = prepare(request, caps)
        # The same seed gives a second, deep copy.
        assert messages == random_history(seed), seed
        assert broken_rules(prepared.messages) == [], seed
        assert prepare(prepared, caps) == prepared, seed
        msgspec.json.encode(prepared)
        for message in prepared.messages:
            assert message == t.Message(role=message.role, content=message.content), seed
        if not caps.vision or request.block_images:
            blocks = _blocks(prepared)
            assert not any(isinstance(block, t.ImageBlock) for block in blocks), seed
            assert not any(isinstance(block, t.ToolResultBlock) and block.images for block in blocks), seed


def test_nothing_a_model_can_read_is_lost() -> None:
    """Text of every message that is sent arrives, in order, and so does the content of every answered call."""
    for seed in range(500):
        messages = [message for message in random_history(seed) if not (message.aborted or message.error_message)]
        texts = [
            block.text
            for message in messages
            if message.role != "system"
            for block in message.content
            if isinstance(block, t.TextBlock) and block.text in ("hello", "other")
        ]
        prepared = prepare(_request(messages), SEES)
        foreign = {"hello", "other"}
        sent = [
            block.text
            for message in prepared.messages
            for block in message.content
            if isinstance(block, t.TextBlock) and block.text in foreign
        ]
        remaining = iter(sent)
        assert all(text in remaining for text in texts), seed


def test_fit_history_is_unchanged() -> None:
    """A request that needs nothing is equal to its prepared form, and its messages are the same objects."""
    messages = (
        t.user("a"),
        t.assistant([t.ThinkingBlock(thinking="t", signature="s"), t.ToolUseBlock(id="c", name="n", input={})]),
        t.tool_results([t.ToolResultBlock(tool_use_id="c", content="r")]),
    )
    request = _request(messages, system="s", tools=(t.ToolDef(name="n", description="d", input_schema={}),))
    prepared = prepare(request, SEES)
    assert prepared == request
    assert all(new is old for new, old in zip(prepared.messages, messages, strict=True))


def test_empty_history_stays_empty() -> None:
    """A history without messages gets none, also when all it has is failed or for the system."""
    failed = t.Message(role="user", content=(), error_message="x")
    system = t.Message(role="system", content=(t.TextBlock(text="a"),))
    assert prepare(_request([]), SEES).messages == ()
    assert prepare(_request([failed, system]), SEES) == _request([], system="a")


@pytest.mark.parametrize(
    ("system", "joined"), [(None, "a\n\nb"), ("", "a\n\nb"), ("s", "s\n\na\n\nb"), ("s\ud800", "s\ufffd\n\na\n\nb")]
)
def test_system_messages_join_the_system_text(system: str | None, joined: str) -> None:
    """System messages move, in order, to the end of the system text, separated by blank lines."""
    messages = [t.Message(role="system", content=(t.TextBlock(text=text),)) for text in ("a", "b")]
    assert prepare(_request([messages[0], t.user("x"), messages[1]], system=system), SEES) == _request(
        [t.user("x")], system=joined
    )


def test_two_turns_with_one_id() -> None:
    """Two turns that both call call_0 get two ids, and each result follows its call."""
    messages = [
        t.user("a"),
        *(
            message
            for content in ("1", "2")
            for message in (
                t.assistant([t.ToolUseBlock(id="call_0", name="n", input={})]),
                t.tool_results([t.ToolResultBlock(tool_use_id="call_0", content=content)]),
            )
        ),
    ]
    blocks = _blocks(prepare(_request(messages), SEES))
    assert [block.id for block in blocks if isinstance(block, t.ToolUseBlock)] == ["call_0", "call_0_2"]
    results = [block for block in blocks if isinstance(block, t.ToolResultBlock)]
    assert [(found.tool_use_id, found.content) for found in results] == [("call_0", "1"), ("call_0_2", "2")]


def test_results_of_an_aborted_turn_are_dropped() -> None:
    """When a turn is dropped, its results go with it, and what stood beside them is merged."""
    aborted = t.Message(role="assistant", content=(t.ToolUseBlock(id="c", name="n", input={}),), aborted=True)
    results = t.Message(
        role="user", content=(t.ToolResultBlock(tool_use_id="c", content="r"), t.TextBlock(text="and now this"))
    )
    assert prepare(_request([t.user("a"), aborted, results]), SEES).messages == (
        t.Message(role="user", content=(t.TextBlock(text="a"), t.TextBlock(text="and now this"))),
    )


def test_surrogates_are_replaced_everywhere() -> None:
    """No string of the request keeps a lone surrogate, and ids that become equal by it still differ."""
    bad = "\ud800"
    calls = t.assistant([t.ToolUseBlock(id=call_id, name="n", input={bad: bad}) for call_id in ("\ud800", "\ud801")])
    request = replace(
        _request([t.user(bad), calls], system=bad, cache_key=bad, user_id=bad),
        model=f"m{bad}",
        tools=(t.ToolDef(name="n", description=bad, input_schema={"d": bad}),),
    )
    prepared = prepare(request, SEES)
    assert broken_rules(prepared.messages) == []
    assert b"\\ud8" not in msgspec.json.encode(prepared)
    assert (prepared.model, prepared.system, prepared.cache_key, prepared.user_id) == ("m\ufffd", *["\ufffd"] * 3)


def test_too_deep_values_are_named() -> None:
    """A value nested beyond what can be encoded is an error that names its place."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    call = t.ToolUseBlock(id="c", name="n", input={"a": deep})
    with pytest.raises(EncodeError) as caught:
        prepare(_request([t.user("a"), t.assistant([call])]), SEES)
    assert caught.value.field == "messages[1].content[0].input"
    tool = t.ToolDef(name="n", description="d", input_schema={"a": deep})
    with pytest.raises(EncodeError) as caught:
        prepare(_request([t.user("a")], tools=(tool,)), SEES)
    assert caught.value.field == "tools[0].input_schema"


def test_preparer_gives_what_prepare_gives() -> None:
    """While a history grows message by message, a preparer gives the same requests as preparing afresh."""
    for seed in range(600):
        caps = ALL_CAPS[seed % len(ALL_CAPS)]
        messages = random_history(seed, longest=14)
        preparer = Preparer()
        for count in range(len(messages) + 1):
            request = _request(messages[:count], block_images=seed % 7 == 0)
            assert preparer.prepare(request, caps) == prepare(request, caps), (seed, count)


def test_preparer_keeps_the_prefix() -> None:
    """The prepared messages of a known prefix are the same objects in the next request."""
    turn = [t.assistant([t.TextBlock(text="b", id="m")]), t.user("c")]
    notice = t.Message(role="system", content=(t.TextBlock(text="s"),))
    messages = [t.user("a"), t.user("b"), *turn, *turn]
    preparer = Preparer()
    first = preparer.prepare(_request(messages), SEES)
    second = preparer.prepare(_request([*messages, notice, *turn]), SEES)
    assert all(new is old for new, old in zip(second.messages, first.messages, strict=False))
    assert repr(preparer) == "<Preparer messages=7 prepared=5>"


def test_preparer_starts_afresh_on_another_history() -> None:
    """Another beginning, another model, other abilities or other images give what preparing afresh gives."""
    image = t.user_with_images("a", [t.ImageSource(media_type="image/png", data="AA==")])
    thinking = t.ThinkingBlock(thinking="t", signature="s")
    turn = [t.Message(role="assistant", content=(thinking,), model_id="model-a"), t.user("x")]
    request = _request([image, *turn, *turn])
    preparer = Preparer()
    for other, caps in (
        (request, SEES),
        (replace(request, model="model-b"), SEES),
        (replace(request, block_images=True), SEES),
        (request, t.Caps()),
        (_request([t.user("other"), *turn, *turn]), t.Caps()),
        (_request([image]), t.Caps()),
        (request, t.Caps()),
    ):
        assert preparer.prepare(other, caps) == prepare(other, caps)


def test_preparer_survives_an_error() -> None:
    """After a request that cannot be prepared, the next one is prepared as ever."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    bad = t.assistant([t.ToolUseBlock(id="c", name="n", input={"a": deep})])
    turn = [t.assistant([t.ToolUseBlock(id="c", name="n", input={})]), t.user("x")]
    preparer = Preparer()
    preparer.prepare(_request([t.user("a"), *turn, *turn]), SEES)
    with pytest.raises(EncodeError):
        preparer.prepare(_request([t.user("a"), *turn, *turn, bad, t.user("y"), *turn]), SEES)
    request = _request([t.user("a"), *turn, *turn, *turn])
    assert preparer.prepare(request, SEES) == prepare(request, SEES)


def test_an_unchanged_prefix_costs_little() -> None:
    """Preparing the next turn of a long history takes less than a fifth of preparing all of it."""
    turn = [
        t.assistant([t.ToolUseBlock(id="c", name="n", input={"path": "a.py"})]),
        t.tool_results([t.ToolResultBlock(tool_use_id="c", content="x" * 200)]),
    ]
    preparer = Preparer()
    messages = (t.user("a"), *turn * 2500)
    preparer.prepare(_request(messages), SEES)

    def ratio() -> float:
        longer = _request((*messages, *turn))
        started = process_time()
        preparer.prepare(longer, SEES)
        again = process_time()
        prepare(longer, SEES)
        return (again - started) / (process_time() - again)

    assert min(ratio() for _ in range(5)) < 0.2


def test_name_that_no_provider_takes_is_sent_as_one_that_they_take() -> None:
    """A call of what nobody offered does not make its history unfit, unless a tool of that name is offered now."""
    call = t.ToolUseBlock(id="a", name="my.tool", input={})
    request = _request(
        [t.user("a"), t.assistant([call]), t.user("b"), t.assistant([t.TextBlock(text="c")]), t.user("d")]
    )
    offers = replace(request, tools=(t.ToolDef(name="my.tool", description="", input_schema={}),))
    preparer = Preparer()
    for asked, name in ((request, "my_tool"), (offers, "my.tool"), (request, "my_tool")):
        prepared = preparer.prepare(asked, SEES)
        assert prepared == prepare(asked, SEES)
        assert [one.name for one in t.tool_uses(prepared.messages[1])] == [name]
