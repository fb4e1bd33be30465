"""The providers, as rows of data: where each lives, which dialect it speaks, how it takes its key.

Adding a provider is one row here, or three configuration entries. Nothing else in the gateway names a vendor.
"""

import re
from collections.abc import Mapping
from typing import Literal, cast, get_args

import msgspec

from beyond_gateway.config import Config, parse_authority
from beyond_gateway.errors import OperatorError

Dialect = Literal["openai", "anthropic"]
AuthScheme = Literal["bearer", "x-api-key", "api-key"]

# One path segment that no client has to percent-encode; lower case, because paths are compared byte by byte.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DEFAULT_ROUTE = "v1"


class Provider(msgspec.Struct, frozen=True):
    """One provider. `prefix` is what clients append to `/{name}`; empty, because unknown, for an added provider."""

    name: str
    host: str
    port: int
    prefix: str
    dialect: Dialect = "openai"
    auth: AuthScheme = "bearer"

    @property
    def authority(self) -> bytes:
        """Value of the Host header: without the port where it is 443 or 80, which clients leave out too."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self.port in {443, 80} else f"{host}:{self.port}").encode()

    @property
    def pool_key_env(self) -> str:
        """Name of the environment variable with this provider's pool key, as in AI_POOL_KEY_OPENAI."""
        return "AI_POOL_KEY_" + env_suffix(self.name)


# gw contract, routing.
BUILT_IN = (
    Provider("openai", "api.openai.com", 443, "/v1"),
    Provider("anthropic", "api.anthropic.com", 443, "/v1", "anthropic", "x-api-key"),
    Provider("openrouter", "openrouter.ai", 443, "/api/v1"),
    Provider("fireworks", "api.fireworks.ai", 443, "/inference/v1"),
    Provider("groq", "api.groq.com", 443, "/openai/v1"),
    Provider("deepseek", "api.deepseek.com", 443, "/v1"),
    Provider("together", "api.together.ai", 443, "/v1"),
    Provider("cerebras", "api.cerebras.ai", 443, "/v1"),
    Provider("mistral", "api.mistral.ai", 443, "/v1"),
    Provider("xai", "api.x.ai", 443, "/v1"),
)


def env_suffix(name: str) -> str:
    """How a provider is spelt at the end of an environment variable: upper case, with `_` for `-` and `.`."""
    return re.sub(r"[-.]", "_", name).upper()


def build_table(config: Config) -> dict[bytes, Provider]:
    """Return the providers by name, the built-in rows completed and overridden by the configuration.

    Raises OperatorError, with the key, for a name, authority, dialect or scheme that cannot be used and for an entry
    that belongs to no provider: a silent default would bill zero or send a key to the wrong place.
    """
    rows = {row.name: row for row in BUILT_IN}
    default_port = 443 if config.upstream_tls else 80
    for name, text in config.provider_authorities.items():
        key = f"provider_authorities.{name}"
        if not _NAME.fullmatch(name) or name == _DEFAULT_ROUTE:
            raise OperatorError(f"{key}: a provider name is lower-case letters, digits, - _ and ., and not v1", key=key)
        try:
            host, port = parse_authority(text, default_port)
        except ValueError as error:
            raise OperatorError(f"{key}: {error}", key=key) from None
        row = rows.get(name)
        rows[name] = msgspec.structs.replace(row, host=host, port=port) if row else Provider(name, host, port, "")
    for name, value in config.provider_dialects.items():
        dialect = cast("Dialect", _one_of(get_args(Dialect), value, f"provider_dialects.{name}"))
        row = _known(rows, name, f"provider_dialects.{name}")
        rows[name] = msgspec.structs.replace(row, dialect=dialect)
    for name, value in config.provider_auth_schemes.items():
        auth = cast("AuthScheme", _one_of(get_args(AuthScheme), value, f"provider_auth_schemes.{name}"))
        row = _known(rows, name, f"provider_auth_schemes.{name}")
        rows[name] = msgspec.structs.replace(row, auth=auth)
    for name in config.pool_keys:
        _known(rows, name, f"pool_keys.{name}")
    return {name.encode(): row for name, row in rows.items()}


def _one_of(allowed: tuple[str, ...], value: str, key: str) -> str:
    if value not in allowed:
        raise OperatorError(f"{key}: unrecognised value {value!r}; use {' or '.join(allowed)}", key=key)
    return value


def _known(rows: Mapping[str, Provider], name: str, key: str) -> Provider:
    row = rows.get(name)
    if row is None:
        raise OperatorError(f"{key}: no provider is called {name!r}; give its host in [provider_authorities]", key=key)
    return row
