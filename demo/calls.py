"""The calls of the demo: what a user of the stock SDKs writes, and what has to come back.

Each call names its model after itself, so that the usage rows can be told apart.
"""

import http.client
from collections.abc import Callable

import anthropic
import msgspec
import openai
from openai.types.chat import ChatCompletionMessageParam

from demo.processes import DemoError, Gateway, Row

BYO_KEY = "sk-byo-demo-0123456789"
YARDSTICK = "cerebras"  # the provider whose place our own provider process takes
PROMPT = "Say hello."
ANSWER = f"You said: {PROMPT}"
FORGED = "AuthenticationError 401"
VECTORS = "2 vectors of 16"
_ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": PROMPT}]


class Got(msgspec.Struct, frozen=True):
    """What the SDK handed to the user; token counts are None where the answer had none."""

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None


class Call(msgspec.Struct, frozen=True):
    """One line of the demo; `provider` is None when no usage row may come."""

    name: str
    run: Callable[[Gateway], Got]
    provider: str | None
    stream: bool = False
    answer: str = ANSWER  # what the text has to begin with


def chat_json(gateway: Gateway) -> Got:
    """Make a chat completion."""
    return _chat(f"{gateway.origin}/v1", gateway.key, "chat-json")


def provider_path(gateway: Gateway) -> Got:
    """Make a chat completion on a provider's own path."""
    return _chat(f"{gateway.origin}/groq/openai/v1", gateway.key, "groq-path")


def own_key(gateway: Gateway, provider_port: int) -> Got:
    """Make a chat completion under the user's own key, and look whether the provider got that key."""
    got = _chat(f"{gateway.origin}/{YARDSTICK}/v1", BYO_KEY, "own-key")
    if _keys_seen(provider_port, "own-key") != ["bearer " + BYO_KEY]:
        raise DemoError("the provider did not get the user's own key as it was sent")
    return msgspec.structs.replace(got, text=f"{got.text} [provider got {BYO_KEY[:7]}…]")


def pool_key(gateway: Gateway, provider_port: int) -> Got:
    """Make a chat completion under the managed key, and look whether the provider got its pool key instead."""
    got = _chat(f"{gateway.origin}/{YARDSTICK}/v1", gateway.key, "pool-key")
    [seen] = _keys_seen(provider_port, "pool-key")
    if gateway.key in seen or not seen:
        raise DemoError("the managed key was not swapped for the pool key")
    return msgspec.structs.replace(got, text=f"{got.text} [provider got {seen.partition(' ')[2][:9]}…]")


def forged_key(gateway: Gateway) -> Got:
    """Call with a signature that does not hold: the SDK raises its own AuthenticationError."""
    head, signature = gateway.key.rsplit(".", 1)
    other = "A" if signature[10] != "A" else "B"
    try:
        _chat(f"{gateway.origin}/v1", f"{head}.{signature[:10]}{other}{signature[11:]}", "forged-key")
    except openai.AuthenticationError as fault:
        return Got(f"{FORGED}: {fault.response.json()['error']['message']}")
    raise DemoError("a forged key was let in")


def chat_stream(gateway: Gateway) -> Got:
    """Stream a chat completion without asking for usage: the row has it, the user's loop never sees the event."""
    with (
        openai.OpenAI(base_url=f"{gateway.origin}/v1", api_key=gateway.key, max_retries=0) as client,
        client.chat.completions.create(model="chat-stream", messages=_ASK, stream=True) as stream,
    ):
        return Got("".join(chunk.choices[0].delta.content or "" for chunk in stream))


def responses_stream(gateway: Gateway) -> Got:
    """Stream a response."""
    with (
        openai.OpenAI(base_url=gateway.exports["OPENAI_BASE_URL"], api_key=gateway.key, max_retries=0) as client,
        client.responses.stream(model="responses-stream", input=PROMPT) as stream,
    ):
        final = stream.get_final_response()
    if final.usage is None:
        raise DemoError("the response has no usage")
    return Got(final.output_text, final.usage.input_tokens, final.usage.output_tokens)


def messages_json(gateway: Gateway) -> Got:
    """Make a message."""
    with _anthropic(gateway) as client:
        reply = client.messages.create(
            model="messages-json", max_tokens=64, messages=[{"role": "user", "content": PROMPT}]
        )
    text = "".join(block.text for block in reply.content if block.type == "text")
    return Got(text, reply.usage.input_tokens, reply.usage.output_tokens)


def messages_stream(gateway: Gateway) -> Got:
    """Stream a message."""
    with (
        _anthropic(gateway) as client,
        client.messages.stream(
            model="messages-stream", max_tokens=64, messages=[{"role": "user", "content": PROMPT}]
        ) as stream,
    ):
        text = "".join(stream.text_stream)
        usage = stream.get_final_message().usage
    return Got(text, usage.input_tokens, usage.output_tokens)


def embeddings(gateway: Gateway) -> Got:
    """Embed two texts."""
    with openai.OpenAI(base_url=f"{gateway.origin}/v1", api_key=gateway.key, max_retries=0) as client:
        reply = client.embeddings.create(model="embeddings", input=["one", "two"])
    return Got(f"{len(reply.data)} vectors of {len(reply.data[0].embedding)}", reply.usage.prompt_tokens)


def check_answer(call: Call, got: Got) -> None:
    """Compare what the SDK handed over with what was promised; `DemoError` names the difference."""
    if not got.text.startswith(call.answer):
        raise DemoError(f"the answer is {got.text!r}, expected {call.answer!r}")


def check_row(call: Call, got: Got, row: Row) -> None:
    """Compare a usage row with its call; `DemoError` names the difference."""
    wanted = {"provider": call.provider, "stream": call.stream, "outcome": "ok", "usage_estimated": False}
    for name, value in wanted.items():
        if getattr(row, name) != value:
            raise DemoError(f"usage row: {name} is {getattr(row, name)!r}, expected {value!r}")
    if not row.input_tokens:
        raise DemoError("usage row: no input tokens")
    for name in ("input_tokens", "output_tokens"):
        told = getattr(got, name)
        if told is not None and getattr(row, name) != told:
            raise DemoError(f"usage row: {name} is {getattr(row, name)}, the SDK was told {told}")


def plan(provider_port: int) -> list[Call]:
    """Return the demo's calls in order; `provider_port` is where our own provider process listens."""
    return [
        Call("openai chat", chat_json, "openai"),
        Call("openai chat, streamed", chat_stream, "openai", stream=True),
        Call("openai responses, streamed", responses_stream, "openai", stream=True),
        Call("openai embeddings", embeddings, "openai", answer=VECTORS),
        Call("anthropic messages", messages_json, "anthropic"),
        Call("anthropic messages, streamed", messages_stream, "anthropic", stream=True),
        Call("path /groq/openai/v1", provider_path, "groq"),
        Call("managed key is swapped", lambda gateway: pool_key(gateway, provider_port), YARDSTICK),
        Call("own key is passed on", lambda gateway: own_key(gateway, provider_port), None),
        Call("forged key is refused", forged_key, None, answer=FORGED),
    ]


def _chat(base_url: str, key: str, model: str) -> Got:
    with openai.OpenAI(base_url=base_url, api_key=key, max_retries=0) as client:
        reply = client.chat.completions.create(model=model, messages=_ASK)
    if reply.usage is None:
        raise DemoError("the completion has no usage")
    return Got(reply.choices[0].message.content or "", reply.usage.prompt_tokens, reply.usage.completion_tokens)


def _anthropic(gateway: Gateway) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=gateway.exports["ANTHROPIC_BASE_URL"], api_key=gateway.exports["ANTHROPIC_API_KEY"], max_retries=0
    )


class _Seen(msgspec.Struct, frozen=True):
    headers: list[tuple[str, str]]
    body: str = ""


class _SeenAll(msgspec.Struct, frozen=True):
    requests: list[_Seen]


def _keys_seen(port: int, model: str) -> list[str]:
    """Return the Authorization values, in lower case up to the key, that the provider got for this model."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/_mock/requests")
        seen = msgspec.json.decode(connection.getresponse().read(), type=_SeenAll)
    finally:
        connection.close()
    keys: list[str] = []
    for request in seen.requests:
        if f'"{model}"' in request.body:
            headers = {name.lower(): value for name, value in request.headers}
            scheme, _, key = headers["authorization"].partition(" ")
            keys.append(f"{scheme.lower()} {key}")
    return keys
