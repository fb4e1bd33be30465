"""Read the configuration once: a TOML file, then the environment over it, into one frozen `Config`.

Every key can come from the environment as `AI_<KEY>`, an entry of a table as `AI_POOL_KEY_<PROVIDER>`,
`AI_SIGNING_KEY_<KID>`, `AI_PROVIDER_AUTHORITY_<PROVIDER>`, `AI_PROVIDER_DIALECT_<PROVIDER>` or
`AI_PROVIDER_AUTH_SCHEME_<PROVIDER>`. The environment wins; an empty variable counts as unset, which is what container
tools make of a missing one. Lists are comma-separated. Other variables that begin with `AI_` belong to other programs
and are ignored. A fault names its place, `config.toml:12: rate_limit_rps: ...`, and never shows the value of a secret.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from beyond_gateway.config import Config, parse_authority, parse_endpoint
from beyond_gateway.errors import OperatorError
from beyond_gateway.managed_key import decode_key
from beyond_gateway.providers import BUILT_IN, build_table, env_suffix
from beyond_gateway.redact import Secret

_TABLES = {
    "provider_authorities": "AI_PROVIDER_AUTHORITY_",
    "provider_dialects": "AI_PROVIDER_DIALECT_",
    "provider_auth_schemes": "AI_PROVIDER_AUTH_SCHEME_",
    "pool_keys": "AI_POOL_KEY_",
    "signing_keys": "AI_SIGNING_KEY_",
}
_KID = re.compile(r"0|[1-9][0-9]{0,9}")
_POOL_KEY = re.compile(r"[!-~]+")
_NAME_IN_LINE = re.compile(r"\"[^\"]*\"|'[^']*'|[\w-]+")

_FIELD_TYPES = {field.name: field.type for field in msgspec.structs.fields(Config)}


class _Given(NamedTuple):
    """One value as given, and the words that say where: `config.toml:12: rate_limit_rps` or a variable's name."""

    value: object
    place: str
    from_environment: bool


_Key = tuple[str, ...]


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Return the configuration from a file, or none, and the environment.

    Raises OperatorError, in one line with the place, for a file that cannot be read or parsed, an unknown key, a wrong
    type or range, and an entry that fits no provider. Reads the file; touches nothing else.
    """
    return parse(read_text(path), path, environ)


def read_text(path: Path | None) -> str:
    """Return the text of a configuration file, empty where there is none. Raises OperatorError."""
    if path is None:
        return ""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise OperatorError(f"{path}: no such file; begin with a copy of config.example.toml") from None
    except UnicodeDecodeError:
        raise OperatorError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise OperatorError(f"{path}: cannot be read: {error.strerror}") from None


def parse(text: str, path: Path | None, environ: Mapping[str, str]) -> Config:
    """Return the configuration from the text of a file and the environment; `path` is for messages. As `load`."""
    given = _from_file(text, path) if path is not None else {}
    given.update(_from_environment(environ, given))
    values: dict[str, Any] = {}
    for key, item in given.items():
        try:
            name, value = _converted(key, item)
        except (ValueError, msgspec.ValidationError) as error:
            text = str(error).replace("`", "").replace("Expected", "expected").partition(" - at ")[0]
            raise OperatorError(f"{item.place}: {text}", key=".".join(key)) from None
        if len(key) == 1:
            values[key[0]] = value
        else:
            values.setdefault(key[0], {})[name] = value
    config = Config(**values)
    try:
        build_table(config)
    except OperatorError as error:
        place = given[tuple((error.key or "").split(".", 1))].place
        raise OperatorError(f"{place}: {str(error).partition(': ')[2]}", key=error.key) from None
    if config.require_signing_keys and not config.signing_keys:
        place = given["require_signing_keys",].place
        raise OperatorError(f"{place}: there is none; make one with `beyond-ai keygen`", key="require_signing_keys")
    return config


def _from_file(text: str, path: Path) -> dict[_Key, _Given]:
    document = _document(text, path)
    given: dict[_Key, _Given] = {}

    def put(key: _Key, value: object) -> None:
        line = _line_of(text, key)
        at = f"{path}:{line}" if line else f"{path}"
        given[key] = _Given(value, f"{at}: {'.'.join(key)}", from_environment=False)

    for name, value in document.items():
        put((name,), value)
        if name not in _FIELD_TYPES:
            near = difflib.get_close_matches(name, _FIELD_TYPES, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; config.example.toml has them all"
            raise OperatorError(f"{given[name,].place}: unknown key{hint}", key=name)
        if name in _TABLES:
            place = given.pop((name,)).place
            if not isinstance(value, dict):
                raise OperatorError(f"{place}: expected a table, write [{name}]", key=name)
            for entry, inner in cast("dict[str, object]", value).items():
                put((name, entry), inner)
    return given


def _document(text: str, path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise OperatorError(f"{path}: not TOML: nested too deep") from None
    except tomllib.TOMLDecodeError as error:
        message, _, position = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", position)
        raise OperatorError(f"{path}:{line[1] if line else text.count(chr(10)) + 1}: not TOML: {message}") from None
    except ValueError as error:
        # A number too long for Python comes as the plain kind.
        raise OperatorError(f"{path}: not TOML: {error}") from None


def _from_environment(environ: Mapping[str, str], given: Mapping[_Key, _Given]) -> dict[_Key, _Given]:
    found: dict[_Key, _Given] = {}
    names = {env_suffix(row.name): row.name for row in BUILT_IN}
    names |= {env_suffix(key[1]): key[1] for key in given if key[0] == "provider_authorities"}
    for variable, text in environ.items():
        if not variable.startswith("AI_") or not text.strip():
            continue
        key: _Key = (variable[3:].lower(),)
        if variable.isupper() and key[0] in _FIELD_TYPES and key[0] not in _TABLES:
            found[key] = _Given(text.strip(), variable, from_environment=True)
            continue
        for table, prefix in _TABLES.items():
            if variable.startswith(prefix):
                suffix = variable.removeprefix(prefix)
                key = (table, names.get(suffix.upper(), suffix.lower()))
                found[key] = _Given(text.strip(), variable, from_environment=True)
    return found


def _converted(key: _Key, item: _Given) -> tuple[str | int, object]:
    """Entry name and typed value of one key; ValueError or ValidationError says what is wrong with it."""
    value = item.value
    if key[0] in {"pool_keys", "managed_endpoints"} and item.from_environment:
        value = [part.strip() for part in str(value).split(",") if part.strip()]
    match key:
        case ("listen" | "metrics_listen",):
            return key[0], parse_authority(_text(value))
        case ("managed_endpoints",):
            return key[0], tuple(parse_endpoint(text) for text in msgspec.convert(value, list[str]))
        case ("pool_keys", provider):
            return provider, _pool_keys(value)
        case ("signing_keys", kid):
            if not _KID.fullmatch(kid) or int(kid) >= 2**32:
                raise ValueError("a key id is a number from 0 to 4294967295 without leading zeros")
            return int(kid), decode_key(_text(value))
        case (_, entry):
            return entry, _text(value)
        case _:
            wanted = _FIELD_TYPES[key[0]]
            return key[0], msgspec.convert(value, wanted, strict=not item.from_environment, dec_hook=_custom)


def _text(value: object) -> str:
    return msgspec.convert(value, str)


def _pool_keys(value: object) -> tuple[Secret, ...]:
    keys = cast("list[object]", value) if isinstance(value, list) else [value]
    texts = [key for key in keys if isinstance(key, str) and _POOL_KEY.fullmatch(key)]
    if not keys or len(texts) != len(keys):
        raise ValueError("expected a key, or a list of keys, of visible ASCII characters without spaces")
    return tuple(Secret(text) for text in texts)


def _custom(wanted: type, value: object) -> object:
    """Turn text into the types that msgspec does not know."""
    if not isinstance(value, str):
        raise ValueError("expected str")  # noqa: TRY004 -- msgspec reports ValueError with the message, at the border
    return Secret(value) if wanted is Secret else Path(value)


def _line_of(text: str, key: _Key) -> int | None:
    """Line, from 1, that sets `key`; else the one that sets its table; None when neither is found.

    tomllib keeps no positions. This reads only line beginnings, `[table]` and `name =`, which is right for all but keys
    inside multi-line values, and those at worst give a line nearby.
    """
    table: list[str] = []
    nearest = None
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            table = _names(stripped.partition("]")[0])
            here = table
        elif "=" in stripped and not stripped.startswith("#"):
            here = table + _names(stripped.partition("=")[0])
        else:
            continue
        if tuple(here) == key:
            return number
        if tuple(here) == key[:1]:
            nearest = number
    return nearest


def _names(text: str) -> list[str]:
    return [name.strip("\"'") for name in _NAME_IN_LINE.findall(text)]
