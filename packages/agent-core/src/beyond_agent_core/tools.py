"""The tool seam: what a harness gives the model to call, and what a call gets and returns.

A tool is anything with a name, a description, a JSON schema and a `run`. `@tool` makes one from an annotated function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, cast, overload

import msgspec

from beyond_agent_core.errors import ConfigError, InvalidInput
from beyond_agent_core.schema import Checker
from beyond_wire.types import ImageSource, ToolDef

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Iterator

    from beyond_agent_core.schema import Checked
    from beyond_wire.types import ToolUseBlock


class ToolOutput(msgspec.Struct, frozen=True, kw_only=True):
    """What a call returns: `text` for the model, `details` for watchers; `terminate` asks for the end of the run."""

    text: str
    images: tuple[ImageSource, ...] = ()
    is_error: bool = False
    terminate: bool = False
    details: dict[str, Any] | None = None


class ToolContext:
    """What a call knows: its id, whether the model sees images, and whether anybody still waits for it."""

    __slots__ = ("_cancelled", "_told", "call_id", "vision")

    def __init__(
        self,
        call_id: str,
        *,
        vision: bool,
        cancelled: Callable[[], bool],
        progress: Callable[[str, dict[str, Any] | None], None],
    ) -> None:
        self.call_id = call_id
        self.vision = vision
        self._told = progress
        self._cancelled = cancelled

    def progress(self, snapshot: str, details: dict[str, Any] | None = None) -> None:
        """Tell all that the call has put out so far, from any thread; what comes after the end is dropped."""
        self._told(snapshot, details)

    @property
    def cancelled(self) -> bool:
        """Whether the call should end, because nobody waits for its result."""
        return self._cancelled()


Returned: TypeAlias = ToolOutput | str
Target: TypeAlias = Callable[[dict[str, Any]], str | None]
"""Names the canonical path that a call with this input writes or reads, None for none."""
NAME_CHARACTERS: Final = 64
"""Characters of a name that all providers take."""


class Tool(Protocol):
    """One tool. `run` may be a plain function, which runs in a worker thread.

    Optional, by default absent: `exclusive` (this turn runs its calls one at a time), `read_only` (for gates), and
    `write_target(input)` and `read_target(input)`, the canonical paths that a call will write or read.
    """

    @property
    def name(self) -> str:
        """What the model calls it by."""
        ...

    @property
    def description(self) -> str:
        """What it does, for the model."""
        ...

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON schema of its input, an object."""
        ...

    @property
    def run(self) -> Callable[[dict[str, Any], ToolContext], Awaitable[Returned] | Returned]:
        """Do the work. Raises `InvalidInput` or `ExecutionFailed`, which the model is told."""
        ...


class FunctionTool:
    """A tool made of a function; its schema comes from the annotations."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        exclusive: bool = False,
        read_only: bool = False,
        write_target: Target | None = None,
        read_target: Target | None = None,
    ) -> None:
        self.name = function.__name__
        self.description = inspect.cleandoc(function.__doc__ or "")
        self.exclusive = exclusive
        self.read_only = read_only
        self.write_target = write_target
        self.read_target = read_target
        self._function = function
        fields, self._context = _parameters(function)
        try:
            self._input: type[msgspec.Struct] = msgspec.defstruct(self.name, fields, kw_only=True)
            self.input_schema: dict[str, Any] = _inlined(msgspec.json.schema(self._input))
        except TypeError as error:
            raise ConfigError(self.name, str(error)) from error

    def run(self, given: dict[str, Any], context: ToolContext) -> Awaitable[Returned] | Returned:
        """Call the function. Raises InvalidInput for what its types do not take."""
        try:
            taken = msgspec.convert(given, self._input)
        except msgspec.ValidationError as error:
            raise InvalidInput(str(error)) from None
        arguments = msgspec.structs.asdict(taken)
        if self._context is not None:
            arguments[self._context] = context
        return cast("Awaitable[Returned] | Returned", self._function(**arguments))

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self._function)

    def __repr__(self) -> str:
        return f"<tool {self.name}>"


@overload
def tool(function: Callable[..., Any], /) -> FunctionTool: ...
@overload
def tool(
    *,
    exclusive: bool = False,
    read_only: bool = False,
    write_target: Target | None = None,
    read_target: Target | None = None,
) -> Callable[[Callable[..., Any]], FunctionTool]: ...
def tool(
    function: Callable[..., Any] | None = None, /, **options: Any
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a tool of an annotated function: its name, its docstring, a schema of its parameters.

    A parameter annotated `ToolContext` gets the context. `@tool(...)` takes the optional parts of a tool. Raises
    ConfigError for a parameter without annotation, or of a type that JSON has no schema for.
    """
    if function is not None:
        return FunctionTool(function, **options)
    return lambda decorated: FunctionTool(decorated, **options)


class ToolRegistry:
    """The tools of an agent by name; the last registration of a name wins.

    Made of another registry, it shares what that one has compiled of their schemas: who makes many agents of the same
    tools makes one registry first.
    """

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        self._checkers: dict[str, Checker] = {}
        if isinstance(tools, ToolRegistry):
            self._tools |= tools._tools  # noqa: SLF001 - one of our own
            self._checkers |= tools._checkers  # noqa: SLF001 - one of our own
            return
        for each in tools:
            self.register(each)

    def register(self, added: Tool) -> None:
        """Add a tool. Raises ConfigError for a name that providers refuse, or a schema that cannot be checked."""
        name = added.name
        if not valid_name(name):
            raise ConfigError("tools", f"the name {name!r} is not 1 to {NAME_CHARACTERS} of A-Z, a-z, 0-9, _ and -")
        checker = Checker(added.input_schema, f"tools.{name}")
        self._tools[name], self._checkers[name] = added, checker

    def get(self, name: str) -> Tool | None:
        """Return the tool of this name."""
        return self._tools.get(name)

    def check(self, name: str, given: dict[str, Any]) -> Checked:
        """Return the arguments that the tool of this name gets. Raises InvalidInput that lists every fault."""
        return self._checkers[name].check(given)

    def targets(self, call: ToolUseBlock) -> tuple[str | None, str | None]:
        """Return the paths that a call read and wrote, where its tool tells and its arguments are right."""
        tool = self._tools.get(call.name)
        if tool is None:
            return None, None
        try:
            given = self.check(call.name, call.input).input
        except InvalidInput:
            return None, None
        return target_of(tool, "read_target", given), target_of(tool, "write_target", given)

    def retain(self, keep: Callable[[Tool], bool]) -> None:
        """Drop the tools that `keep` is not true of."""
        self._tools = {name: each for name, each in self._tools.items() if keep(each)}

    def definitions(self) -> tuple[ToolDef, ...]:
        """Return what the model is told, sorted by name."""
        return tuple(
            ToolDef(name=each.name, description=each.description, input_schema=each.input_schema)
            for each in sorted(self._tools.values(), key=lambda one: one.name)
        )

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)


def valid_name(name: str) -> bool:
    """Whether all providers take a tool of this name: letters, digits, _ and - of ASCII."""
    plain = name.replace("_", "a").replace("-", "a")
    return len(name) <= NAME_CHARACTERS and plain.isascii() and plain.isalnum()


def target_of(tool: Tool, which: Literal["read_target", "write_target"], given: dict[str, Any]) -> str | None:
    """Return the path that a tool names for this input; None where it names none, or fails to."""
    target: Target | None = getattr(tool, which, None)
    if target is None:
        return None
    try:
        found = target(given)
    except Exception:  # noqa: BLE001 - the call itself will say what is wrong with its input
        return None
    # A path that is no text, such as a Path, would meet others that are.
    return None if found is None else str(found)


def _parameters(function: Callable[..., Any]) -> tuple[list[Any], str | None]:
    """Return a function's parameters as fields of a struct, and the name of the one that gets the context.

    What it returns is not looked at: that type is often imported for type checkers only.
    """
    name = function.__name__
    written = {key: value for key, value in inspect.get_annotations(function).items() if key != "return"}
    holder = type(name, (), {"__annotations__": written})
    try:
        hints = inspect.get_annotations(holder, globals=getattr(function, "__globals__", {}), eval_str=True)
    except NameError as error:
        raise ConfigError(name, f"an annotation cannot be read: {error}") from None
    fields: list[Any] = []
    context = None
    for key, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ConfigError(name, f"parameter {key} cannot be given by name")
        if key not in hints:
            raise ConfigError(name, f"parameter {key} has no annotation")
        if hints[key] is ToolContext:
            context = key
        elif parameter.default is inspect.Parameter.empty:
            fields.append((key, hints[key]))
        else:
            fields.append((key, hints[key], parameter.default))
    return fields, context


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the one object that a schema of msgspec's defines, without the reference around it."""
    definitions = cast("dict[str, dict[str, Any]]", schema.get("$defs", {}))
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    inner = dict(definitions.get(reference, schema))
    inner.pop("title", None)
    others = {name: value for name, value in definitions.items() if name != reference}
    return inner | ({"$defs": others} if others else {})
