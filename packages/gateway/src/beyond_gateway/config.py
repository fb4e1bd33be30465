"""What an operator can set, once, as a frozen value: every key with its unit, default and reason.

Names and defaults are the contract's (gw contract, commands and configuration). `config_load.load` makes one from a
file and the environment; nothing else reads either.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, NamedTuple

import msgspec

from beyond_gateway.redact import Secret, redact

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
# The upper bound refuses infinities and typing errors: it is four months.
Seconds = Annotated[float, msgspec.Meta(gt=0, le=10_000_000)]

# Labels of at most 63 letters between single dots (RFC 1035 section 2.3.4): no resolver takes others.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?")
_V6 = re.compile(r"[0-9A-Fa-f:.]+")
_ENDPOINT = re.compile(r"(?:[A-Z]+ )?/[A-Za-z0-9._~/-]+")


class Address(NamedTuple):
    """A host (without brackets) and a TCP port."""

    host: str
    port: int


def parse_authority(text: str, default_port: int | None = None) -> Address:
    """Host and port from `host`, `host:port` or `[v6]:port`; ValueError saying what is wrong, in words for an operator.

    Without `default_port` the port must be there. Port 0 is accepted only then, for a listener on a free port.
    """
    if "://" in text:
        raise ValueError("give host or host:port without a scheme; upstream_tls chooses between http and https")
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        valid = closed and _V6.fullmatch(host) and ":" in host and (not rest or rest.startswith(":"))
        port = rest[1:] if rest else None
    else:
        host, colon, rest = text.partition(":")
        valid = _HOST.fullmatch(host)
        port = rest if colon else None
    if not valid:
        raise ValueError("expected host, host:port or [IPv6]:port")
    if port is None:
        if default_port is None:
            raise ValueError("the port is missing: write host:port")
        return Address(host, default_port)
    least = 0 if default_port is None else 1
    if not port.isascii() or not port.isdigit() or len(port) > 5 or not least <= int(port) <= 65535:
        raise ValueError(f"the port must be a number from {least} to 65535")
    return Address(host, int(port))


def parse_endpoint(text: str) -> str:
    """Give back one entry of managed_endpoints, `/ending` for POST or `METHOD /ending`; ValueError for another form."""
    if not _ENDPOINT.fullmatch(text):
        raise ValueError("expected a path ending such as /chat/completions, or a method before it: GET /v1/models")
    return text


# Stateless generation only: through a shared pool key a tenant could read another's files, batches or stored responses.
MANAGED_ENDPOINTS = (
    "/chat/completions",
    "/completions",
    "/messages",
    "/messages/count_tokens",
    "/responses",
    "/responses/compact",
    "/responses/input_tokens",
    "/embeddings",
    "/images/generations",
    "/images/edits",
    "/audio/transcriptions",
    "/moderations",
    "GET /v1/models",
)
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration. Times are seconds, sizes bytes. Secrets are wrapped, so that repr is safe to log."""

    # Where clients connect; all addresses, because in a container nothing else is reachable.
    listen: Address = Address("0.0.0.0", 8080)
    # Where probes and Prometheus connect; a port of its own, so that it need not be exposed with the other.
    metrics_listen: Address = Address("0.0.0.0", 9090)
    # Processes on the one port; None is one per core.
    workers: Annotated[int, msgspec.Meta(ge=1, le=1024)] | None = None

    # NATS servers of the deny-set, comma-separated; None is no deny-set, so nobody is denied.
    nats_url: str | None = None
    # NATS credentials, as the text of a .creds file or as the path of one; the text wins.
    nats_creds: Secret | None = None
    nats_creds_file: Path | None = None
    # JetStream KV bucket with the deny entries.
    config_bucket: str = "ai-gateway"
    # Where the deny-set is kept across restarts; None keeps nothing on disk.
    snapshot_path: Path | None = None

    # Name lookup, TCP and TLS together.
    connect_timeout_secs: Seconds = 10.0
    # Between two reads from a provider: long, because a reasoning model is silent while it thinks.
    read_timeout_secs: Seconds = 600.0
    # Until a stalled provider takes more of a request.
    write_timeout_secs: Seconds = 60.0
    # Until an unused connection to a provider is closed: below the limits of the load balancers in front of them.
    idle_timeout_secs: Seconds = 90.0
    # A whole exchange, as a last resort against one that trickles for ever: four hours.
    request_max_secs: Seconds = 14_400.0
    # From SIGTERM until running streams are cut.
    shutdown_grace_period_secs: Annotated[float, msgspec.Meta(ge=0, le=10_000_000)] = 600.0

    # Providers are spoken to over TLS; false is for test doubles only.
    upstream_tls: bool = True
    # Provider certificates are verified; false hands every pool key to whoever answers.
    upstream_verify_cert: bool = True
    # PEM bundle of certificate authorities trusted beside the system's: for an inspecting proxy or a private provider.
    upstream_ca_file: Path | None = None

    # Requests per credential and second; 0 is no limit. A breaker for runaway loops, not a quota.
    rate_limit_rps: Count = 100
    # Requests per second under callers' own keys, all together; 0 is no limit. Junk keys would burn our addresses.
    byo_rate_limit_rps: Count = 1000
    # Failures within the window that open a provider's circuit breaker; 0 is no breaker.
    circuit_breaker_threshold: Count = 20
    circuit_breaker_window_secs: Seconds = 10.0
    # From opening until one request is let through to try.
    circuit_breaker_reset_secs: Seconds = 30.0

    # All chat bodies held at one time: they must be read whole to ask for usage, and memory is finite. 512 MiB.
    max_buffered_body_bytes: Count = 536_870_912
    # What managed keys may call: path endings, for POST unless a method stands before.
    managed_endpoints: tuple[str, ...] = MANAGED_ENDPOINTS
    # Refuse to start without signing keys; false by default, because a gateway for callers' own keys needs none.
    require_signing_keys: bool = False

    # Provider name to host, host:port or [v6]:port: moves a built-in provider or adds one.
    provider_authorities: Mapping[str, str] = _NOTHING
    # Provider name to `openai` or `anthropic`.
    provider_dialects: Mapping[str, str] = _NOTHING
    # Provider name to `bearer`, `x-api-key` or `api-key`.
    provider_auth_schemes: Mapping[str, str] = _NOTHING
    # Provider name to its real keys, one or more.
    pool_keys: Mapping[str, tuple[Secret, ...]] = MappingProxyType({})
    # Kid to 32 bytes of Ed25519 public key; several at a time make rotation without downtime.
    signing_keys: Mapping[int, bytes] = MappingProxyType({})

    def __repr__(self) -> str:
        fields = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__)
        return f"Config({redact(', '.join(fields))})"

    def warnings(self) -> list[str]:
        """Return what an operator should hear at start, one line each: settings that are legal and seldom meant."""
        lines: list[str] = []
        if not self.signing_keys:
            lines.append("no signing_keys: every managed key is refused, only callers' own keys work")
        elif not self.pool_keys:
            lines.append("no pool_keys: managed requests get 503 at every provider")
        if self.nats_url is None:
            idle = [
                name for name in ("nats_creds", "nats_creds_file", "snapshot_path") if getattr(self, name) is not None
            ]
            lines += [f"{name} has no effect without nats_url" for name in idle]
        if not self.upstream_tls:
            lines.append("upstream_tls is off: keys and prompts travel in clear text")
        elif not self.upstream_verify_cert:
            lines.append("upstream_verify_cert is off: whoever answers for a provider gets its keys")
        return lines
