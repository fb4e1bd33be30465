"""Answers of the embedded provider, decided from whole requests without any I/O."""

import zlib
from typing import Any

import msgspec
import pytest

from beyond_gateway.mock import Script
from beyond_gateway.mock.answer import Answer, answer
from beyond_gateway.mock.http1 import Request
from beyond_gateway.mock.record import Recorded

KEY = ("Authorization", "Bearer sk-test")
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
HELLO = [{"role": "user", "content": "hello there"}]


def request(target: str, body: object = None, *headers: tuple[str, str], method: str = "POST") -> Request:
    recorded = Recorded(method=method, target=target, headers=list(headers or (KEY,)), connection=1, received_at=0.0)
    made = Request(recorded, keep_alive=True)
    made.take(body if isinstance(body, bytes) else msgspec.json.encode(body))
    recorded.complete = True
    return made


def ask(target: str, model: str = "gpt-x", script: Script | None = None, **fields: object) -> Answer:
    talk = {"input" if target == RESPONSES else "messages": HELLO}
    return answer(request(target, {"model": model} | talk | fields), script or Script(), 7)


def payload(reply: Answer) -> Any:
    return msgspec.json.decode(b"".join(reply.parts))


def events(reply: Answer) -> list[Any]:
    lines = b"".join(reply.parts).split(b"\n")
    return [msgspec.json.decode(line[6:]) for line in lines if line.startswith(b"data: {")]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/openai/v1/chat/completions",
        "/api/v1/chat/completions",
        "/inference/v1/chat/completions",
    ],
)
def test_a_path_is_matched_by_its_end(path: str) -> None:
    """Every vendor's prefix reaches the same endpoint, which echoes model and prompt."""
    reply = payload(ask(path))

    assert reply["model"] == "gpt-x"
    assert reply["choices"][0]["message"]["content"] == "You said: hello there"


@pytest.mark.parametrize(("target", "shape"), [(CHAT, "openai"), (MESSAGES, "anthropic"), ("/v1/files", "openai")])
def test_errors_have_the_vendors_shape(target: str, shape: str) -> None:
    """Without a credential each vendor's own error object comes back, on unknown paths OpenAI's."""
    reply = answer(request(target, {}, ("Accept", "*/*")), Script(), 7)

    error = payload(reply)
    assert error["error"]["type"] == ("authentication_error" if shape == "anthropic" else "invalid_request_error")
    assert reply.status == (404 if "files" in target else 401)
    assert set(error) == ({"error"} if shape == "openai" else {"type", "error", "request_id"})


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (CHAT, [("x-api-key", "k")]),
        (CHAT, [("Api-Key", "k")]),
        (CHAT, [("authorization", "bearer k")]),
        (CHAT + "?key=k", [("accept", "*/*")]),
    ],
)
def test_any_credential_will_do(target: str, headers: list[tuple[str, str]]) -> None:
    """Only the presence of a credential is checked, wherever it stands."""
    assert answer(request(target, {"model": "m", "messages": HELLO}, *headers), Script(), 1).status == 200


@pytest.mark.parametrize(("include", "extra"), [(True, 1), (False, 0)])
def test_chat_streams_usage_only_when_asked(include: bool, extra: int) -> None:  # noqa: FBT001 - a table's column
    """With include_usage chunks carry a null usage and one more event has it; without, the key never appears."""
    chunks = events(ask(CHAT, stream=True, stream_options={"include_usage": include}))

    assert sum(chunk["choices"] == [] for chunk in chunks) == extra
    assert sum("usage" in chunk for chunk in chunks) == (len(chunks) if include else 0)
    assert sum(bool(chunk.get("usage")) for chunk in chunks) == extra


@pytest.mark.parametrize(
    ("model", "carriers"),
    [("usage=every", 5), ("usage=last", 1), ("usage=none", 0), ("usage=null", 0), ("shape=deepseek", 1)],
)
def test_usage_habits_of_compatible_vendors(model: str, carriers: int) -> None:
    """Usage comes on every chunk, on the last content chunk, or never, and then without an extra event."""
    chunks = events(ask(CHAT, f"mock:events=3,{model}", stream=True, stream_options={"include_usage": True}))

    assert len(chunks) == 5
    assert all(chunk["choices"] for chunk in chunks)
    assert sum(bool(chunk.get("usage")) for chunk in chunks) == carriers


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ("openai", {"total_tokens": 72, "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 0}}),
        ("xai", {"completion_tokens": 10, "total_tokens": 72}),
        ("deepseek", {"prompt_cache_hit_tokens": 40, "prompt_cache_miss_tokens": 10}),
        ("mistral", {"prompt_tokens": 50}),
    ],
)
def test_usage_shapes(shape: str, wanted: dict[str, object]) -> None:
    """Each vendor's counts stand under its own names and follow its own sums."""
    output = 10 if shape == "xai" else 22
    reply = payload(ask(CHAT, f"mock:shape={shape},input=50,output={output},cached=40,reasoning=12"))

    assert wanted.items() <= reply["usage"].items()


def test_anthropic_usage_is_outside_the_input() -> None:
    """Cache counts are beside input_tokens, start early in the stream, and the last event repeats the output only."""
    stream = events(ask(MESSAGES, "mock:cached=40,cache_write=5,input=9,output=20", stream=True))

    first, last = stream[0]["message"]["usage"], stream[-2]["usage"]
    assert (
        first["input_tokens"],
        first["cache_read_input_tokens"],
        first["cache_creation_input_tokens"],
        first["output_tokens"],
    ) == (9, 40, 5, 1)
    assert last == {"output_tokens": 20}


@pytest.mark.parametrize("target", [CHAT, MESSAGES, RESPONSES])
def test_an_error_event_breaks_off_the_stream(target: str) -> None:
    """After the asked number of deltas the vendor's error is the last thing a 200 stream says."""
    reply = ask(target, "mock:error_event=2", stream=True)
    stream = events(reply)

    deltas = [event for event in stream if "delta" in str(event.get("type")) or event.get("choices")]
    assert reply.status == 200
    assert stream[-1].get("type") == "error" or "error" in stream[-1]
    assert len(deltas) == (3 if target == CHAT else 2)  # chat opens with a chunk that names the role


@pytest.mark.parametrize("target", [CHAT, MESSAGES, RESPONSES])
def test_an_asked_for_tool_is_called_until_it_has_answered(target: str) -> None:
    """`use the tool NAME` calls it with sample arguments; once the result is there the answer is text."""
    tools = [{"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "integer"}}}}]
    told = [{"role": "user", "content": "Please use the tool look."}]
    talk = "input" if target == RESPONSES else "messages"
    called = answer(request(target, {"model": "m", talk: told, "tools": tools}), Script(), 1)
    result = {"role": "user", "content": [{"type": "tool_result", "content": "42"}]}
    after = answer(request(target, {"model": "m", talk: [*told, result], "tools": tools}), Script(), 2)

    said = str(payload(called))
    assert "look" in said
    assert "You said" not in said
    assert "The tool said: 42" in str(payload(after))


def test_a_script_answers_before_the_echo() -> None:
    """Text, calls, counts and status come from the script while it lasts."""
    script = Script.parse(
        '[{"text": "hi", "tool_calls": [{"name": "f", "arguments": {"a": 1}}], "usage": {"input": 3, "output": 4}},'
        ' {"status": 529, "delay": 0.5}]'
    )
    first, second, third = (ask(MESSAGES, script=script) for _ in range(3))

    scripted = payload(first)
    assert scripted["content"][:1] == [{"type": "text", "text": "hi"}]
    assert scripted["content"][1]["input"] == {"a": 1}
    assert (scripted["usage"]["input_tokens"], scripted["usage"]["output_tokens"]) == (3, 4)
    assert (second.status, second.directives.stall) == (529, 0.5)
    assert payload(second)["error"]["type"] == "overloaded_error"
    assert "You said" in str(payload(third))


def test_a_big_body_has_the_asked_size_and_is_not_built_whole() -> None:
    """`bytes` gives a JSON body of exactly that size in pieces of at most 64 KiB, with usage after the text."""
    reply = ask(CHAT, "mock:bytes=1000000")
    parts = list(reply.parts)

    assert (reply.length, sum(map(len, parts))) == (1_000_000, 1_000_000)
    assert max(len(part) for part in parts) <= 65_536
    assert msgspec.json.decode(b"".join(parts))["usage"]["completion_tokens"] == 250_000


def test_a_big_stream_has_the_asked_visible_text() -> None:
    """`bytes` on a stream is the size of its text, `events` the number of deltas."""
    chunks = events(ask(CHAT, "mock:bytes=1000,events=10", stream=True))

    texts = [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
    assert [text for text in texts if text] == ["x" * 100] * 10


def test_gzip_and_small_pieces() -> None:
    """Asked for, the body is compressed and cut into pieces of the asked size."""
    reply = ask(CHAT, "mock:gzip=1,chunk=7,length=1")
    parts = list(reply.parts)

    assert ("content-encoding", "gzip") in reply.headers
    assert reply.length == sum(map(len, parts))
    assert {7} == {len(part) for part in parts[:3]}
    assert b"You said" in zlib.decompress(b"".join(parts), wbits=31)


def test_the_received_key_is_echoed_on_demand() -> None:
    """`echo_key` repeats the credential in the error body and in a header, as a careless provider would."""
    reply = ask(CHAT, "mock:echo_key=1")

    assert reply.status == 401
    assert ("x-received-key", "sk-test") in reply.headers
    assert "sk-test" in payload(reply)["error"]["message"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "truncated"),
        ({"messages": HELLO}, "model"),
        ({"model": "m", "messages": 3}, "$.messages"),
        ({"model": "mock:boom=1", "messages": HELLO}, "`boom`"),
        ({"model": "m", "stream_options": "yes"}, "$.stream_options"),
    ],
)
def test_bad_requests_are_400_and_named(body: object, named: str) -> None:
    """What is wrong with the body stands in the error message."""
    reply = answer(request(CHAT, body), Script(), 1)

    assert reply.status == 400
    assert named in payload(reply)["error"]["message"]


@pytest.mark.parametrize(
    ("target", "body", "found"),
    [
        ("/v1/embeddings", {"model": "e", "input": [[1, 2, 3], [4]]}, "'total_tokens': 4"),
        ("/v1/embeddings", {"model": "e", "input": [1, 2, 3]}, "'total_tokens': 3"),
        ("/v1/moderations", {"model": "omni", "input": "hi"}, "'flagged': False"),
        ("/v1/images/generations", {"model": "gpt-image", "prompt": "a dot"}, "b64_json"),
        ("/v1/responses/compact", {"model": "m", "input": "hi"}, "response.compaction"),
        ("/v1/responses/input_tokens", {"model": "m", "input": "hi there"}, "'input_tokens': 2"),
        ("/v1/messages/count_tokens", {"model": "m", "messages": HELLO}, "'input_tokens': 2"),
        ("/v1/completions", {"model": "m", "prompt": "hi"}, "You said: hi"),
    ],
)
def test_small_endpoints(target: str, body: object, found: str) -> None:
    """Each of the small endpoints answers in its own shape."""
    assert found in str(payload(answer(request(target, body), Script(), 1)))


def test_a_form_names_its_model() -> None:
    """A multipart upload is understood as far as its model, directives included."""
    form = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nmock:status=429\r\n--b--\r\n'
    headers = (KEY, ("content-type", "multipart/form-data; boundary=b"))

    assert answer(request("/v1/audio/transcriptions", form, *headers), Script(), 1).status == 429


def test_models_are_listed_in_both_shapes() -> None:
    """The list of models has the shape of the vendor the client speaks to; the query carries directives."""
    openai = payload(answer(request("/v1/models", b"", method="GET"), Script(), 1))
    anthropic = payload(
        answer(request("/v1/models", b"", KEY, ("anthropic-version", "2023-06-01"), method="GET"), Script(), 1)
    )
    failed = answer(request("/v1/models?mock=status%3D500", b"", method="GET"), Script(), 1)

    assert openai["object"] == "list"
    assert anthropic["has_more"] is False
    assert failed.status == 500
