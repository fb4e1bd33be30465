"""Requests as Responses bodies: the exact bytes, the same every time."""

from __future__ import annotations

import copy
import itertools
from time import process_time
from typing import Any

import msgspec
import pytest

from beyond_wire import responses
from beyond_wire.accumulate import accumulate
from beyond_wire.caps import caps_for
from beyond_wire.errors import EncodeError
from beyond_wire.history import Preparer, prepare
from beyond_wire.responses_items import MAX_ID_CHARACTERS
from beyond_wire.testing.histories import random_history
from beyond_wire.testing.responses_golden import ALWAYS, NOW, PLAIN, READ, Golden
from beyond_wire.testing.responses_requests import REQUESTS
from beyond_wire.testing.responses_turns import TURNS
from beyond_wire.types import (
    Dialect,
    Message,
    ModelRequest,
    NamedTool,
    TextBlock,
    TokenUsage,
    ToolDef,
    ToolResultBlock,
    ToolUseBlock,
    assistant,
    tool_results,
    user,
)

_LOST = Message(role="assistant", content=(TextBlock(text="lost"),), error_message="no", aborted=True)


def _name(case: Golden) -> str:
    return case.name


def _request(*messages: Message, model: str = PLAIN, **options: Any) -> ModelRequest:
    options.setdefault("max_tokens", 4_000)
    return ModelRequest(model=model, messages=messages or (user("Hi"),), **options)


def _encode(request: ModelRequest) -> bytes:
    return responses.encode(request, caps_for(request.model))


def test_table_is_wide() -> None:
    """The table holds at least 60 requests under different names."""
    assert len({case.name for case in REQUESTS}) == len(REQUESTS) >= 60


@pytest.mark.parametrize("case", REQUESTS, ids=_name)
def test_body_is_exact(case: Golden) -> None:
    """Each request gives exactly its body, key by key, the same every time, and its input stays as it was."""
    before = copy.deepcopy(case.request)
    body = responses.encode(case.request, case.caps)
    assert body.decode() == msgspec.json.encode(case.body).decode()
    assert responses.encode(case.request, case.caps) == body
    assert case.request == before


@pytest.mark.parametrize("case", REQUESTS, ids=_name)
def test_headers_are_exact(case: Golden) -> None:
    """Each request has the headers that its cache key gives, or none."""
    assert responses.headers(case.request, case.caps) == case.headers


def test_module_is_a_dialect() -> None:
    """The module has the members of a dialect."""
    dialect: Dialect = responses
    assert (dialect.name, dialect.path) == ("responses", "/v1/responses")
    assert dialect.decoder() is not dialect.decoder()


def test_storage_fields_are_never_sent() -> None:
    """No fact for storage reaches the provider, whatever is set."""
    facts: dict[str, Any] = {
        "model_id": PLAIN,
        "stop_reason": "stop_sequence",
        "usage": TokenUsage(input_tokens=77_001, output_tokens=77_002),
    }
    stored = Message(role="assistant", content=(TextBlock(text="Hello"),), **facts)
    call = ToolUseBlock(id="a", name="read", input={}, thought_signature="sig_77")
    body = _encode(_request(user("Hi"), stored, user("Hm"), Message(role="assistant", content=(call,), **facts)))
    for word in (b"model_id", b"stop_", b"usage", b"7700", b"error_message", b"aborted", b"_77", b"thought"):
        assert word not in body
    assert b"lost" not in _encode(_request(user("Hi"), _LOST))


def test_growing_history_keeps_its_bytes() -> None:
    """A message more at the end leaves tools, system and earlier items as they were, byte by byte."""
    history = [user("Hi"), assistant([TextBlock(text="I look."), ToolUseBlock(id="a|fc_1", name="read", input={})])]
    history += [
        tool_results([ToolResultBlock(tool_use_id="a|fc_1", content="1")]),
        assistant([TextBlock(text="So")]),
        user("On"),
    ]
    bodies = [_encode(_request(*history[:count], tools=(READ, NOW), system="Be kind.")) for count in (1, 3, 5)]
    for shorter, longer in itertools.pairwise(bodies):
        items_end = shorter.index(b'],"stream"')
        assert longer.startswith(shorter[:items_end])
        assert longer.endswith(shorter[items_end:])


def test_prepared_request_is_encoded_as_it_is() -> None:
    """A request prepared before, at once or by a `Preparer`, gives the bytes of the request itself."""
    preparer = Preparer()
    for seed in range(50):
        request = _request(*random_history(seed), model=ALWAYS, tools=(READ,))
        caps = caps_for(ALWAYS)
        body = responses.encode(request, caps)
        for prepared in (prepare(request, caps), preparer.prepare(request, caps)):
            assert responses.encode(prepared, caps) == body
            assert responses.encode_prepared(prepared, caps) == body


def test_ids_keep_both_halves_whatever_the_model_is_called() -> None:
    """A model whose id suggests another dialect gets both ids of a call."""
    call = assistant([ToolUseBlock(id="a.b|fc_1", name="read", input={})])
    assert b'"id":"fc_1","call_id":"a.b"' in _encode(_request(user("Hi"), call, model="claude-opus-4-8"))


def _texts(item: Any) -> list[str]:
    return [part.get("text") or part["refusal"] for part in item.get("content", [])]


@pytest.mark.parametrize("turn", [turn for turn in TURNS if turn.body is not None and not turn.odd])
def test_decoded_answer_goes_back_as_it_came(turn: Any) -> None:
    """Items of a recorded answer are sent back as they came: ids, phases, arguments, reasoning byte for byte."""
    answered = msgspec.structs.replace(accumulate(turn.events).message, model_id=ALWAYS)
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
        if item["type"] == "reasoning":
            assert back == item
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


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (_request(max_tokens=-1), "max_tokens"),
        (_request(temperature=float("nan")), "temperature"),
        (_request(temperature=float("-inf")), "temperature"),
        (
            _request(tools=(READ, ToolDef(name="x", description="", input_schema={"a": [object()]}))),
            "tools[1].input_schema",
        ),
        (
            _request(
                user("Hi"), assistant([TextBlock(text="a"), ToolUseBlock(id="a", name="x", input={"a": object()})])
            ),
            "messages[1].content[1].input",
        ),
        (
            _request(_LOST, user("\ud800"), assistant([ToolUseBlock(id="a", name="x", input={(1, 2): 1})])),  # pyright: ignore[reportArgumentType] - what a caller without a type checker may do
            "messages[2].content[0].input",
        ),
        (_request(service_tier="\ud800", system="\ud800"), "service_tier"),
    ],
)
def test_field_that_cannot_be_encoded(request_: ModelRequest, field: str) -> None:
    """A value that JSON cannot hold is refused by the path of its field in the request as it was given."""
    with pytest.raises(EncodeError) as caught:
        _encode(request_)
    assert caught.value.field == field
    assert caught.value.code == "request_invalid"


def test_values_nested_too_deeply() -> None:
    """Arguments and schemas nested too deeply are refused, not a crash."""
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    for request in (
        _request(tools=(ToolDef(name="x", description="", input_schema=deep),)),
        _request(user("Hi"), assistant([ToolUseBlock(id="a", name="x", input=deep)])),
    ):
        with pytest.raises(EncodeError):
            _encode(request)


def test_name_of_a_chosen_tool_is_cleaned_as_tools_are() -> None:
    """A tool with a lone surrogate in its name is chosen under the name it is sent with."""
    tool = ToolDef(name="a\ud800", description="", input_schema={})
    body = msgspec.json.decode(_encode(_request(tools=(tool,), tool_choice=NamedTool(name="a\ud800"))))
    assert body["tool_choice"]["name"] == body["tools"][0]["name"] == "a\ufffd"


def test_cost_of_a_megabyte() -> None:
    """A prepared request of 1 MB is encoded in far less than 10 ms for each MB, even on a busy machine."""
    messages: list[Message] = []
    for at in range(250):
        messages.append(user("q" * 1_000))
        messages.append(
            assistant([TextBlock(text="w" * 1_000), ToolUseBlock(id=f"a{at}", name="read", input={"p": "x" * 900})])
        )
        messages.append(tool_results([ToolResultBlock(tool_use_id=f"a{at}", content="r" * 1_000)]))
    caps = caps_for(ALWAYS)
    prepared = prepare(_request(*messages, model=ALWAYS), caps)

    def cost() -> float:
        began = process_time()
        body = responses.encode_prepared(prepared, caps)
        assert len(body) > 1_000_000
        return process_time() - began

    assert min(cost() for _ in range(5)) < 0.010
