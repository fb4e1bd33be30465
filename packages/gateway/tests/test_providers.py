"""The provider table and what configuration makes of it."""

import pytest

from beyond_gateway.config import Config
from beyond_gateway.errors import OperatorError
from beyond_gateway.providers import BUILT_IN, Provider, build_table
from beyond_gateway.redact import Secret

CONTRACT = """
openai api.openai.com /v1 openai bearer
anthropic api.anthropic.com /v1 anthropic x-api-key
openrouter openrouter.ai /api/v1 openai bearer
fireworks api.fireworks.ai /inference/v1 openai bearer
groq api.groq.com /openai/v1 openai bearer
deepseek api.deepseek.com /v1 openai bearer
together api.together.ai /v1 openai bearer
cerebras api.cerebras.ai /v1 openai bearer
mistral api.mistral.ai /v1 openai bearer
xai api.x.ai /v1 openai bearer
"""


def test_the_built_in_rows_are_the_contracts() -> None:
    """Ten providers, each with the host, prefix, dialect and scheme the contract lists, on port 443."""
    rows = [f"{row.name} {row.host} {row.prefix} {row.dialect} {row.auth}" for row in build_table(Config()).values()]
    assert rows == CONTRACT.strip().split("\n")
    assert {row.port for row in BUILT_IN} == {443}


def test_an_added_provider_is_openai_with_bearer_unless_told() -> None:
    """The two other tables complete an added row; without them the defaults hold."""
    table = build_table(
        Config(
            provider_authorities={"plain": "llm.internal:8000", "full": "[::1]:9000"},
            provider_dialects={"full": "anthropic"},
            provider_auth_schemes={"full": "api-key"},
        )
    )
    assert table[b"plain"] == Provider("plain", "llm.internal", 8000, "", "openai", "bearer")
    assert table[b"full"] == Provider("full", "::1", 9000, "", "anthropic", "api-key")


def test_a_built_in_provider_moves_and_keeps_the_rest() -> None:
    """An authority for a built-in name changes host and port only."""
    table = build_table(Config(provider_authorities={"anthropic": "proxy.internal"}))
    assert table[b"anthropic"] == Provider("anthropic", "proxy.internal", 443, "/v1", "anthropic", "x-api-key")
    assert table[b"openai"] == BUILT_IN[0]


def test_the_port_defaults_to_that_of_the_scheme() -> None:
    """Without TLS upstream, a host without a port means 80."""
    table = build_table(Config(provider_authorities={"local": "mock"}, upstream_tls=False))
    assert table[b"local"].port == 80


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (Config(provider_dialects={"openai": "opnai"}), "provider_dialects.openai"),
        (Config(provider_auth_schemes={"openai": "Bearer"}), "provider_auth_schemes.openai"),
        (Config(provider_dialects={"nobody": "openai"}), "provider_dialects.nobody"),
        (Config(provider_auth_schemes={"nobody": "bearer"}), "provider_auth_schemes.nobody"),
        (Config(pool_keys={"opnai": (Secret("k"),)}), "pool_keys.opnai"),
        (Config(provider_authorities={"v1": "host"}), "provider_authorities.v1"),
        (Config(provider_authorities={"Up": "host"}), "provider_authorities.Up"),
        (Config(provider_authorities={"a/b": "host"}), "provider_authorities.a/b"),
        (Config(provider_authorities={"local": "http://host"}), "provider_authorities.local"),
    ],
)
def test_what_cannot_be_used_stops_with_its_key(config: Config, key: str) -> None:
    """An unrecognised value, a name nobody could route to and an entry without provider are named, never defaulted."""
    with pytest.raises(OperatorError) as caught:
        build_table(config)
    assert caught.value.key == key
    assert str(caught.value).startswith(f"{key}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "port", "authority"),
    [
        ("a.b", 443, b"a.b"),
        ("a.b", 80, b"a.b"),
        ("a.b", 8000, b"a.b:8000"),
        ("::1", 443, b"[::1]"),
        ("::1", 81, b"[::1]:81"),
    ],
)
def test_the_host_header_names_unusual_ports_only(host: str, port: int, authority: bytes) -> None:
    """Default ports are left out as clients do, and IPv6 stands in brackets."""
    assert Provider("x", host, port, "").authority == authority


def test_the_pool_key_variable_follows_the_name() -> None:
    """Characters that variables cannot hold become underscores."""
    assert BUILT_IN[0].pool_key_env == "AI_POOL_KEY_OPENAI"
    assert Provider("my-llm.eu", "h", 1, "").pool_key_env == "AI_POOL_KEY_MY_LLM_EU"
