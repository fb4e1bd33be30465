"""The tool seam: what a harness gives the model to call, and what a call gets and returns.

A tool is anything with a name, a description, a JSON schema and a `run`. `@tool` makes one from an annotated function.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import msgspec

from beyond_agent_core.errors import ConfigError
from beyond_wire.types import ImageSource, ToolDef

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator


class ToolOutput(msgspec.Struct, frozen=True, kw_only=True):
    """What a call returns: `text` for the model, `details` for watchers; `terminate` asks for the end of the run."""

    text: str
    images: tuple[ImageSource, ...] = ()
    is_error: bool = False
    terminate: bool = False
    details: dict[str, Any] | None = None


class ToolContext:
    """What a call knows: its id, whether the model sees images, and whether anybody still waits for it.

    `progress` is given all that the call has put out so far, from any thread; what comes after the end is dropped.
    """

    __slots__ = ("_cancelled", "call_id", "progress", "vision")

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
        self.progress = progress
        self._cancelled = cancelled

    @property
    def cancelled(self) -> bool:
        """Whether the call should end, because nobody waits for its result."""
        return self._cancelled()


Returned: TypeAlias = ToolOutput | str


class Tool(Protocol):
    """One tool. `run` may be a plain function, which runs in a worker thread.

    Optional, by default absent: `exclusive` (this turn runs its calls one at a time), `read_only`, and
    `write_target(input)`, the canonical path that a call will write.
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

    def __init__(self, function: Callable[..., Any], *, exclusive: bool = False, read_only: bool = False) -> None:
        self.name = function.__name__
        self.description = inspect.cleandoc(function.__doc__ or "")
        self.exclusive = exclusive
        self.read_only = read_only
        self._function = function
        hints = inspect.get_annotations(function, eval_str=True)
        parameters = inspect.signature(function).parameters
        self._context = next((name for name in parameters if hints.get(name) is ToolContext), None)
        fields: list[Any] = []
        for name, parameter in parameters.items():
            if name == self._context:
                continue
            if name not in hints:
                raise ConfigError(self.name, f"parameter {name} has no annotation")
            given = parameter.default is not inspect.Parameter.empty
            fields.append((name, hints[name], parameter.default) if given else (name, hints[name]))
        self._input: type[msgspec.Struct] = msgspec.defstruct(self.name, fields, kw_only=True)
        self.input_schema: dict[str, Any] = _inlined(msgspec.json.schema(self._input))

    def run(self, given: dict[str, Any], context: ToolContext) -> Awaitable[Returned] | Returned:
        """Call the function with `given`, which has been checked."""
        arguments = msgspec.structs.asdict(msgspec.convert(given, self._input, strict=False))
        if self._context is not None:
            arguments[self._context] = context
        return cast("Awaitable[Returned] | Returned", self._function(**arguments))

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self._function)

    def __repr__(self) -> str:
        return f"<tool {self.name}>"


def tool(function: Callable[..., Any]) -> FunctionTool:
    """Make a tool of an annotated function: its name, its docstring, a schema of its parameters.

    A parameter annotated `ToolContext` gets the context. Raises ConfigError for a parameter without annotation.
    """
    return FunctionTool(function)


class ToolRegistry:
    """The tools of an agent by name; the last registration of a name wins."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for each in tools:
            self.register(each)

    def register(self, added: Tool) -> None:
        """Add a tool. Raises ConfigError for one without a name or whose schema is no object's."""
        if not added.name:
            raise ConfigError("tools", f"{type(added).__name__} has no name")
        if added.input_schema.get("type", "object") != "object":
            raise ConfigError(f"tools.{added.name}", "its input schema must be an object's")
        self._tools[added.name] = added

    def get(self, name: str) -> Tool | None:
        """Return the tool of this name."""
        return self._tools.get(name)

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


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the one object that a schema of msgspec's defines, without the reference around it."""
    definitions = cast("dict[str, dict[str, Any]]", schema.get("$defs", {}))
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    inner = dict(definitions.get(reference, schema))
    inner.pop("title", None)
    others = {name: value for name, value in definitions.items() if name != reference}
    return inner | ({"$defs": others} if others else {})
