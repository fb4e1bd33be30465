from __future__ import annotations

from typing import Any

import pytest

from beyond_agent.errors import UsageError
from beyond_agent.options import Options
from beyond_agent.routing import NO_KEY, Route, abilities, is_known, route
from beyond_agent.settings import settle
from beyond_wire.caps import UNKNOWN, caps_for

PROVIDER = {"AI_BASE_URL": "https://api.example", "AI_API_KEY": "sk-provider"}


class Watched(dict[str, str]):
    """An environment that keeps what was asked of it."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        self.read.add(key)
        return super().__getitem__(key)


def routed(environ: dict[str, str], **given: Any) -> Route:
    """Return where `run` asks, with these variables and flags."""
    return route(settle("run", given, environ, []), environ)


def test_the_gateway_is_the_default() -> None:
    """With its built-in address, and a key."""
    found = routed({"AI_AGENT_KEY": "bai_v1.k"})
    assert (found.base_url, found.key, found.direct) == ("http://ai.internal", "bai_v1.k", False)
    found = routed({}, key="k", gateway_url="http://host/openrouter/api")
    assert (found.base_url, found.key, found.direct) == ("http://host/openrouter/api", "k", False)


@pytest.mark.parametrize(
    "environ", [{}, {"AI_AGENT_KEY": ""}, {"AI_API_KEY": "sk-provider"}, PROVIDER | {"AI_GATEWAY_URL": "http://g"}]
)
def test_without_a_key_the_text_is_exact(environ: dict[str, str]) -> None:
    """Exit 2; a provider's key does not stand in for it."""
    with pytest.raises(UsageError) as raised:
        routed(environ)
    assert str(raised.value) == NO_KEY == "no gateway key: pass --key or set AI_AGENT_KEY"
    assert raised.value.status == 2


@pytest.mark.parametrize("key", ["k\nb", " k0", "\u00e9", "\udcff"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key: str) -> None:
    """Each kind says where it is from."""
    for environ, source in (
        ({"AI_AGENT_KEY": key}, "--key or AI_AGENT_KEY"),
        ({"AI_BASE_URL": "http://x", "AI_API_KEY": key}, "AI_API_KEY"),
    ):
        with pytest.raises(UsageError) as raised:
            routed(environ)
        assert str(raised.value).startswith(f"{source}: holds what no key has")
        assert key not in str(raised.value)


def test_a_provider_is_asked_where_no_gateway_is_named_or_it_is_forced() -> None:
    """AI_BASE_URL alone is enough; with a gateway beside it, --direct or AI_DIRECT=1."""
    expected = ("https://api.example", "sk-provider", True)
    gateway = {"AI_GATEWAY_URL": "http://g", "AI_AGENT_KEY": "bai_v1.k"}
    for found in (
        routed(PROVIDER),
        routed(PROVIDER | gateway, direct=True),
        routed(PROVIDER | gateway | {"AI_DIRECT": "1"}),
    ):
        assert (found.base_url, found.key, found.direct) == expected
    for environ in (PROVIDER | gateway, PROVIDER | {"AI_AGENT_KEY": "bai_v1.k"}):
        assert not routed(environ).direct


def test_in_gateway_mode_a_providers_key_is_never_read() -> None:
    """What is not read cannot get anywhere."""
    environ = Watched(PROVIDER | {"AI_AGENT_KEY": "bai_v1.k"})
    options = settle("run", {}, environ, [])
    assert not route(options, environ).direct
    assert "AI_API_KEY" not in environ.read


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "http://127.0.0.1/v1", "http://127.9.9.9", "http://[::1]:8080"]
)
def test_a_loopback_address_needs_no_key(url: str) -> None:
    """A model on this machine."""
    assert routed({"AI_BASE_URL": url}).key == ""


@pytest.mark.parametrize("url", ["https://api.example", "http://localhost.evil.example", "http://10.0.0.1"])
def test_any_other_provider_needs_a_key(url: str) -> None:
    """Names that only look like loopback are others."""
    with pytest.raises(UsageError, match=r"^no provider key: set AI_API_KEY"):
        routed({"AI_BASE_URL": url})


def test_direct_without_an_address_is_a_usage_error() -> None:
    """The text names the flag and the variable."""
    with pytest.raises(UsageError, match=r"^--direct: needs AI_BASE_URL"):
        routed({"AI_AGENT_KEY": "bai_v1.k"}, direct=True)


def test_keys_show_in_no_repr() -> None:
    """A route says which way, nothing else."""
    assert repr(routed(PROVIDER)) == "<Route direct>"
    assert repr(routed({"AI_AGENT_KEY": "bai_v1.k"})) == "<Route gateway>"


def test_abilities_are_the_tables_with_what_the_settings_say() -> None:
    """The models table, then the flags; what neither names stays."""
    table = {"m": {"context_window": 5, "max_output": 6, "dialect": "chat", "vision": False, "thinking": "none"}}
    caps = abilities("m", Options(models=table))
    assert (caps.window, caps.max_output, caps.dialect, caps.vision, caps.thinking) == (5, 6, "chat", False, "none")
    caps = abilities("m", Options(models=table, context_window=9, dialect="responses"))
    assert (caps.window, caps.max_output, caps.dialect) == (9, 6, "responses")
    assert abilities("claude-opus-4-8", Options(models=table)) == caps_for("claude-opus-4-8")


def test_an_unknown_model_has_the_conservative_row() -> None:
    """It works, and is worth a notice; one that a file describes is known."""
    assert abilities("acme-1", Options()) == UNKNOWN
    assert not is_known("acme-1", Options())
    assert is_known("claude-opus-4-8", Options())
    assert is_known("acme-1", Options(models={"acme-1": {"vision": True}}))
