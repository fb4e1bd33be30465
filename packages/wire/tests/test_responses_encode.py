"""Requests as Responses bodies: the exact bytes, the same every time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from beyond_wire import responses
from beyond_wire.accumulate import turn_of
from beyond_wire.caps import caps_for
from beyond_wire.responses_items import MAX_ID_CHARACTERS
from beyond_wire.testing.responses_golden import ALWAYS, PLAIN
from beyond_wire.testing.responses_turns import TURNS
from beyond_wire.types import (
    Dialect,
    Message,
    ModelRequest,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    assistant,
    user,
)


def _request(*messages: Message, model: str = PLAIN, **options: Any) -> ModelRequest:
    options.setdefault("max_tokens", 4_000)
    return ModelRequest(model=model, messages=messages or (user("Hi"),), **options)


def _encode(request: ModelRequest) -> bytes:
    return responses.encode(request, caps_for(request.model))


def test_module_is_a_dialect() -> None:
    """The module has the members of a dialect."""
    dialect: Dialect = responses
    assert (dialect.name, dialect.path) == ("responses", "/v1/responses")
    assert dialect.decoder() is not dialect.decoder()


def test_ids_keep_both_halves_whatever_the_model_is_called() -> None:
    """A model whose id suggests another dialect gets both ids of a call."""
    call = assistant([ToolUseBlock(id="a.b|fc_1", name="read", input={})])
    assert b'"id":"fc_1","call_id":"a.b"' in _encode(_request(user("Hi"), call, model="claude-opus-4-8"))


def _texts(item: Any) -> list[str]:
    return [part.get("text") or part["refusal"] for part in item.get("content", [])]


@pytest.mark.parametrize("turn", [turn for turn in TURNS if turn.body is not None and not turn.odd])
def test_decoded_answer_goes_back_as_it_came(turn: Any) -> None:
    """Items of a recorded answer are sent back as they came: ids, phases, arguments, reasoning byte for byte."""
    answered = msgspec.structs.replace(turn_of(turn.events).message, model_id=ALWAYS)
    sent = msgspec.json.decode(_encode(_request(user("Hi"), answered, model=ALWAYS)))["input"][1:]
    came = [
        item
        for item in msgspec.json.decode(turn.body)["output"]
        if item["type"] in {"reasoning", "function_call"} or "".join(_texts(item))
    ]
    if not came:
        assert [item["content"][0]["text"] for item in sent] == ["(no content)"]
        return
    for item, back in zip(came, sent, strict=False):
        if item["type"] == "reasoning" and (item.get("encrypted_content") or item.get("content")):
            assert back == item
        elif item["type"] == "reasoning":
            assert back["content"][0]["text"].strip() == "".join(part["text"] for part in item["summary"])
        elif item["type"] == "message":
            assert (back["id"], back.get("phase")) == (item["id"], item.get("phase"))
            assert back["content"][0]["text"] == "".join(_texts(item))
        else:
            assert (back["call_id"], back["name"]) == (item["call_id"], item["name"])
            assert back["id"] == item["id"] or len(item["id"]) > MAX_ID_CHARACTERS
            assert len(back["id"]) <= MAX_ID_CHARACTERS
    assert [item["type"] for item in sent[len(came) :]] == ["function_call_output"] * len(sent[len(came) :])


def test_long_ids_stay_apart() -> None:
    """Ids above 64 characters become short ones that differ where the long ones do, and are the same each time."""
    long = ["fc_" + "x" * count for count in range(62, 200)] + [f"fc_{at}" + "x" * 80 for at in range(500)]
    calls = [ToolUseBlock(id=f"c{at}|{one}", name="read", input={}) for at, one in enumerate(long)]
    request = _request(user("Hi"), assistant(calls))
    items = msgspec.json.decode(_encode(request))["input"]
    ids = [item["id"] for item in items if item.get("type") == "function_call"]
    assert len(set(ids)) == len(ids) == len(long)
    assert all(one.startswith("fc_") and len(one) == 35 for one in ids)
    assert _encode(request) == _encode(request)


def test_reasoning_that_led_to_nothing_is_left_out() -> None:
    """Of an answer cut while the model thought nothing is sent but what stands before the last of its reasoning."""
    first, last = (
        ThinkingBlock(thinking="", signature=f'{{"type":"reasoning","id":"rs_{at}","encrypted_content":"e"}}')
        for at in (1, 2)
    )
    said = TextBlock(text="So", id="msg_1")
    for answer, kinds in (([last], []), ([first, last], []), ([first, said, last], ["reasoning", "message"])):
        items = msgspec.json.decode(_encode(_request(user("Hi"), assistant(answer), user("On"))))["input"]
        assert [item.get("type") for item in items[1:-1]] == kinds


@pytest.mark.parametrize("held", ["", ',"encrypted_content":null', ',"encrypted_content":"","content":[]'])
def test_reasoning_that_the_provider_kept_for_itself_is_not_sent_by_its_id(held: str) -> None:
    """Nothing is stored there, so an item that holds no reasoning names nothing; what was shown of it goes as text."""
    signature = f'{{"type":"reasoning","id":"rs_1","summary":[]{held}}}'
    call = ToolUseBlock(id="c|fc_1", name="read", input={})
    for shown, kinds in (("", ["function_call"]), ("So.", ["message", "function_call"])):
        answer = assistant([ThinkingBlock(thinking=shown, signature=signature), call])
        items = msgspec.json.decode(_encode(_request(user("Hi"), answer)))["input"]
        assert [item["type"] for item in items[1:-1]] == kinds
