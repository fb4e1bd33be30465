"""The vocabulary of every dialect: blocks, messages, tools, a request, stream events, a turn, and what a model can do.

A dialect turns a `ModelRequest` into a provider's bytes, and a provider's bytes into `StreamEvent`s or a `Turn`; all
others know only the names below. Values are frozen and keyword-only, sequences are tuples, so that a message can be
shared between requests and a changed value is a new value (`msgspec.structs.replace`).

As JSON, the kind stands in `type`, an optional field that is unset is left out, and unknown fields are ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Role: TypeAlias = Literal["system", "user", "assistant"]
"""Who speaks in a message. `prepare` moves what `system` messages say to the system text of the request."""

StopReason: TypeAlias = Literal["end_turn", "tool_use", "max_tokens", "stop_sequence", "refusal", "aborted", "other"]
"""Why the model ended its turn; `other` is a word of the provider that has no name here."""

Effort: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh"]
"""How hard a reasoning model thinks, in rising order."""

EFFORTS: tuple[Effort, ...] = ("minimal", "low", "medium", "high", "xhigh")
"""The levels of `Effort` from least to most (wire contract, types)."""

DialectName: TypeAlias = Literal["chat", "responses", "anthropic"]
"""OpenAI Chat Completions, OpenAI Responses, Anthropic Messages."""


class ImageSource(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="base64"):
    """One image: its media type, such as `image/png`, and its bytes as base64 text."""

    media_type: str
    data: str


class TextBlock(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="text"):
    """Visible text. `id` and `phase` are what Responses wants to see again when its own text is replayed."""

    text: str
    id: str | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class ThinkingBlock(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="thinking"):
    """Reasoning. `signature` is the provider's replay data, in that provider's form; empty when unsigned."""

    thinking: str
    signature: str = ""


class RedactedThinkingBlock(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="redacted_thinking"):
    """Reasoning the provider keeps encrypted; `data` is replayed as it came."""

    data: str


class ToolUseBlock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="tool_use"):
    """One call of a tool. `input` is the decoded argument object; nobody changes it in place."""

    id: str
    name: str
    input: dict[str, Any]
    thought_signature: str | None = None


class ToolResultBlock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="tool_result"):
    """What the model sees of one call: text, images after it, and whether the call failed."""

    tool_use_id: str
    content: str
    # A factory's value is written even when it is the default: `is_error` is not one of the optional fields.
    is_error: bool = msgspec.field(default_factory=bool)
    images: tuple[ImageSource, ...] = ()


class ImageBlock(msgspec.Struct, frozen=True, kw_only=True, tag="image"):
    """One image in a user message."""

    source: ImageSource


ContentBlock: TypeAlias = (
    TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock | ToolResultBlock | ImageBlock
)
"""One piece of a message, told apart by `type`."""


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tokens of one turn. `input_tokens` is uncached input only.

    `cache_write_1h_tokens` is a part of `cache_write_tokens`, `reasoning_tokens` a part of `output_tokens`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message: a role and its blocks, then facts for storage only, which no provider ever sees.

    `model_id` names the model that made an assistant message. A message that is `aborted` or carries an `error_message`
    is kept in the history and never sent.
    """

    role: Role
    content: tuple[ContentBlock, ...]
    model_id: str | None = None
    stop_reason: StopReason | None = None
    usage: TokenUsage | None = None
    error_message: str | None = None
    aborted: bool = False


class ToolDef(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as the model is told of it; `input_schema` is a JSON Schema object."""

    name: str
    description: str
    input_schema: dict[str, Any]


class Thinking(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A request for reasoning of at most `budget_tokens`; `display` is Anthropic's word for how much of it is shown."""

    budget_tokens: int
    display: str | None = None


class NamedTool(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="tool"):
    """The choice of one tool, which the model must call."""

    name: str


ToolChoice: TypeAlias = Literal["auto", "none", "required"] | NamedTool
"""Whether the model may, must not or must call a tool, or which one."""


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request to a model, before any dialect. Unset options are not sent.

    `cache_key` names the conversation for prompt caches and sticky routing; `cache_long` asks for the long retention,
    `no_cache` for none. `block_images` replaces all images by a text, also for a model that could see them.
    """

    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    system: str | None = None
    tools: tuple[ToolDef, ...] = ()
    thinking: Thinking | None = None
    reasoning_effort: Effort | None = None
    tool_choice: ToolChoice | None = None
    temperature: float | None = None
    cache_key: str | None = None
    cache_long: bool = False
    no_cache: bool = False
    user_id: str | None = None
    reasoning_summary: Literal["auto", "detailed", "concise"] | None = None
    service_tier: Literal["auto", "default", "flex", "priority"] | None = None
    stream: bool = True
    block_images: bool = False


class MessageStart(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="message_start"):
    """The answer begins; once, first."""


class TextDelta(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="text_delta"):
    """More visible text. `index` numbers blocks 0, 1, 2… in order of opening, here and in all events below."""

    index: int
    text: str


class ThinkingDelta(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="thinking_delta"):
    """More reasoning text."""

    index: int
    text: str


class SignatureDelta(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="signature_delta"):
    """More of the signature of a thinking block."""

    index: int
    signature: str


class RedactedThinking(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="redacted_thinking"):
    """A whole block of encrypted reasoning."""

    index: int
    data: str


class ToolUseStart(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="tool_use_start"):
    """A call begins; its arguments follow."""

    index: int
    id: str
    name: str


class InputJsonDelta(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="input_json_delta"):
    """More of the argument text of a call; a fragment may end anywhere."""

    index: int
    partial_json: str


class InputJsonFinal(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="input_json_final"):
    """The whole argument text of a call; replaces the deltas of that block."""

    index: int
    full_json: str


class TextFinal(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="text_final"):
    """The whole text of a block with its replay data; replaces the deltas of that block."""

    index: int
    text: str
    id: str | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class ContentBlockStop(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="content_block_stop"):
    """The block is complete; every opened block gets exactly one."""

    index: int


class UsageEvent(TokenUsage, frozen=True, kw_only=True, gc=False, tag="usage"):
    """The cost of the answer, as the fields of `TokenUsage`; once, before the end."""


class MessageStop(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="message_stop"):
    """The answer is complete; once, last. `detail` is the provider's own word when `stop_reason` is `other`."""

    stop_reason: StopReason
    detail: str | None = None


StreamEvent: TypeAlias = (
    MessageStart
    | TextDelta
    | ThinkingDelta
    | SignatureDelta
    | RedactedThinking
    | ToolUseStart
    | InputJsonDelta
    | InputJsonFinal
    | TextFinal
    | ContentBlockStop
    | UsageEvent
    | MessageStop
)
"""One normalised piece of an answer: what all decoders speak."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One whole answer. `bad_args` maps the id of a call to its argument text that is no JSON object."""

    message: Message
    stop_reason: StopReason = "end_turn"
    usage: TokenUsage = TokenUsage()
    bad_args: dict[str, str] = {}


class Caps(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a model can do and how it wants to be asked; the defaults are the row of an unknown model.

    Sizes are in tokens. `thinking` says how reasoning is asked for: not at all, by a budget, by an effort within which
    the model adapts (`adaptive`), or by an effort alone. `efforts` holds the levels the model has, rising. `xhigh_word`
    is what `xhigh` is called on the wire. `can_disable` says whether thinking can be switched off. `eager_tools` is
    Anthropic's eager tool streaming. `temperature` says whether one may be sent. `dialect` is the format the request
    will be encoded in.
    """

    window: int = 128_000
    max_output: int = 4_096
    output_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    thinking: Literal["none", "budget", "adaptive", "effort"] = "none"
    efforts: tuple[Effort, ...] = ()
    xhigh_word: str = "xhigh"
    can_disable: bool = False
    vision: bool = False
    long_cache: bool = False
    eager_tools: bool = False
    temperature: bool = True
    dialect: DialectName = "chat"

    def effort(self, asked: Effort | Literal["off"]) -> Effort | None:
        """Return the level of this model for `asked`; None when thinking is off or the model has no levels.

        A level above what the model has becomes its highest, one below its floor its floor, and `off` the floor where
        thinking cannot be switched off (wire contract, capabilities).
        """
        if not self.efforts or (asked == "off" and self.can_disable):
            return None
        reached = self.efforts[0]
        if asked != "off":
            for level in self.efforts:
                if EFFORTS.index(level) <= EFFORTS.index(asked):
                    reached = level
        return reached

    def spoken(self, dialect: DialectName) -> Caps:
        """Return these abilities for a request in `dialect`, whichever the model's id suggests."""
        return self if self.dialect == dialect else msgspec.structs.replace(self, dialect=dialect)


class StreamDecoder(Protocol):
    """One streamed answer: bytes in, events out. After its terminal event it ignores all further bytes."""

    @property
    def usage(self) -> TokenUsage:
        """Usage known so far, also after a fault; per field the last known value, zero while nothing is known."""
        ...

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Events that `chunk` completes, in order; empty when it completes none.

        Raises `WireError`, whose `.events` are what the same chunk gave before the fault. `RuntimeError` after
        `finish`: a caller's bug.
        """
        ...

    def finish(self) -> list[StreamEvent]:
        """Events that the end of the body completes. Raises `StreamTruncated` when the answer is unfinished."""
        ...


class Dialect(Protocol):
    """One wire format: a request to bytes, bytes to an answer. What differs between vendors is in `Caps`."""

    @property
    def name(self) -> DialectName:
        """Name of the format."""
        ...

    @property
    def path(self) -> str:
        """Path of the endpoint, beginning with `/v1/`."""
        ...

    def headers(self, request: ModelRequest, caps: Caps) -> dict[str, str]:
        """Headers of this request beyond content type and credentials, names in lower case."""
        ...

    def encode(self, request: ModelRequest, caps: Caps) -> bytes:
        """Body of the request, its history made fit by `prepare`; the same request gives the same bytes.

        Raises `EncodeError` naming the field that cannot be encoded.
        """
        ...

    def encode_prepared(self, request: ModelRequest, caps: Caps, *, source: ModelRequest | None = None) -> bytes:
        """Body of a request that has been through `prepare` or a `Preparer`; its history is not looked at again.

        `source` is the request before that, in whose places an `EncodeError` names the field; `request` by default.
        """
        ...

    def decoder(self) -> StreamDecoder:
        """Return a new decoder for one streamed answer."""
        ...

    def decode_body(self, body: bytes) -> Turn:
        """Turn in a whole answer, equal to what its stream would give. Raises `ProviderError` or `BodyInvalid`."""
        ...


def user(text: str) -> Message:
    """User message of one text block."""
    return Message(role="user", content=(TextBlock(text=text),))


def user_with_images(text: str, images: Iterable[ImageSource]) -> Message:
    """User message of `text`, unless that is blank, and then the images."""
    pictures = tuple(ImageBlock(source=image) for image in images)
    return Message(role="user", content=(TextBlock(text=text), *pictures) if text.strip() else pictures)


def assistant(blocks: Iterable[ContentBlock]) -> Message:
    """Assistant message of these blocks."""
    return Message(role="assistant", content=tuple(blocks))


def tool_results(blocks: Iterable[ToolResultBlock]) -> Message:
    """User message with the results of a turn; all of them belong into one."""
    return Message(role="user", content=tuple(blocks))


def tool_uses(message: Message) -> Iterator[ToolUseBlock]:
    """Calls of a message, in order."""
    return (block for block in message.content if isinstance(block, ToolUseBlock))


def usage_event(usage: TokenUsage) -> UsageEvent:
    """Event that reports these counts."""
    return UsageEvent(**msgspec.structs.asdict(usage))
