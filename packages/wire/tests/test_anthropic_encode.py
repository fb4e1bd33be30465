"""Requests as Anthropic Messages bodies: the exact bytes, the same every time."""

from __future__ import annotations

import copy
import itertools
from time import process_time
from typing import Any

import msgspec
import pytest

from beyond_wire import anthropic
from beyond_wire.caps import caps_for
from beyond_wire.errors import EncodeError
from beyond_wire.history import Preparer, prepare
from beyond_wire.testing.anthropic_golden import ADAPTIVE, NOW, OLD, READ, Golden
from beyond_wire.testing.anthropic_requests import REQUESTS
from beyond_wire.testing.histories import random_history
from beyond_wire.types import (
    Dialect,
    Message,
    ModelRequest,
    NamedTool,
    TextBlock,
    Thinking,
    TokenUsage,
    ToolDef,
    ToolResultBlock,
    ToolUseBlock,
    assistant,
    tool_results,
    user,
)


def _name(case: Golden) -> str:
    return case.name


def _request(*messages: Message, model: str = OLD, **options: Any) -> ModelRequest:
    options.setdefault("max_tokens", 4_000)
    return ModelRequest(model=model, messages=messages or (user("Hi"),), **options)


def _encode(request: ModelRequest) -> bytes:
    return anthropic.encode(request, caps_for(request.model))


def test_table_is_wide() -> None:
    """The table holds at least 50 requests under different names."""
    assert len({case.name for case in REQUESTS}) == len(REQUESTS) >= 50


@pytest.mark.parametrize("case", REQUESTS, ids=_name)
def test_body_is_exact(case: Golden) -> None:
    """Each request gives exactly its body, key by key, the same every time, and its input stays as it was."""
    before = copy.deepcopy(case.request)
    body = anthropic.encode(case.request, case.caps)
    assert body.decode() == msgspec.json.encode(case.body).decode()
    assert anthropic.encode(case.request, case.caps) == body
    assert case.request == before


@pytest.mark.parametrize("case", REQUESTS, ids=_name)
def test_headers_are_exact(case: Golden) -> None:
    """Each request has the API's version, and the betas its model needs or none."""
    betas = {} if case.betas is None else {"anthropic-beta": case.betas}
    assert anthropic.headers(case.request, case.caps) == {"anthropic-version": "2023-06-01", **betas}


def test_module_is_a_dialect() -> None:
    """The module has the members of a dialect."""
    dialect: Dialect = anthropic
    assert (dialect.name, dialect.path) == ("anthropic", "/v1/messages")
    assert dialect.decoder() is not dialect.decoder()


def test_storage_fields_are_never_sent() -> None:
    """No fact for storage reaches the provider, whatever is set."""
    facts: dict[str, Any] = {
        "model_id": OLD,
        "stop_reason": "stop_sequence",
        "usage": TokenUsage(input_tokens=77_001, output_tokens=77_002),
    }
    stored = Message(role="assistant", content=(TextBlock(text="Hello", id="msg_77", phase="commentary"),), **facts)
    call = ToolUseBlock(id="a", name="read", input={}, thought_signature="sig_77")
    body = _encode(_request(user("Hi"), stored, user("Hm"), Message(role="assistant", content=(call,), **facts)))
    for word in (b"model_id", b"stop_", b"usage", b"7700", b"error_message", b"aborted", b"_77", b"phase", b"thought"):
        assert word not in body
    failed = Message(role="assistant", content=(TextBlock(text="lost"),), error_message="no", aborted=True)
    assert b"lost" not in _encode(_request(user("Hi"), failed))


def test_growing_history_keeps_its_bytes() -> None:
    """A message more at the end leaves tools, system and earlier messages as they were, apart from moved marks."""
    history = [user("Hi"), assistant([ToolUseBlock(id="a", name="read", input={})])]
    history += [
        tool_results([ToolResultBlock(tool_use_id="a", content="1")]),
        assistant([TextBlock(text="So")]),
        user("On"),
    ]
    bodies = [
        _encode(_request(*history[:count], tools=(READ, NOW), system="Be kind.")).replace(
            b',"cache_control":{"type":"ephemeral"}', b""
        )
        for count in (1, 3, 5)
    ]
    for shorter, longer in itertools.pairwise(bodies):
        messages_end = shorter.index(b'],"system"')
        assert longer.startswith(shorter[:messages_end])
        assert longer.endswith(shorter[messages_end:])


def test_prepared_request_is_encoded_as_it_is() -> None:
    """A request prepared before, at once or by a `Preparer`, gives the bytes of the request itself."""
    preparer = Preparer()
    for seed in range(50):
        request = _request(*random_history(seed), model=ADAPTIVE, tools=(READ,))
        caps = caps_for(ADAPTIVE)
        body = anthropic.encode(request, caps)
        for prepared in (prepare(request, caps), preparer.prepare(request, caps)):
            assert anthropic.encode(prepared, caps) == body
            assert anthropic.encode_prepared(prepared, caps) == body


def test_ids_are_anthropics_whatever_the_model_is_called() -> None:
    """A model whose id suggests another dialect gets ids that Anthropic accepts."""
    call = assistant([ToolUseBlock(id="a.b|fc_1", name="read", input={})])
    assert b'"id":"a_b"' in _encode(_request(user("Hi"), call, model="gpt-5"))


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
            _request(user("\ud800"), assistant([ToolUseBlock(id="a", name="x", input={(1, 2): 1})])),  # pyright: ignore[reportArgumentType] - what a caller without a type checker may do
            "messages[1].content[0].input",
        ),
        (
            _request(
                Message(role="assistant", content=(), aborted=True),
                assistant([ToolUseBlock(id="a", name="x", input={"a": "\ud800"})]),
                assistant([ToolUseBlock(id="b", name="x", input={"a": object()})]),
            ),
            "messages[2].content[0].input",
        ),
        (_request(model=ADAPTIVE, thinking=Thinking(budget_tokens=1, display="\ud800")), "thinking"),
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


def test_description_that_is_empty_is_left_out() -> None:
    """A tool without a description is sent without one."""
    body = msgspec.json.decode(_encode(_request(tools=(ToolDef(name="a", description="", input_schema={}),))))
    assert "description" not in body["tools"][0]


def test_cost_of_a_megabyte() -> None:
    """A prepared request of 1 MB is encoded in far less than 10 ms for each MB, even on a busy machine."""
    messages: list[Message] = []
    for at in range(250):
        messages.append(user("q" * 1_000))
        messages.append(
            assistant([TextBlock(text="w" * 1_000), ToolUseBlock(id=f"a{at}", name="read", input={"p": "x" * 900})])
        )
        messages.append(tool_results([ToolResultBlock(tool_use_id=f"a{at}", content="r" * 1_000)]))
    caps = caps_for(ADAPTIVE)
    prepared = prepare(_request(*messages, model=ADAPTIVE), caps)

    def cost() -> float:
        began = process_time()
        body = anthropic.encode_prepared(prepared, caps)
        assert len(body) > 1_000_000
        return process_time() - began

    assert min(cost() for _ in range(5)) < 0.010
