"""The endpoints that answer with one small JSON object."""

import base64
import re
import struct
from collections.abc import Iterator

import msgspec

from beyond_gateway.mock import chat, responses
from beyond_gateway.mock.ask import tokens_in
from beyond_gateway.mock.frames import Frame, Json, unnamed
from beyond_gateway.mock.plan import Ask

MODELS = ("gpt-mock", "gpt-mock-mini", "claude-mock", "llama-mock")
# The smallest valid PNG: one transparent pixel.
_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
_DIMENSIONS = 16
_CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
_FORM_MODEL = re.compile(rb'name="?model"?\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]*)\r\n')

Item = str | int | list[int] | dict[str, msgspec.Raw]


class InputBody(msgspec.Struct, frozen=True):
    """What embeddings, moderations and images say: texts or token lists under `input`, or a `prompt`."""

    model: str = ""
    input: str | list[Item] = ""
    prompt: str = ""
    encoding_format: str = "float"
    dimensions: int = _DIMENSIONS

    def items(self) -> list[Item]:
        """Return the inputs one by one; a bare list of numbers is one input of tokens."""
        if isinstance(self.input, str):
            return [self.input]
        numbers = [item for item in self.input if isinstance(item, int)]
        return [numbers] if numbers else self.input

    def tokens(self) -> int:
        """Tokens of all inputs and the prompt."""
        counts = [len(item) if isinstance(item, list) else tokens_in(str(item)) for item in self.items()]
        return sum(counts) if self.input else tokens_in(self.prompt)


def form_model(body: bytes) -> str:
    """Return the `model` field of a multipart form, empty when there is none."""
    found = _FORM_MODEL.search(body)
    return found[1].decode("utf-8", "replace") if found else ""


def embeddings(asked: InputBody) -> Json:
    """One unit-free vector per input, a function of its position; base64 floats when asked for, as the SDK does."""
    data: list[Json] = []
    for index in range(len(asked.items())):
        vector = [((index + at) % 7) / 8 for at in range(asked.dimensions)]
        packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        embedding = packed if asked.encoding_format == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    usage = {"prompt_tokens": asked.tokens(), "total_tokens": asked.tokens()}
    return {"object": "list", "data": data, "model": asked.model, "usage": usage}


def moderations(asked: InputBody) -> Json:
    """Nothing is ever flagged."""
    verdict = {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.0001),
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
    return {"id": "modr-mock", "model": asked.model, "results": [verdict for _ in asked.items()]}


def images(asked: InputBody) -> Json:
    """One image of one pixel."""
    tokens = asked.tokens()
    usage = {"input_tokens": tokens, "output_tokens": 1, "total_tokens": tokens + 1}
    details = {"input_tokens_details": {"text_tokens": tokens, "image_tokens": 0}}
    return {"created": chat.CREATED, "data": [{"b64_json": _PNG}], "usage": usage | details}


def transcription(_asked: InputBody) -> Json:
    """Return the same sentence for every recording."""
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 4, "total_tokens": 18}
    return {"text": "This is a recording.", "usage": usage}


def completion(ask: Ask) -> Json:
    """Return a legacy text completion."""
    head: Json = {"id": ask.id("cmpl-"), "object": "text_completion", "created": chat.CREATED, "model": ask.model}
    choice = {"text": ask.plan.whole(), "index": 0, "logprobs": None, "finish_reason": "stop"}
    return head | {"choices": [choice], "usage": chat.usage(ask)}


def completion_frames(ask: Ask) -> Iterator[Frame]:
    """Return a legacy text completion as chunks, ended by `[DONE]`."""
    head: Json = {"id": ask.id("cmpl-"), "object": "text_completion", "created": chat.CREATED, "model": ask.model}
    for piece in ask.plan.pieces():
        choice = {"text": piece, "index": 0, "logprobs": None, "finish_reason": None}
        yield unnamed(head | {"choices": [choice]}, delta=True)
    yield unnamed(head | {"choices": [{"text": "", "index": 0, "logprobs": None, "finish_reason": "stop"}]})
    if ask.body.include_usage:
        yield unnamed(head | {"choices": (), "usage": chat.usage(ask)})
    yield chat.DONE


def count_tokens(ask: Ask) -> Json:
    """Anthropic's count of a request's input."""
    return {"input_tokens": ask.plan.usage(inclusive=False).input}


def input_tokens(ask: Ask) -> Json:
    """OpenAI's count of a Responses request's input."""
    return {"object": "response.input_tokens"} | count_tokens(ask)


def compaction(ask: Ask) -> Json:
    """Return a Responses conversation folded into one opaque item."""
    item = {"id": ask.id("cmp_"), "type": "compaction", "encrypted_content": "bW9jaw=="}
    head: Json = {"id": ask.id("resp_"), "object": "response.compaction", "created_at": chat.CREATED}
    return head | {"output": [item], "usage": responses.usage(ask)}


def openai_models() -> Json:
    """OpenAI's list of models."""
    data = [{"id": name, "object": "model", "created": chat.CREATED, "owned_by": "mock"} for name in MODELS]
    return {"object": "list", "data": data}


def anthropic_models() -> Json:
    """Anthropic's list of models: one page."""
    data: list[Json] = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"} for name in MODELS
    ]
    return {"data": data, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
