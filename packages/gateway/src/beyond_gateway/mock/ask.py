"""A generation request, read leniently: what the provider needs of it, from any of the wire formats."""

import msgspec


class Part(msgspec.Struct, frozen=True):
    """One content part; a tool result holds further parts in `content`."""

    type: str = ""
    text: str | None = None
    content: "str | tuple[Part, ...] | None" = None


Content = str | tuple[Part, ...] | None


class Message(msgspec.Struct, frozen=True):
    """A chat message, an Anthropic message or a Responses input item."""

    role: str = ""
    type: str = ""
    content: Content = None
    output: Content = None

    @property
    def is_tool_result(self) -> bool:
        """True when this message answers a tool call in any of the formats."""
        if self.role == "tool" or self.type == "function_call_output":
            return True
        return isinstance(self.content, tuple) and any(part.type == "tool_result" for part in self.content)


class Schema(msgspec.Struct, frozen=True):
    """The part of a JSON schema that sample arguments are made from."""

    type: str | tuple[str, ...] = "object"
    properties: "dict[str, Schema]" = {}


class Function(msgspec.Struct, frozen=True):
    """The function of a Chat Completions tool."""

    name: str = ""
    parameters: Schema | None = None


class Tool(msgspec.Struct, frozen=True):
    """A tool definition in any of the formats."""

    name: str = ""
    function: Function | None = None
    parameters: Schema | None = None
    input_schema: Schema | None = None

    def named(self) -> tuple[str, Schema]:
        """Return the tool's name and its schema."""
        if self.function:
            return self.function.name, self.function.parameters or Schema()
        return self.name, self.parameters or self.input_schema or Schema()


class StreamOptions(msgspec.Struct, frozen=True):
    """Chat's `stream_options`."""

    include_usage: bool | None = False


class Body(msgspec.Struct, frozen=True):
    """The request body; unknown fields are ignored, wrong types are the caller's fault."""

    model: str = ""
    messages: tuple[Message, ...] = ()
    input: str | tuple[Message, ...] | None = None
    prompt: str | tuple[str, ...] | None = None
    system: Content = None
    instructions: str | None = None
    tools: tuple[Tool, ...] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None

    @property
    def include_usage(self) -> bool:
        """True when a chat stream shall end with the extra usage event."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def turns(self) -> tuple[Message, ...]:
        """The conversation, whichever field carries it."""
        if self.messages:
            return self.messages
        told = self.input if self.input is not None else self.prompt
        if told is None:
            return ()
        if isinstance(told, str):
            return (Message(role="user", content=told),)
        return tuple(Message(role="user", content=turn) if isinstance(turn, str) else turn for turn in told)

    @property
    def user_text(self) -> str:
        """Text of the last user message that has any, else empty."""
        for turn in reversed(self.turns):
            if turn.role == "user" and (text := text_of(turn.content, nested=False)):
                return text
        return ""

    @property
    def tool_text(self) -> str | None:
        """What the tool answered, when the conversation ends with that; else None."""
        if not self.turns or not self.turns[-1].is_tool_result:
            return None
        return text_of(self.turns[-1].content) + text_of(self.turns[-1].output)

    @property
    def prompt_tokens(self) -> int:
        """A deterministic count: four UTF-8 bytes of text to the token, at least one."""
        texts = [text_of(self.system), self.instructions or ""]
        texts += [text_of(turn.content) + text_of(turn.output) for turn in self.turns]
        return tokens_in("".join(texts))


def text_of(content: Content, *, nested: bool = True) -> str:
    """Return all text in a message's content, that of tool results only when `nested`."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join((part.text or "") + (text_of(part.content) if nested else "") for part in content)


def tokens_in(text: str) -> int:
    """Return the token count the provider claims for this text."""
    return max(1, len(text.encode()) // 4)
