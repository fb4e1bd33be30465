"""Both stock SDKs through a real gateway: successes parse, every error raises the SDK's own exception."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from stack import BYO_KEY, KEY, POOL_KEYS, Provider, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e
HELLO: list[Any] = [{"role": "user", "content": "hello"}]


@pytest.fixture
def oai(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{stack.url}/openai/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def claude(stack: Stack) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=f"{stack.url}/anthropic", api_key=KEY, max_retries=0) as client:
        yield client


def test_chat(oai: openai.OpenAI, stack: Stack, provider: Provider) -> None:
    """A chat completion parses; the provider saw the pool key and the row has the tokens that the SDK got."""
    got = oai.chat.completions.create(model="gpt-x", messages=HELLO)
    assert got.usage
    row = stack.rows()[0]
    assert (row["input_tokens"], row["output_tokens"]) == (got.usage.prompt_tokens, got.usage.completion_tokens)
    assert (row["tenant_id"], row["vpc_id"], row["provider"], row["outcome"]) == (1, 1, "openai", "ok")
    fields = dict(provider.requests()[0]["headers"])
    assert {name.lower(): value for name, value in fields.items()}["authorization"] == f"Bearer {POOL_KEYS['openai']}"


def test_chat_stream_without_usage(oai: openai.OpenAI, stack: Stack, provider: Provider) -> None:
    """Code that reads choices[0] of every chunk works, although the gateway asked for usage and metered it."""
    chunks = list(oai.chat.completions.create(model="gpt-x", messages=HELLO, stream=True))
    assert all(chunk.choices for chunk in chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    row = stack.rows()[0]
    assert row["stream"]
    assert row["input_tokens"] > 0
    assert not row["usage_estimated"]
    assert '"include_usage"' in provider.requests()[0]["body"]


def test_chat_stream_with_usage(oai: openai.OpenAI, stack: Stack) -> None:
    """A client that asks for usage gets its event, the last one, and it equals the row."""
    chunks = list(
        oai.chat.completions.create(model="gpt-x", messages=HELLO, stream=True, stream_options={"include_usage": True})
    )
    assert chunks[-1].choices == []
    usage = chunks[-1].usage
    row = stack.rows()[0]
    assert usage
    assert (row["input_tokens"], row["output_tokens"]) == (usage.prompt_tokens, usage.completion_tokens)


def test_responses(oai: openai.OpenAI, stack: Stack) -> None:
    """Responses, whole and streamed, parse and are metered alike."""
    whole = oai.responses.create(model="gpt-x", input="hello")
    completed = list(oai.responses.create(model="gpt-x", input="hello", stream=True))[-1]
    assert completed.type == "response.completed"
    rows = stack.rows(2)
    for row, usage in zip(rows, (whole.usage, completed.response.usage), strict=True):
        assert usage
        assert (row["input_tokens"], row["output_tokens"]) == (usage.input_tokens, usage.output_tokens)


def test_embeddings(oai: openai.OpenAI, stack: Stack) -> None:
    """Embeddings parse and their input is metered."""
    got = oai.embeddings.create(model="text-embedding-x", input="hello")
    assert got.data[0].embedding
    assert stack.rows()[0]["input_tokens"] == got.usage.prompt_tokens


def test_models_are_free(oai: openai.OpenAI, stack: Stack) -> None:
    """The model list parses and writes no row."""
    assert list(oai.models.list())
    oai.chat.completions.create(model="gpt-x", messages=HELLO)
    assert len(stack.rows()) == 1


def test_messages(claude: anthropic.Anthropic, stack: Stack, provider: Provider) -> None:
    """A message parses; the provider saw the pool key as x-api-key and no other key."""
    got = claude.messages.create(model="claude-x", max_tokens=50, messages=HELLO)
    row = stack.rows()[0]
    assert (row["input_tokens"], row["output_tokens"]) == (got.usage.input_tokens, got.usage.output_tokens)
    assert row["usage_wire"] == "anthropic"
    seen = [(name.lower(), value) for name, value in provider.requests()[0]["headers"]]
    assert ("x-api-key", POOL_KEYS["anthropic"]) in seen
    assert "authorization" not in dict(seen)


def test_messages_stream(claude: anthropic.Anthropic, stack: Stack) -> None:
    """The stream helper gives text and a final message whose usage equals the row."""
    with claude.messages.stream(model="claude-x", max_tokens=50, messages=HELLO) as stream:
        assert "".join(stream.text_stream)
        usage = stream.get_final_message().usage
    row = stack.rows()[0]
    assert (row["input_tokens"], row["output_tokens"]) == (usage.input_tokens, usage.output_tokens)


def test_count_tokens_is_free(claude: anthropic.Anthropic, stack: Stack) -> None:
    """Counting tokens parses and writes no row."""
    assert claude.messages.count_tokens(model="claude-x", messages=HELLO).input_tokens
    claude.messages.create(model="claude-x", max_tokens=5, messages=HELLO)
    assert len(stack.rows()) == 1


def test_provider_path(stack: Stack, provider: Provider) -> None:
    """A provider's own path prefix is kept, and its own pool key is used."""
    with openai.OpenAI(base_url=f"{stack.url}/groq/openai/v1", api_key=KEY, max_retries=0) as client:
        client.chat.completions.create(model="llama-x", messages=HELLO)
    seen = provider.requests()[0]
    assert seen["target"] == "/openai/v1/chat/completions"
    assert f"Bearer {POOL_KEYS['groq']}" in dict(seen["headers"]).values()
    assert stack.rows()[0]["provider"] == "groq"


def test_bare_v1(stack: Stack, provider: Provider) -> None:
    """The drop-in base URLs reach the provider that the path names."""
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=KEY, max_retries=0) as client:
        client.chat.completions.create(model="gpt-x", messages=HELLO)
    with anthropic.Anthropic(base_url=stack.url, api_key=KEY, max_retries=0) as client:
        client.messages.create(model="claude-x", max_tokens=5, messages=HELLO)
    assert [row["provider"] for row in stack.rows(2)] == ["openai", "anthropic"]
    assert [seen["target"] for seen in provider.requests()] == ["/v1/chat/completions", "/v1/messages"]


def test_byo(stack: Stack, provider: Provider) -> None:
    """A caller's own key arrives unchanged, with the SDK's own header fields, and writes no row."""
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=BYO_KEY, max_retries=0) as client:
        client.chat.completions.create(model="gpt-x", messages=HELLO)
    names = {name.lower(): value for name, value in provider.requests()[0]["headers"]}
    assert names["authorization"] == f"Bearer {BYO_KEY}"
    assert "x-stainless-lang" in names
    assert stack.rows(0) == []


def test_byo_anthropic_key_never_reaches_openai(stack: Stack, provider: Provider) -> None:
    """On bare /v1 a caller's Anthropic key goes to Anthropic, even on an OpenAI path."""
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key="sk-ant-own", max_retries=0) as client:
        client.chat.completions.create(model="x", messages=HELLO)
    assert len(provider.requests()) == 1


def raised(call: Any) -> Any:
    """The exception that a call raises."""
    try:
        call()
    except (openai.OpenAIError, anthropic.AnthropicError) as error:
        return error
    raise AssertionError("nothing was raised")


FORGED = KEY[:-2] + "AA"


def chat_error(stack: Stack, path: str, key: str, model: str = "x") -> openai.APIStatusError:
    """What the OpenAI SDK raises for a chat completion."""
    with openai.OpenAI(base_url=f"{stack.url}{path}", api_key=key, max_retries=0) as client:
        error = raised(lambda: client.chat.completions.create(model=model, messages=HELLO))
    assert isinstance(error, openai.APIStatusError)
    return error


def message_error(stack: Stack, path: str, key: str, model: str = "x") -> anthropic.APIStatusError:
    """What the Anthropic SDK raises for a message."""
    with anthropic.Anthropic(base_url=f"{stack.url}{path}", api_key=key, max_retries=0) as claude:
        error = raised(lambda: claude.messages.create(model=model, max_tokens=5, messages=HELLO))
    assert isinstance(error, anthropic.APIStatusError)
    return error


REFUSED: list[tuple[str, str, Any, Any, str]] = [
    (FORGED, "", openai.AuthenticationError, anthropic.AuthenticationError, "invalid API key"),
    ("bai_v9.x", "", openai.AuthenticationError, anthropic.AuthenticationError, "invalid API key"),
    (KEY, "/nobody", openai.NotFoundError, anthropic.NotFoundError, "unknown provider"),
    (KEY, "/openai/v1/files?", openai.NotFoundError, anthropic.NotFoundError, "endpoint not available"),
    (KEY, "/mistral/v1", openai.InternalServerError, anthropic.ServiceUnavailableError, "no provider key"),
    (KEY, "/openai//v1", openai.BadRequestError, anthropic.BadRequestError, "empty segment"),
]


@pytest.mark.parametrize("row", REFUSED, ids=[row[4] for row in REFUSED])
def test_gateway_errors_are_typed(stack: Stack, row: tuple[str, str, Any, Any, str]) -> None:
    """Each refusal raises the SDK's own exception with the gateway's text and a request id."""
    key, path, openai_error, anthropic_error, message = row
    ours = chat_error(stack, path or "/openai/v1", key)
    assert type(ours) is openai_error
    assert message in str(ours)
    assert ours.response.headers["x-beyond-request-id"]
    theirs = message_error(stack, path or "/anthropic", key)
    assert type(theirs) is anthropic_error
    assert message in str(theirs)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 529])
def test_provider_errors_pass(stack: Stack, status: int) -> None:
    """A provider's error reaches both SDKs with its status, body and Retry-After; the row says upstream_error."""
    error = chat_error(stack, "/openai/v1", KEY, f"mock:status={status},retry_after=3")
    assert error.status_code == status
    assert error.response.headers.get("retry-after") == "3"
    assert message_error(stack, "/anthropic", KEY, f"mock:status={status}").status_code == status
    assert [(row["outcome"], row["upstream_status"]) for row in stack.rows(2)] == [("upstream_error", status)] * 2


def test_error_event_in_a_stream(oai: openai.OpenAI, claude: anthropic.Anthropic, stack: Stack) -> None:
    """An error inside a 200 stream raises in both SDKs and is an upstream_error row."""
    error = raised(lambda: list(oai.chat.completions.create(model="mock:error_event=2", messages=HELLO, stream=True)))
    assert isinstance(error, openai.APIError)
    error = raised(
        lambda: list(claude.messages.create(model="mock:error_event=2", max_tokens=5, messages=HELLO, stream=True))
    )
    assert isinstance(error, anthropic.APIError)
    assert [row["outcome"] for row in stack.rows(2)] == ["upstream_error"] * 2


def test_missing_key(stack: Stack) -> None:
    """No credential: 401 with the contract's text."""
    answer = stack.raw(b"GET /openai/v1/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'{"error":{"message":"missing API key","type":"authentication_error"}}' in answer


def test_cut_stream_raises(oai: openai.OpenAI, stack: Stack) -> None:
    """A stream cut by the provider raises in the SDK: it never looks complete."""
    error = raised(lambda: list(oai.chat.completions.create(model="mock:cut=300", messages=HELLO, stream=True)))
    assert isinstance(error, openai.APIConnectionError)
    row = stack.rows()[0]
    assert row["outcome"] == "cut_short"
    assert row["usage_estimated"]
