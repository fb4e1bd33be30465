"""The settings of a command, out of their layers: flag, variable, the project's file, the own file, built-in.

A project's file counts only where the project is trusted: it can name another gateway, which would get the key.
Contract: agent contract, commands and places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from msgspec.structs import replace

from beyond_agent.errors import UsageError
from beyond_agent.flags import EXCLUSIVE, FLAGS, read_text, read_value
from beyond_agent.machine.files import LocalFiles
from beyond_agent.options import built_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from beyond_agent.options import Options

MODEL_KEYS: Final = ("context_window", "max_output", "dialect", "vision", "thinking")
"""Abilities of a model that a file may state (agent contract, model routing)."""
_THINKING: Final = ("none", "budget", "adaptive", "effort")
_DIALECTS: Final = ("anthropic", "chat", "responses")


def settle(command: str, given: dict[str, Any], environ: Mapping[str, str], files: Sequence[str]) -> Options:
    """Return the settings of `command`; `files` from the weakest to the strongest, those missing are passed over.

    Raises UsageError for an unknown key, a value of the wrong kind, or settings that exclude each other.
    """
    values: dict[str, Any] = {}
    models: dict[str, dict[str, Any]] = {}
    for file in files:
        values = _above(values, _without_rivals(_from_file(file, command, models), given), f"{file}: ")
    values = _above(values, _without_rivals(_from_environment(environ, command), given), "")
    stated = values | given
    options = replace(built_in(command), **stated, models=models, stated=frozenset(stated))
    if options.max_cost is not None and options.prices is None:
        raise UsageError("--max-cost: needs --prices IN,OUT, the prices of a million tokens")
    return options


def _from_environment(environ: Mapping[str, str], command: str) -> dict[str, Any]:
    had = (flag for flag in FLAGS if flag.only in (None, command))
    return {
        flag.field: read_text(flag, text, flag.environment) for flag in had if (text := environ.get(flag.environment))
    }


def _above(weaker: dict[str, Any], layer: dict[str, Any], source: str) -> dict[str, Any]:
    """Return the values of two layers. Raises UsageError where the stronger, from `source`, excludes itself."""
    flags = {flag.name: flag for flag in FLAGS}
    for group in EXCLUSIVE:
        both = [flags[name] for name in group if _chooses(layer.get(flags[name].field))]
        if len(both) > 1:
            named = [flag.key if source else flag.environment for flag in both]
            raise UsageError(f"{source}{' and '.join(named)} exclude each other; keep one")
    return _without_rivals(weaker, layer) | layer


def _without_rivals(values: dict[str, Any], stronger: dict[str, Any]) -> dict[str, Any]:
    """Return the values of weaker layers without those that a stronger one excludes."""
    fields = {flag.name: flag.field for flag in FLAGS}
    groups = (group for group in EXCLUSIVE if any(_chooses(stronger.get(fields[name])) for name in group))
    rivals = {fields[name] for group in groups for name in group}
    return {name: value for name, value in values.items() if name not in rivals}


def _chooses(value: object) -> bool:
    """Whether a value is one that others may exclude: a switch that is off is none."""
    return value is not None and value is not False


def _from_file(file: str, command: str, models: dict[str, dict[str, Any]]) -> dict[str, Any]:
    try:
        text = LocalFiles().read(file)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    import tomllib  # noqa: PLC0415 - most starts read no file

    try:
        table = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        # Besides its own errors and those of bytes: a number of thousands of digits, and lists that nest as deep.
        raise UsageError(f"{file}: is no TOML: {error}") from None
    known = {flag.key: flag for flag in FLAGS}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key == "models":
            _add_models(models, value, file)
        elif key not in known:
            raise UsageError(f"{file}: {key}: there is no such setting{_nearest(key, known)}")
        elif known[key].only in (None, command):
            values[known[key].field] = read_value(known[key], value, f"{file}: {key}")
    return values


def _add_models(models: dict[str, dict[str, Any]], table: Any, file: str) -> None:
    if not isinstance(table, dict):
        raise UsageError(f'{file}: models: must be tables, as [models."my-model"]')
    for name, row in cast("dict[str, Any]", table).items():
        where = f'{file}: models."{name}"'
        if not isinstance(row, dict):
            raise UsageError(f"{where}: must be a table")
        for key, value in cast("dict[str, Any]", row).items():
            fault = _fault_of(key, value)
            if fault:
                raise UsageError(f"{where}.{key}: {fault}")
        models[name] = models.get(name, {}) | cast("dict[str, Any]", row)


def _fault_of(key: str, value: object) -> str:
    """Return what is wrong with one ability of a model, nothing where it is right."""
    match key:
        case "context_window" | "max_output":
            right = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            return "" if right else f"must be a whole number of at least 1, not {value!r}"
        case "vision":
            return "" if isinstance(value, bool) else f"must be true or false, not {value!r}"
        case "dialect" | "thinking":
            words = _DIALECTS if key == "dialect" else _THINKING
            return "" if value in words else f"must be one of {', '.join(words)}, not {value!r}"
        case _:
            return f"there is no such setting; there are {', '.join(MODEL_KEYS)}"


def _nearest(key: str, known: Mapping[str, object]) -> str:
    import difflib  # noqa: PLC0415 - only where something is wrong

    near = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
