"""What every dialect does with a request: each rule yields, in words, where the dialect of these tables breaks it."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from beyond_wire.caps import caps_for
from beyond_wire.errors import EncodeError
from beyond_wire.history import Preparer, prepare
from beyond_wire.testing.histories import random_history
from beyond_wire.types import (
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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beyond_wire.testing.recorded import Tables

_READ = ToolDef(name="read", description="Read a file.", input_schema={"type": "object", "properties": {}})
_MARK = b',"cache_control":{"type":"ephemeral"}'


def exact_bytes(tables: Tables) -> Iterator[str]:
    """Each request gives exactly its body and headers, the same each time, and stays as it was."""
    for case in tables.requests:
        before = copy.deepcopy(case.request)
        body = tables.dialect.encode(case.request, case.caps)
        if body != msgspec.json.encode(case.body):
            yield f"{case.name} is {body.decode()}"
        if tables.dialect.encode(case.request, case.caps) != body:
            yield f"{case.name} differs the second time"
        headers = tables.dialect.headers(case.request, case.caps)
        if headers != case.headers:
            yield f"{case.name} has the headers {headers}"
        if case.request != before:
            yield f"{case.name} is changed by encoding"


def prepared_requests(tables: Tables) -> Iterator[str]:
    """A request prepared before, at once or by a `Preparer`, gives the bytes of the request itself."""
    preparer = Preparer()
    for seed in range(50):
        request = _request(tables, *random_history(seed), tools=(_READ,))
        caps = caps_for(tables.model)
        body = tables.dialect.encode(request, caps)
        for ready in (prepare(request, caps), preparer.prepare(request, caps)):
            if tables.dialect.encode(ready, caps) != body or tables.dialect.encode_prepared(ready, caps) != body:
                yield f"history {seed} differs when it is prepared before"


def storage_fields(tables: Tables) -> Iterator[str]:
    """No fact for storage reaches the provider, whatever is set; failed messages do not either."""
    facts: dict[str, Any] = {
        "model_id": "stored-77",
        "stop_reason": "stop_sequence",
        "usage": TokenUsage(input_tokens=77_001, output_tokens=77_002),
    }
    call = ToolUseBlock(id="a", name="read", input={}, thought_signature="sig_77")
    said = Message(role="assistant", content=(TextBlock(text="Hello", id="msg_77", phase="commentary"),), **facts)
    lost = Message(role="assistant", content=(TextBlock(text="lost"),), error_message="no", aborted=True)
    body = _body(tables, user("Hi"), said, lost, user("Hm"), Message(role="assistant", content=(call,), **facts))
    for word in (b"model_id", b"stop_", b'usage":{', b"77", b"error_message", b"aborted", b"commentary", b"lost"):
        if word in body:
            yield f"{word!r} is sent in {body!r}"


def growing_history(tables: Tables) -> Iterator[str]:
    """A message more at the end leaves tools, system and earlier messages byte for byte, apart from moved marks."""
    call = ToolUseBlock(id="a|fc_1", name="read", input={"b": 1, "a": 2})
    history = [user("Hi"), assistant([TextBlock(text="I look."), call])]
    history += [
        tool_results([ToolResultBlock(tool_use_id="a|fc_1", content="1")]),
        assistant([TextBlock(text="So")]),
        user("On"),
    ]
    bodies = [
        _body(tables, *history[:count], tools=(_READ,), system="Be kind.").replace(_MARK, b"") for count in (1, 3, 5)
    ]
    for shorter, longer in pairwise(bodies):
        same = next(at for at, one in enumerate(shorter) if one != longer[at])
        if not longer.endswith(shorter[same:]) or same < shorter.index(b"Hi"):
            yield f"{shorter!r} does not stand in {longer!r}"


def strings(tables: Tables) -> Iterator[str]:
    """Lone surrogates become U+FFFD, U+2028 stays, all is JSON, and a chosen tool is named as it is sent."""
    call = ToolUseBlock(id="a", name="read", input={"p": "x"})
    result = ToolResultBlock(tool_use_id="a", content="o\ud800\u2028k")
    tool = ToolDef(name="n\ud800", description="", input_schema={})
    body = _body(
        tables,
        user("Hi"),
        assistant([call]),
        tool_results([result]),
        tools=(_READ, tool),
        tool_choice=NamedTool(name="n\ud800"),
    )
    msgspec.json.decode(body)
    if body.count("o\ufffd\u2028k".encode()) != 1:
        yield f"the result is changed in {body!r}"
    if body.count("n\ufffd".encode()) != 2:
        yield f"the tool is not chosen by its name in {body!r}"


def fields_that_cannot_be_encoded(tables: Tables) -> Iterator[str]:
    """A value that JSON cannot hold is refused by the path of its field in the request as it was given."""
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    bad = ToolUseBlock(id="a", name="x", input={"a": object()})
    said = TextBlock(text="a\ud800")
    keyed: dict[Any, Any] = {(1, 2): 1}
    lost = Message(role="assistant", content=(), aborted=True)
    cases: tuple[tuple[str, tuple[Message, ...], dict[str, Any]], ...] = (
        ("max_tokens", (), {"max_tokens": -1}),
        ("temperature", (), {"temperature": float("nan")}),
        ("temperature", (), {"temperature": float("-inf")}),
        ("tools[1].input_schema", (), {"tools": (_READ, _tool({"a": [object()]}))}),
        ("tools[0].input_schema", (), {"tools": (_tool(deep),)}),
        ("messages[1].content[1].input", (user("Hi"), assistant([said, bad])), {}),
        ("messages[2].content[0].input", (lost, assistant([said]), assistant([bad])), {}),
        ("messages[0].content[0].input", (assistant([ToolUseBlock(id="a", name="x", input=keyed)]),), {}),
        ("messages[0].content[0].input", (assistant([ToolUseBlock(id="a", name="x", input=deep)]),), {}),
    )
    for field, messages, options in cases:
        try:
            _body(tables, *messages, **options)
        except EncodeError as refused:
            if (refused.field, refused.code) != (field, "request_invalid"):
                yield f"{field} is refused as {refused.field}"
        else:
            yield f"{field} is sent"


def _tool(schema: dict[str, Any]) -> ToolDef:
    return ToolDef(name="x", description="", input_schema=schema)


def _request(tables: Tables, *messages: Message, **options: Any) -> ModelRequest:
    asked = ModelRequest(model=tables.model, messages=messages or (user("Hi"),), max_tokens=4_000)
    return msgspec.structs.replace(asked, **options)


def _body(tables: Tables, *messages: Message, **options: Any) -> bytes:
    return tables.dialect.encode(_request(tables, *messages, **options), caps_for(tables.model))


RULES = (
    exact_bytes,
    prepared_requests,
    storage_fields,
    growing_history,
    strings,
    fields_that_cannot_be_encoded,
)
"""All rules of requests."""
