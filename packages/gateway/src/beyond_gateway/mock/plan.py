"""What the provider will say, decided before any wire format: text, reasoning, tool calls, usage."""

import re
from collections.abc import Iterator
from itertools import cycle, islice

import msgspec

from beyond_gateway.mock.ask import Body, Schema, tokens_in
from beyond_gateway.mock.directives import Directives
from beyond_gateway.mock.frames import encode
from beyond_gateway.mock.script import Counts, Entry, ToolCall

FILLER = "@filler@"  # stands for the text of a body whose size was asked for; the writer puts the bytes in
_FILLER_PIECE = 8192
_WORDS = ("all ", "work ", "and ", "no ", "play ")
_PIECES = re.compile(r"\S+\s*|\s+")
_ASKED_TOOL = re.compile(r"use the tool ([A-Za-z0-9_.-]+)")
_ECHO_LIMIT = 2_000  # characters of the prompt that the answer repeats
_SAMPLES: dict[str, object] = {"integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}, "null": None}


class Usage(msgspec.Struct, frozen=True):
    """Token counts as the vendor writes them: OpenAI's input includes cached tokens, Anthropic's does not."""

    input: int
    output: int
    cached: int
    cache_write: int
    cache_write_1h: int
    reasoning: int


class Plan(msgspec.Struct, frozen=True):
    """One answer, independent of its wire format."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    reasoning: str
    counts: Counts
    prompt_tokens: int
    events: int | None
    bytes: int | None

    def pieces(self) -> Iterator[str]:
        """Return the visible text in the pieces a stream sends."""
        if self.bytes:
            size = max(1, self.bytes // self.events) if self.events else min(_FILLER_PIECE, self.bytes)
            yield from ("x" * min(size, self.bytes - at) for at in range(0, self.bytes, size))
        elif self.events:
            yield from islice(cycle(_WORDS), self.events)
        else:
            yield from split(self.text)

    def whole(self) -> str:
        """Return the visible text of a JSON answer; `FILLER` when the body's size was asked for."""
        return FILLER if self.bytes else "".join(self.pieces())

    def usage(self, *, inclusive: bool, reasoning_in_output: bool = True) -> Usage:
        """Return the counts; `inclusive` is OpenAI's convention that input contains what was read from the cache."""
        counts = self.counts
        said = self.events or (max(1, self.bytes // 4) if self.bytes else len(split(self.text)))
        called = sum(tokens_in(call.name) + tokens_in(arguments_of(call)) for call in self.tool_calls)
        output = said + called + (counts.reasoning if reasoning_in_output else 0)
        return Usage(
            input=counts.input if counts.input is not None else self.prompt_tokens + counts.cached * inclusive,
            output=counts.output if counts.output is not None else output,
            cached=counts.cached,
            cache_write=counts.cache_write,
            cache_write_1h=counts.cache_write_1h,
            reasoning=counts.reasoning,
        )


class Ask(msgspec.Struct, frozen=True):
    """A request together with its planned answer: all that a wire format needs to write it."""

    body: Body
    directives: Directives
    plan: Plan
    serial: int  # counts the answers of this provider; the ids are made from it

    @property
    def model(self) -> str:
        """The model name of the answer."""
        return self.directives.resolved or self.body.model

    def id(self, prefix: str) -> str:
        """Return an id of this answer in the vendor's form."""
        return f"{prefix}mock{self.serial:08d}"


def plan(body: Body, directives: Directives, entry: Entry | None) -> Plan:
    """Return the answer to a request: the script's entry where there is one, else an echo that obeys the directives."""
    if entry:
        calls, text, reasoning = entry.tool_calls, entry.text or "", entry.reasoning
        counts = entry.usage or Counts()
    else:
        calls = _asked_calls(body, directives)
        text = "" if calls else _echo(body)
        reasoning = "".join(islice(cycle(_WORDS), directives.reasoning))
        counts = msgspec.convert(directives, Counts, from_attributes=True)
    return Plan(text, calls, reasoning, counts, body.prompt_tokens, directives.events, directives.bytes)


def split(text: str) -> list[str]:
    """Return the text as words, each with the blanks that follow it; joined they are the text."""
    return _PIECES.findall(text)


def arguments_of(call: ToolCall) -> str:
    """Return the call's arguments as the JSON text OpenAI sends."""
    return encode(call.arguments).decode()


def _echo(body: Body) -> str:
    if body.tool_text is not None:
        return f"The tool said: {body.tool_text[:_ECHO_LIMIT]}"
    return f"You said: {body.user_text[:_ECHO_LIMIT]}"


def _asked_calls(body: Body, directives: Directives) -> tuple[ToolCall, ...]:
    """Return a forced or asked-for call; none once the tool has answered, so that an agent's loop ends."""
    if body.tool_text is not None:
        return ()
    tools = dict(tool.named() for tool in body.tools or ())
    asked = _ASKED_TOOL.search(body.user_text)
    name = directives.tool or (asked[1].rstrip(".") if asked else "")
    if name in tools or directives.tool:
        return (ToolCall(name, _sample(tools.get(name, Schema()))),)
    return ()


def _sample(schema: Schema) -> dict[str, object]:
    """Arguments that fit the schema's first level."""
    return {name: _sample_value(name, field) for name, field in schema.properties.items()}


def _sample_value(name: str, field: Schema) -> object:
    kind = field.type if isinstance(field.type, str) else next(iter(field.type), "string")
    if kind == "object" and field.properties:
        return _sample(field)
    return _SAMPLES.get(kind, f"sample {name}")
