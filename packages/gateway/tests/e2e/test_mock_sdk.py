"""Both stock SDKs against the embedded provider as a process of its own."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageFunctionToolCall

pytestmark = pytest.mark.e2e

LOOK_SCHEMA: dict[str, object] = {"type": "object", "properties": {"place": {"type": "string"}}}
LOOK: ChatCompletionFunctionToolParam = {"type": "function", "function": {"name": "look", "parameters": LOOK_SCHEMA}}
ARGUMENTS = '{"place":"sample place"}'


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    command = [sys.executable, "-m", "beyond_gateway.mock", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()
        assert said.startswith("listening on 127.0.0.1:")
        yield said.split()[-1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.fixture
def oai(address: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"http://{address}/v1", api_key="sk-test", max_retries=0) as client:
        yield client


@pytest.fixture
def ant(address: str) -> Iterator[Anthropic]:
    with Anthropic(base_url=f"http://{address}", api_key="sk-ant-test", max_retries=0) as client:
        yield client


def test_chat_json(oai: OpenAI) -> None:
    """A chat completion echoes the prompt and counts tokens with their details."""
    reply = oai.chat.completions.create(
        model="mock:cached=40,reasoning=12", messages=[{"role": "user", "content": "hello"}]
    )

    assert reply.choices[0].message.content == "You said: hello"
    assert reply.usage
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.usage.prompt_tokens_details
    assert reply.usage.prompt_tokens_details.cached_tokens == 40
    assert reply.usage.completion_tokens_details
    assert reply.usage.completion_tokens_details.reasoning_tokens == 12


@pytest.mark.parametrize("include_usage", [True, False])
def test_chat_stream(oai: OpenAI, *, include_usage: bool) -> None:
    """A stream gives the same text; with include_usage a last chunk without choices carries the usage."""
    with oai.chat.completions.create(
        model="gpt-x",
        messages=[{"role": "user", "content": "hello"}],
        stream=True,
        stream_options={"include_usage": include_usage},
    ) as stream:
        chunks = list(stream)

    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(texts) == "You said: hello"
    assert (chunks[-1].usage is not None) == include_usage
    assert (chunks[-1].choices == []) == include_usage


def test_chat_tool_call_json(oai: OpenAI) -> None:
    """An asked-for tool is called with arguments that fit its schema."""
    reply = oai.chat.completions.create(
        model="gpt-x", tools=[LOOK], messages=[{"role": "user", "content": "use the tool look"}]
    )

    assert reply.choices[0].finish_reason == "tool_calls"
    [call] = reply.choices[0].message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert (call.function.name, call.function.arguments) == ("look", ARGUMENTS)


def test_chat_tool_call_stream(oai: OpenAI) -> None:
    """The SDK's stream helper puts the argument fragments together."""
    with oai.chat.completions.stream(
        model="mock:tool=look", tools=[LOOK], messages=[{"role": "user", "content": "go"}]
    ) as stream:
        final = stream.get_final_completion()

    [call] = final.choices[0].message.tool_calls or []
    assert (call.function.name, call.function.arguments) == ("look", ARGUMENTS)


def test_responses_create(oai: OpenAI) -> None:
    """A response carries text and usage."""
    reply = oai.responses.create(model="mock:cached=3", input="hello")

    assert reply.output_text == "You said: hello"
    assert reply.usage
    assert reply.usage.input_tokens_details.cached_tokens == 3


def test_responses_event_sequence(oai: OpenAI) -> None:
    """Events come in OpenAI's order, numbered without gaps, and end with usage."""
    with oai.responses.create(model="gpt-x", input="hello", stream=True) as stream:
        events = list(stream)

    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_responses_stream_helper(oai: OpenAI) -> None:
    """The SDK's helper accumulates reasoning, text and calls to one response."""
    with oai.responses.stream(model="mock:tool=look,reasoning=2,events=3", input="hello") as stream:
        final = stream.get_final_response()

    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
    assert final.output_text == "all work and "
    assert final.usage
    assert final.usage.output_tokens_details.reasoning_tokens == 2


def test_embeddings_models_moderations_images(oai: OpenAI) -> None:
    """The small endpoints decode to the SDK's types."""
    vectors = oai.embeddings.create(model="embed-x", input=["a", "b"])
    verdict = oai.moderations.create(model="omni-x", input="hello")
    image = oai.images.generate(model="image-x", prompt="a dot")

    assert [len(item.embedding) for item in vectors.data] == [16, 16]
    assert vectors.usage.prompt_tokens == 2
    assert "gpt-mock" in [model.id for model in oai.models.list()]
    assert verdict.results[0].flagged is False
    assert image.data
    assert image.data[0].b64_json


def test_messages_json_with_thinking_and_tool(ant: Anthropic) -> None:
    """A message holds a thinking block and a tool call, with cache counts outside the input."""
    reply = ant.messages.create(
        model="mock:reasoning=3,cached=40,cache_write=5,tool=look,input=7",
        max_tokens=64,
        tools=[{"name": "look", "input_schema": LOOK_SCHEMA}],
        messages=[{"role": "user", "content": "go"}],
    )

    thinking, call = reply.content
    assert thinking.type == "thinking"
    assert (thinking.thinking, bool(thinking.signature)) == ("all work and ", True)
    assert call.type == "tool_use"
    assert (call.name, call.input) == ("look", {"place": "sample place"})
    assert reply.stop_reason == "tool_use"
    usage = reply.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (7, 40, 5)


def test_messages_stream_helper(ant: Anthropic) -> None:
    """The SDK's helper gives the text, and one final message with usage from both ends of the stream."""
    with ant.messages.stream(
        model="mock:reasoning=2,input=9,output=11", max_tokens=64, messages=[{"role": "user", "content": "hello"}]
    ) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert text == "You said: hello"
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert (final.usage.input_tokens, final.usage.output_tokens) == (9, 11)


def test_messages_stream_tool_use(ant: Anthropic) -> None:
    """Streamed argument fragments become the call's input."""
    with ant.messages.stream(
        model="claude-x",
        max_tokens=64,
        tools=[{"name": "look", "input_schema": LOOK_SCHEMA}],
        messages=[{"role": "user", "content": "use the tool look."}],
    ) as stream:
        [call] = stream.get_final_message().content

    assert call.type == "tool_use"
    assert call.input == {"place": "sample place"}


def test_count_tokens_and_models(ant: Anthropic) -> None:
    """Anthropic's small endpoints decode to its SDK's types."""
    count = ant.messages.count_tokens(model="claude-x", messages=[{"role": "user", "content": "hello there"}])

    assert count.input_tokens == 2
    assert "claude-mock" in [model.id for model in ant.models.list()]


OPENAI_ERRORS = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    503: openai.InternalServerError,
}
ANTHROPIC_ERRORS = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    413: anthropic.RequestTooLargeError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    529: anthropic.OverloadedError,
}


@pytest.mark.parametrize("status", OPENAI_ERRORS)
def test_openai_errors_are_typed(oai: OpenAI, status: int) -> None:
    """Each status raises the SDK's own exception, with the request id and the retry time readable."""
    with pytest.raises(OPENAI_ERRORS[status]) as raised:
        oai.responses.create(model=f"mock:status={status},retry_after=3", input="hello")

    assert raised.value.request_id
    assert raised.value.response.headers["retry-after"] == "3"


@pytest.mark.parametrize("status", ANTHROPIC_ERRORS)
def test_anthropic_errors_are_typed(ant: Anthropic, status: int) -> None:
    """Each status raises the SDK's own exception, with the request id readable."""
    with pytest.raises(ANTHROPIC_ERRORS[status]) as raised:
        ant.messages.create(
            model=f"mock:status={status}", max_tokens=8, messages=[{"role": "user", "content": "hello"}]
        )

    assert raised.value.request_id


def test_error_events_raise(oai: OpenAI, ant: Anthropic) -> None:
    """An error inside a 200 stream raises in both SDKs, after the deltas before it."""
    with (
        oai.chat.completions.create(
            model="mock:error_event=2,events=9", messages=[{"role": "user", "content": "hello"}], stream=True
        ) as stream,
        pytest.raises(openai.APIError, match="server had an error"),
    ):
        list(stream)
    with (
        ant.messages.stream(
            model="mock:error_event=2,events=9", max_tokens=8, messages=[{"role": "user", "content": "hello"}]
        ) as events,
        pytest.raises(anthropic.APIStatusError, match="Overloaded"),
    ):
        events.get_final_message()


def test_a_cut_stream_raises(oai: OpenAI) -> None:
    """A connection that ends in the middle of the body is an error, not a short answer."""
    with (
        oai.chat.completions.create(
            model="mock:cut=900,events=99", messages=[{"role": "user", "content": "hello"}], stream=True
        ) as stream,
        pytest.raises(openai.APIConnectionError),
    ):
        list(stream)
