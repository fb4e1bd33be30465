"""The frozen configuration: defaults, address forms, what is shown and warned about."""

from pathlib import Path

import pytest

from beyond_gateway.config import Address, Config, parse_authority, parse_endpoint
from beyond_gateway.redact import Secret


def test_the_defaults_are_the_contracts() -> None:
    """Each limit that the contract states is the default."""
    config = Config()
    assert (config.listen, config.metrics_listen) == (("0.0.0.0", 8080), ("0.0.0.0", 9090))
    assert (config.connect_timeout_secs, config.read_timeout_secs, config.write_timeout_secs) == (10, 600, 60)
    assert (config.idle_timeout_secs, config.request_max_secs, config.shutdown_grace_period_secs) == (90, 14400, 600)
    assert (config.rate_limit_rps, config.byo_rate_limit_rps) == (100, 1000)
    assert (config.circuit_breaker_threshold, config.circuit_breaker_window_secs) == (20, 10)
    assert config.circuit_breaker_reset_secs == 30
    assert (config.max_buffered_body_bytes, config.config_bucket) == (512 * 2**20, "ai-gateway")
    assert (config.workers, config.snapshot_path, config.require_signing_keys) == (None, None, False)
    assert (config.upstream_tls, config.upstream_verify_cert) == (True, True)


def test_the_repr_shows_settings_and_no_secret() -> None:
    """A config dump has the values, with keys, credentials and users of URLs masked."""
    config = Config(
        rate_limit_rps=7,
        pool_keys={"openai": (Secret("sk-live"),)},
        nats_creds=Secret("-----BEGIN"),
        nats_url="nats://user:hunter2@nats:4222",
    )
    shown = repr(config)
    assert "rate_limit_rps=7" in shown
    assert "'openai': (***,)" in shown
    assert "nats_url='nats://***@nats:4222'" in shown
    for secret in ("sk-live", "BEGIN", "hunter2"):
        assert secret not in shown
        assert secret not in str(config)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("host:1", ("host", 1)),
        ("my_service.internal:65535", ("my_service.internal", 65535)),
        (f"{'a' * 63}.b.:80", (f"{'a' * 63}.b.", 80)),
        ("10.0.0.1:80", ("10.0.0.1", 80)),
        ("[::1]:80", ("::1", 80)),
        ("[fe80::1.2.3.4]:80", ("fe80::1.2.3.4", 80)),
        ("host:0", ("host", 0)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    """Names, IPv4 and bracketed IPv6 are read; brackets are dropped; a listener may ask for any free port."""
    assert parse_authority(text) == Address(*address)


def test_a_port_may_be_left_out_where_there_is_a_default() -> None:
    """Host alone takes the default, in brackets too; an explicit port wins."""
    assert parse_authority("host", 443) == ("host", 443)
    assert parse_authority("[::1]", 443) == ("::1", 443)
    assert parse_authority("host:8", 443) == ("host", 8)


@pytest.mark.parametrize(
    ("text", "default", "said"),
    [
        ("", 443, "expected host"),
        (":80", 443, "expected host"),
        ("host/path", 443, "expected host"),
        ("user@host", 443, "expected host"),
        ("::1", 443, "expected host"),
        ("[::1", 443, "expected host"),
        ("[::1]80", 443, "expected host"),
        ("[host]:80", 443, "expected host"),
        ("ho st:80", 443, "expected host"),
        ("-host:80", 443, "expected host"),
        ("a..b:80", 443, "expected host"),
        ("a-.b:80", 443, "expected host"),
        (f"{'a' * 64}.b:80", 443, "expected host"),
        ("a." * 127 + "b:80", 443, "expected host"),
        ("https://host", 443, "upstream_tls"),
        ("host", None, "write host:port"),
        ("host:", 443, "a number from 1"),
        ("host:0", 443, "a number from 1"),
        ("host:65536", 443, "a number from 1"),
        ("host:-1", None, "a number from 0"),
        ("host:8_0", 443, "a number from 1"),
        ("a:1:2", 443, "a number from 1"),
    ],
)
def test_another_form_is_refused_in_words(text: str, default: int | None, said: str) -> None:
    """What is not an authority is an error that says what to write instead."""
    with pytest.raises(ValueError, match=said):
        parse_authority(text, default)


@pytest.mark.parametrize("text", ["/chat/completions", "GET /v1/models"])
def test_an_endpoint_is_an_ending_with_a_method_perhaps(text: str) -> None:
    """Both forms are kept as they are."""
    assert parse_endpoint(text) == text


@pytest.mark.parametrize("text", ["", "chat", "/", "get /v1/models", "GET  /v1", "/a?b", "/a%2f", "GET/v1"])
def test_another_endpoint_is_refused(text: str) -> None:
    """A relative ending, a query, an escape or a stray method would never match and open or close the wrong thing."""
    with pytest.raises(ValueError, match="expected a path ending"):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (Config(), "no signing_keys"),
        (Config(signing_keys={1: bytes(32)}), "no pool_keys"),
        (Config(snapshot_path=Path("/s")), "snapshot_path has no effect without nats_url"),
        (Config(nats_creds_file=Path("/c")), "nats_creds_file has no effect without nats_url"),
        (Config(upstream_tls=False), "upstream_tls is off"),
        (Config(upstream_verify_cert=False), "upstream_verify_cert is off"),
    ],
)
def test_legal_settings_seldom_meant_are_warned_about(config: Config, said: str) -> None:
    """Each gets one line that says what follows from it."""
    assert [line for line in config.warnings() if line.startswith(said)]


def test_a_full_configuration_is_not_warned_about() -> None:
    """Nothing is said where nothing is odd."""
    config = Config(signing_keys={1: bytes(32)}, pool_keys={"openai": (Secret("k"),)})
    assert config.warnings() == []
