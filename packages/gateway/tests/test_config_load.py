"""Reading the configuration: file, environment, and faults named with their place."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from beyond_gateway.config import Config
from beyond_gateway.config_load import load
from beyond_gateway.errors import OperatorError
from beyond_gateway.redact import Secret

EXAMPLE = Path(__file__).parents[3] / "config.example.toml"
PUBLIC = "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="
FIELDS = [field.name for field in msgspec.structs.fields(Config)]
TABLES = {"provider_authorities", "provider_dialects", "provider_auth_schemes", "pool_keys", "signing_keys"}


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_text(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, "utf-8")
        return path

    return write_text


def fault(path: Path | None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(OperatorError) as caught:
        load(path, environ or {})
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(f"{path}", "config.toml") if path else text


def test_nothing_given_is_the_defaults() -> None:
    """Without file and environment the configuration is the default one."""
    assert load(None, {"PATH": "/bin", "AI_UNRELATED": "x"}) == Config()


def test_the_example_is_the_defaults() -> None:
    """The example file as it stands changes nothing: each value in it is the default."""
    assert load(EXAMPLE, {}) == Config()


def test_the_example_names_every_key() -> None:
    """No key is missing from the example, and it has none that does not exist."""
    named = re.findall(r"^#?\[?([a-z_]+)(?:\]| = )", EXAMPLE.read_text("utf-8"), re.MULTILINE)
    entries = {"local", "openai", "anthropic"}
    assert set(named) - entries == set(FIELDS)


def test_the_example_with_every_line_active_loads(write: Write) -> None:
    """The commented examples are right too: uncommented, the whole file is a configuration."""
    config = load(write(re.sub(r"^#(?=[a-z0-9_]+ = )", "", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)), {})
    assert config.workers == 4
    assert config.provider_authorities == {"local": "llm.internal:8000"}
    assert len(config.pool_keys["anthropic"]) == 2
    assert set(config.signing_keys) == {1}
    assert config.upstream_ca_file == Path("/etc/beyond-ai/ca.pem")
    assert config.nats_creds is not None


def test_a_file_sets_typed_values(write: Write) -> None:
    """Each kind of value arrives in its own type, secrets wrapped."""
    config = load(
        write(
            'listen = "[::1]:0"\nread_timeout_secs = 0.5\nupstream_tls = false\nsnapshot_path = "/s"\n'
            'managed_endpoints = ["/chat/completions", "GET /v1/models"]\nshutdown_grace_period_secs = 0\n'
            f'[pool_keys]\nopenai = "sk-1"\nanthropic = ["a", "b"]\n[signing_keys]\n7 = "{PUBLIC}"\n'
        ),
        {},
    )
    assert config.listen == ("::1", 0)
    assert (config.read_timeout_secs, config.upstream_tls, config.snapshot_path) == (0.5, False, Path("/s"))
    assert config.managed_endpoints == ("/chat/completions", "GET /v1/models")
    assert config.pool_keys == {"openai": (Secret("sk-1"),), "anthropic": (Secret("a"), Secret("b"))}
    assert list(config.signing_keys) == [7]
    assert len(config.signing_keys[7]) == 32


# One variable and its meaning for each key of the contract.
VARIABLES = {
    "listen": ("127.0.0.1:1", ("127.0.0.1", 1)),
    "metrics_listen": ("127.0.0.1:2", ("127.0.0.1", 2)),
    "workers": ("3", 3),
    "nats_url": ("nats://x", "nats://x"),
    "nats_creds": ("text", Secret("text")),
    "nats_creds_file": ("/c", Path("/c")),
    "config_bucket": ("b", "b"),
    "snapshot_path": ("/s", Path("/s")),
    "connect_timeout_secs": ("1", 1.0),
    "read_timeout_secs": ("1.5", 1.5),
    "write_timeout_secs": ("2", 2.0),
    "idle_timeout_secs": ("3", 3.0),
    "request_max_secs": ("4", 4.0),
    "shutdown_grace_period_secs": ("0", 0.0),
    "upstream_tls": ("false", False),
    "upstream_verify_cert": ("0", False),
    "upstream_ca_file": ("/ca", Path("/ca")),
    "rate_limit_rps": ("0", 0),
    "byo_rate_limit_rps": ("9", 9),
    "circuit_breaker_threshold": ("5", 5),
    "circuit_breaker_window_secs": ("6", 6.0),
    "circuit_breaker_reset_secs": ("7", 7.0),
    "max_buffered_body_bytes": ("1024", 1024),
    "managed_endpoints": ("/a, GET /b,", ("/a", "GET /b")),
}


@pytest.mark.parametrize("key", [name for name in FIELDS if name not in TABLES | {"require_signing_keys"}])
def test_every_key_comes_from_the_environment(key: str) -> None:
    """AI_<KEY> sets the key in its type; a key added without one fails here."""
    text, value = VARIABLES[key]
    assert getattr(load(None, {f"AI_{key.upper()}": text}), key) == value


def test_entries_of_tables_come_from_the_environment() -> None:
    """Each table has its prefix; several pool keys are separated by commas."""
    config = load(
        None,
        {
            "AI_POOL_KEY_OPENAI": "sk-1, sk-2",
            "AI_SIGNING_KEY_7": PUBLIC,
            "AI_PROVIDER_AUTHORITY_MINE": "mine.internal",
            "AI_PROVIDER_DIALECT_MINE": "anthropic",
            "AI_PROVIDER_AUTH_SCHEME_MINE": "api-key",
            "AI_POOL_KEY_MINE": "k",
            "AI_REQUIRE_SIGNING_KEYS": "true",
        },
    )
    assert config.pool_keys == {"openai": (Secret("sk-1"), Secret("sk-2")), "mine": (Secret("k"),)}
    assert list(config.signing_keys) == [7]
    assert config.provider_authorities == {"mine": "mine.internal"}
    assert config.provider_dialects == {"mine": "anthropic"}
    assert config.provider_auth_schemes == {"mine": "api-key"}
    assert config.require_signing_keys


def test_the_environment_wins_over_the_file(write: Write) -> None:
    """Key by key and entry by entry; what is empty or not set there is left to the file."""
    path = write('workers = 2\nconfig_bucket = "file"\n[pool_keys]\nopenai = "file"\nxai = "file"\n')
    config = load(path, {"AI_WORKERS": "5", "AI_CONFIG_BUCKET": " ", "AI_POOL_KEY_OPENAI": "env"})
    assert (config.workers, config.config_bucket) == (5, "file")
    assert config.pool_keys == {"openai": (Secret("env"),), "xai": (Secret("file"),)}


def test_a_variable_reaches_a_provider_with_a_dash(write: Write) -> None:
    """Underscores in a variable find the name the file gave."""
    path = write('[provider_authorities]\nmy-llm = "h"\n')
    assert list(load(path, {"AI_POOL_KEY_MY_LLM": "k"}).pool_keys) == ["my-llm"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nrate_limit_rsp = 1\n", "config.toml:2: rate_limit_rsp: unknown key; did you mean rate_limit_rps?"),
        ("zzz = 1", "config.toml:1: zzz: unknown key; config.example.toml has them all"),
        ("[nats]\nurl = 'x'", "config.toml:1: nats: unknown key"),
        ("workers = 1\nrate_limit_rps = 'x'", "config.toml:2: rate_limit_rps: expected int, got str"),
        ("rate_limit_rps = true", "config.toml:1: rate_limit_rps: expected int, got bool"),
        ("rate_limit_rps = 1.5", "config.toml:1: rate_limit_rps: expected int, got float"),
        ("rate_limit_rps = -1", "config.toml:1: rate_limit_rps: expected int >= 0"),
        ("workers = 0", "config.toml:1: workers: expected int >= 1"),
        ("upstream_tls = 1", "config.toml:1: upstream_tls: expected bool, got int"),
        ("read_timeout_secs = 0", "config.toml:1: read_timeout_secs: expected float > 0"),
        ("read_timeout_secs = inf", "config.toml:1: read_timeout_secs: expected float <= 1"),
        ("read_timeout_secs = nan", "config.toml:1: read_timeout_secs: expected float"),
        ("snapshot_path = 3", "config.toml:1: snapshot_path: expected"),
        ("nats_creds = 3", "config.toml:1: nats_creds: expected"),
        ("listen = 8080", "config.toml:1: listen: expected str, got int"),
        ("listen = ':8080'", "config.toml:1: listen: expected host, host:port"),
        ("managed_endpoints = ['chat']", "config.toml:1: managed_endpoints: expected a path ending"),
        ("managed_endpoints = '/chat'", "config.toml:1: managed_endpoints: expected array, got str"),
        ("workers = 1\npool_keys = 'x'", "config.toml:2: pool_keys: expected a table, write [pool_keys]"),
        ("[pool_keys]\n# c\nopenai = 3", "config.toml:3: pool_keys.openai: expected a key, or a list"),
        ("[pool_keys]\nopenai = []", "config.toml:2: pool_keys.openai: expected a key, or a list"),
        ("[pool_keys]\nopenai = ['']", "config.toml:2: pool_keys.openai: expected a key, or a list"),
        ('[pool_keys]\nopenai = "a\\nb"', "config.toml:2: pool_keys.openai: expected a key, or a list"),
        ("[pool_keys]\nopnai = 'k'", "config.toml:2: pool_keys.opnai: no provider is called 'opnai'"),
        ("pool_keys = { openai = 3 }", "config.toml:1: pool_keys.openai: expected a key, or a list"),
        ("pool_keys.openai = 3", "config.toml:1: pool_keys.openai: expected a key, or a list"),
        ("[signing_keys]\n01 = 'x'", "config.toml:2: signing_keys.01: a key id is a number"),
        ("[signing_keys]\n4294967296 = 'x'", "config.toml:2: signing_keys.4294967296: a key id is a number"),
        ('[signing_keys]\n"1" = "AAAA"', "config.toml:2: signing_keys.1: expected 32 bytes as base64"),
        (
            "[provider_dialects]\nopenai = 'gemini'",
            "config.toml:2: provider_dialects.openai: unrecognised value 'gemini'",
        ),
        ("[provider_auth_schemes]\nxai = 'Bearer'", "config.toml:2: provider_auth_schemes.xai: unrecognised value"),
        ("[provider_authorities]\nx = 'http://h'", "config.toml:2: provider_authorities.x: give host or host:port"),
        ("[provider_authorities.x]\nhost = 'h'", "config.toml:1: provider_authorities.x: expected str, got object"),
        ("[provider_dialects]\nx = 'openai'", "config.toml:2: provider_dialects.x: no provider is called 'x'"),
        ("require_signing_keys = true", "config.toml:1: require_signing_keys: there is none; make one with"),
        ("workers = 1\nworkers == 2", "config.toml:2: not TOML: "),
        ("workers = [", "config.toml:1: not TOML: "),
    ],
)
def test_a_fault_in_the_file_is_one_line_with_place_and_key(write: Write, text: str, said: str) -> None:
    """File, line and key come first, then what is wrong."""
    assert fault(write(text)).startswith(said)


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("AI_RATE_LIMIT_RPS", "many", "AI_RATE_LIMIT_RPS: expected int, got str"),
        ("AI_UPSTREAM_TLS", "maybe", "AI_UPSTREAM_TLS: expected bool, got str"),
        ("AI_LISTEN", "8080", "AI_LISTEN: the port is missing: write host:port"),
        ("AI_POOL_KEY_OPNAI", "sk-1", "AI_POOL_KEY_OPNAI: no provider is called 'opnai'"),
        ("AI_POOL_KEY_OPENAI", "sk 1", "AI_POOL_KEY_OPENAI: expected a key"),
        ("AI_SIGNING_KEY_ONE", PUBLIC, "AI_SIGNING_KEY_ONE: a key id is a number"),
        ("AI_SIGNING_KEY_1", "x", "AI_SIGNING_KEY_1: expected 32 bytes as base64"),
        (
            "AI_PROVIDER_DIALECT_OPENAI",
            "x",
            "AI_PROVIDER_DIALECT_OPENAI: unrecognised value 'x'; use openai or anthropic",
        ),
        ("AI_REQUIRE_SIGNING_KEYS", "true", "AI_REQUIRE_SIGNING_KEYS: there is none"),
    ],
)
def test_a_fault_in_the_environment_names_the_variable(variable: str, text: str, said: str) -> None:
    """The variable stands where file and line would."""
    assert fault(None, {variable: text}).startswith(said)


def test_a_fault_never_shows_a_secret(write: Write) -> None:
    """Texts of wrong keys stay out of the message."""
    for text in ("[pool_keys]\nopenai = 'sk-live 1'", "[signing_keys]\n1 = 'sk-live'", "nats_creds = ['sk-live']"):
        assert "sk-live" not in fault(write(text))
    assert "sk-live" not in fault(None, {"AI_POOL_KEY_OPENAI": "sk-live 1"})


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """A missing file, a directory and a file that is no text are the operator's, with a way out."""
    assert fault(tmp_path / "none.toml").startswith(
        "config.toml: no such file; begin with a copy of config.example.toml"
    )
    assert fault(tmp_path).startswith("config.toml: cannot be read: ")
    binary = tmp_path / "b"
    binary.write_bytes(b"\xff\xfe")
    assert fault(binary) == "config.toml: not UTF-8 text"
