"""Where requests go: the server named by a base URL, and the proxy that the environment puts before it. No I/O."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from beyond_agent_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

PORTS: Final = {"http": 80, "https": 443}
"""Port of a scheme where the URL names none."""


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy; `authorization` is the value of its header, None without credentials.

    The way to it is not encrypted: asyncio, as of Python 3.11, cannot end a handshake that fails within another TLS
    connection.
    """

    host: str
    port: int
    authorization: str | None = None

    def __repr__(self) -> str:
        return f"<Proxy {netloc(self.host, self.port)}>"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """A server, and the proxy on the way to it: connections to equal origins may stand in for each other."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    proxy: Proxy | None = None

    @property
    def tls(self) -> bool:
        """Whether what is said to the server is encrypted."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Value of the Host header."""
        return netloc(self.host, None if self.port == PORTS[self.scheme] else self.port)

    @property
    def tunnelled(self) -> bool:
        """Whether the proxy only passes bytes on: it must not read what is encrypted."""
        return self.proxy is not None and self.tls

    def target(self, path: str) -> str:
        """Return the request target for `path`; a proxy that is no tunnel is told the whole URL."""
        return path if self.proxy is None or self.tls else f"{self.scheme}://{self.authority}{path}"


def netloc(host: str, port: int | None) -> str:
    """Return `host:port`, an IPv6 address in brackets, the port left out where there is none."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def parse_base(url: str, environ: Mapping[str, str]) -> tuple[Origin, str]:
    """Return the server of a base URL and the path before a dialect's own, which has no `/` and no `/v1` at its end.

    Raises `ConfigError`, which repeats nothing of the URL: a user part would be a secret.
    """
    parts = _split("base_url", url)
    scheme = parts.scheme
    if scheme not in ("http", "https"):
        raise ConfigError("base_url", "must be http://host or https://host")
    if parts.query or parts.fragment:
        raise ConfigError("base_url", "must have no query and no fragment")
    host, port = parts.hostname or "", parts.port or PORTS[scheme]
    prefix = parts.path.rstrip("/")
    if prefix == "/v1" or prefix.endswith("/v1"):
        prefix = prefix.removesuffix("/v1").rstrip("/")
    return Origin(scheme=scheme, host=host, port=port, proxy=proxy_for(scheme, host, port, environ)), prefix


def proxy_for(scheme: str, host: str, port: int, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for a server, None where the environment names none or excepts it.

    Read are `https_proxy` or `http_proxy`, else `all_proxy`, and `no_proxy`, in lower case before upper. `HTTP_PROXY`
    in upper case does not count where `REQUEST_METHOD` is set: there it is a client's header (the `httpoxy` hole).
    Raises `ConfigError` for a proxy that cannot be used.
    """
    named = _variable(environ, f"{scheme}_proxy") or _variable(environ, "all_proxy")
    if not named or _excepted(host, port, _variable(environ, "no_proxy")):
        return None
    parts = _split("proxy", named if "://" in named else f"http://{named}")
    if parts.scheme != "http":
        raise ConfigError("proxy", f"must be an http proxy, not {parts.scheme}")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {b64encode(pair.encode()).decode()}"
    return Proxy(host=parts.hostname or "", port=parts.port or PORTS["http"], authorization=authorization)


def _split(field: str, url: str) -> SplitResult:
    parts = SplitResult("", "", "", "", "")
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(field, "must be http://host or https://host, in ASCII")
    return parts


def _variable(environ: Mapping[str, str], name: str) -> str:
    if name in environ:
        return environ[name].strip()
    if name == "http_proxy" and "REQUEST_METHOD" in environ:
        return ""
    return environ.get(name.upper(), "").strip()


def _excepted(host: str, port: int, no_proxy: str) -> bool:
    """Whether a list of names, each with or without a leading dot and a port, covers the server or a parent of it."""
    for entry in no_proxy.lower().replace(",", " ").split():
        if entry == "*":
            return True
        name, colon, wanted = entry.rpartition(":")
        if not colon or not wanted.isdigit() or (":" in name and not name.endswith("]")):
            name, wanted = entry, ""
        name = name.strip("[]").lstrip("*").lstrip(".")
        if name and (host == name or host.endswith(f".{name}")) and wanted in ("", str(port)):
            return True
    return False
