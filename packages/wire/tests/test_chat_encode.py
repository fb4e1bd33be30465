"""Chat requests: every recorded session is exactly its body, and the vendor's own types accept it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from beyond_wire import chat
from beyond_wire.accumulate import turn_of
from beyond_wire.caps import caps_for
from beyond_wire.chat_shapes import REASONING_FIELDS
from beyond_wire.errors import EncodeError
from beyond_wire.history_steps import UNNAMED
from beyond_wire.testing.chat_golden import PLAIN, SEEING, WEATHER
from beyond_wire.testing.chat_requests import REQUESTS
from beyond_wire.testing.chat_turns import TURNS
from beyond_wire.testing.histories import random_history
from beyond_wire.types import ModelRequest, ToolUseBlock, assistant, user

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_wire.testing.recorded import RecordedRequest

ASK = ModelRequest(model=PLAIN, messages=(user("Hi"),), max_tokens=100)


def _name(case: RecordedRequest) -> str:
    return case.name


@pytest.fixture(scope="module")
def seen_by_vendor() -> Callable[[bytes], Any]:
    """What the SDK's parameter types keep of a body; they refuse unknown fields or, in unions, drop them."""
    from openai.types.chat.completion_create_params import (
        CompletionCreateParamsNonStreaming,
        CompletionCreateParamsStreaming,
    )
    from pydantic import ConfigDict, TypeAdapter

    # Inside a tuple, as a configuration is taken over by the parts of a type only.
    adapter: TypeAdapter[Any] = TypeAdapter(
        tuple[CompletionCreateParamsStreaming | CompletionCreateParamsNonStreaming], config=ConfigDict(extra="forbid")
    )
    return lambda body: _read_all(adapter.validate_python((msgspec.json.decode(body),)))[0]


def _read_all(value: Any) -> Any:
    """Return `value` with its lists read, as only reading validates them."""
    if isinstance(value, dict):
        return {key: _read_all(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, str | int | float) or value is None:
        return value
    return [_read_all(item) for item in value]


def _for_vendor(body: bytes) -> dict[str, Any]:
    """`body` as an object, less the fields that other vendors added."""
    sent: dict[str, Any] = msgspec.json.decode(body)
    for message in sent["messages"]:
        for field in REASONING_FIELDS:
            message.pop(field, None)
    if sent.get("reasoning_effort") == "max":
        del sent["reasoning_effort"]
    return sent


@pytest.mark.parametrize("case", REQUESTS, ids=_name)
def test_vendor_types_accept_the_body(case: RecordedRequest, seen_by_vendor: Callable[[bytes], Any]) -> None:
    """The SDK's own types accept every body and know every field of it, but for those that other vendors added."""
    sent = _for_vendor(chat.encode(case.request, case.caps))
    assert seen_by_vendor(msgspec.json.encode(sent)) == sent


def test_vendor_types_refuse_what_is_wrong(seen_by_vendor: Callable[[bytes], Any]) -> None:
    """The check against the SDK's types is one: it notices a field they do not have, at every depth."""
    for wrong in (
        b'{"model":"m","stream":true,"messages":[],"new":1}',
        b'{"model":"m","stream":true,"messages":[{"role":"user","content":[{"type":"text","txt":"a"}]}]}',
        b'{"model":"m","stream":true,"messages":[{"role":"tool","content":"a"}]}',
        b'{"model":"m","stream":true,"messages":[],"tool_choice":"any"}',
        b'{"model":"m","stream":true,"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"a"}]}]}',
    ):
        try:
            seen = seen_by_vendor(wrong)
        except ValueError:
            continue
        assert seen != msgspec.json.decode(wrong)


@pytest.mark.parametrize("model", [PLAIN, SEEING])
def test_random_histories(model: str, seen_by_vendor: Callable[[bytes], Any]) -> None:
    """Any stored history keeps the provider's rules: results right behind their calls, no empty message, short ids."""
    for seed in range(200):
        request = ModelRequest(model=model, messages=random_history(seed), tools=(WEATHER,), max_tokens=100)
        sent = _for_vendor(chat.encode(request, caps_for(model)))
        assert seen_by_vendor(msgspec.json.encode(sent)) == sent
        owed: list[str] = []
        seen: set[str] = set()
        for message in sent["messages"]:
            if message["role"] == "tool":
                assert message["tool_call_id"] == owed.pop(0)
                continue
            assert owed == []
            assert message["content"] or message.get("tool_calls")
            owed = [call["id"] for call in message.get("tool_calls", ())]
            assert not seen & set(owed)
            assert all(0 < len(id_) <= 40 for id_ in owed)
            seen |= set(owed)
        assert owed == []
        roles = [message["role"] for message in sent["messages"]]
        assert all(one != next_ or one == "tool" for one, next_ in pairwise(roles))


@pytest.mark.parametrize("turn", [turn for turn in TURNS if turn.fault is None], ids=lambda turn: turn.name)
def test_decoded_turn_is_replayed(turn: Any) -> None:
    """What was decoded is sent again as it came: text, reasoning under its field, calls with their ids."""
    message = turn_of(turn.events).message
    sent = msgspec.json.decode(chat.encode(replace(ASK, messages=(user("Hi"), message)), caps_for(PLAIN)))
    replayed = sent["messages"][1]
    blocks: list[Any] = list(message.content)
    thoughts = [block for block in blocks if block.__struct_config__.tag == "thinking"]
    for field in REASONING_FIELDS:
        expected = "\n\n".join([block.thinking for block in thoughts if block.signature == field])
        assert replayed.get(field, "") == expected
    texts = [block.text for block in blocks if block.__struct_config__.tag == "text"]
    assert (replayed["content"] or "") in {"\n\n".join(texts), "(no content)"}
    calls = [block for block in blocks if isinstance(block, ToolUseBlock)]
    names = [call.name or UNNAMED for call in calls]
    assert [call["function"]["name"] for call in replayed.get("tool_calls", ())] == names
    assert [msgspec.json.decode(call["function"]["arguments"]) for call in replayed.get("tool_calls", ())] == [
        call.input for call in calls
    ]


@pytest.mark.parametrize("raw", ['{"s":"a\u2028b","n":[1,2.5,null,true],"é":{"🙂":"\\u0001"}}', "{}"])
def test_arguments_survive_a_round_trip(raw: str) -> None:
    """Arguments are text inside JSON, escaped twice, and come back equal."""
    arguments = msgspec.json.decode(raw)
    use = ToolUseBlock(id="call_a", name="f", input=arguments)
    sent = msgspec.json.decode(chat.encode(replace(ASK, messages=(user("Hi"), assistant([use]))), caps_for(PLAIN)))
    assert msgspec.json.decode(sent["messages"][1]["tool_calls"][0]["function"]["arguments"]) == arguments


def test_input_nested_too_deeply() -> None:
    """An input without end is refused, in the history and under encode_prepared alike."""
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    request = replace(ASK, messages=(user("Hi"), assistant([ToolUseBlock(id="a", name="f", input=deep)])))
    with pytest.raises(EncodeError, match="messages"):
        chat.encode(request, caps_for(PLAIN))
    with pytest.raises(EncodeError) as caught:
        chat.encode_prepared(request, caps_for(PLAIN))
    assert caught.value.field == "messages[1].content[0].input"


def test_surface() -> None:
    """The module names its format and its path."""
    assert (chat.name, chat.path) == ("chat", "/v1/chat/completions")
