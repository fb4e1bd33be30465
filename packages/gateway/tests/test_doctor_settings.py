"""What is found in a configuration without looking further."""

from __future__ import annotations

from pathlib import Path

import pytest

from beyond_gateway.config import Config
from beyond_gateway.doctor.providers import chosen
from beyond_gateway.doctor.report import Check, fail, note
from beyond_gateway.doctor.settings import not_loaded, settings
from beyond_gateway.providers import BUILT_IN
from beyond_gateway.redact import Secret


def named(checks: list[Check], name: str) -> list[Check]:
    return [check for check in checks if check.name == name]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "c.toml:3: workers: expected int, got str",
            fail(
                "config",
                "c.toml:3: workers: expected int, got str",
                "correct it there; config.example.toml documents every key",
            ),
        ),
        ("c.toml: no such file; copy one", fail("config", "c.toml: no such file", "copy one")),
    ],
)
def test_a_configuration_that_does_not_load_is_one_failure(text: str, found: Check) -> None:
    """The place is kept, the loader's own advice is the way to mend it, and what is skipped is said."""
    checks = not_loaded(text)
    assert checks[0] == found
    assert [check.status for check in checks] == ["fail", "note"]
    assert checks[1].detail.startswith("skipped: ")


def test_warnings_are_notes() -> None:
    """Each of the configuration's own warnings is shown."""
    config = Config(upstream_tls=False)
    found = named(settings(config, Path("c.toml")), "config")
    assert found[0].detail == "c.toml loads"
    assert [check.detail for check in found[1:]] == config.warnings()
    assert {check.status for check in found[1:]} == {"note"}


def test_without_a_file_it_says_how_to_give_one() -> None:
    """The environment alone is a configuration."""
    assert "-c FILE" in settings(Config(), None)[0].detail


def test_signing_keys_are_counted_and_named_by_kid() -> None:
    """Kids in the order of numbers; none is a note."""
    config = Config(signing_keys={10: b"\1" * 32, 9: b"\2" * 32})
    assert named(settings(config, None), "signing keys")[0].detail == "2, kid 9, 10"
    assert named(settings(Config(), None), "signing keys")[0].status == "note"


def test_pool_keys_are_counted_and_never_shown() -> None:
    """Which provider has how many, which have none, and no character of a key."""
    config = Config(
        pool_keys={"openai": (Secret("QQQ"), Secret("ZZZ")), "mine": (Secret("JJJ"),)},
        provider_authorities={"mine": "llm.example"},
    )
    found = settings(config, None)
    (check,) = named(found, "pool keys")
    assert (check.status, check.detail.partition("; ")[0]) == ("ok", "openai (2), mine (1)")
    assert check.detail.partition("; ")[2].startswith("not set: anthropic, ")
    assert not any(letters in repr(found) for letters in ("QQQ", "ZZZ", "JJJ"))


def test_no_pool_key_at_all_is_a_note() -> None:
    """A gateway for callers' own keys needs none."""
    assert named(settings(Config(), None), "pool keys") == [
        note("pool keys", "none set; AI_POOL_KEY_OPENAI and the like, or [pool_keys], give managed keys a provider")
    ]


def test_providers_that_are_used_are_reached() -> None:
    """Those with a pool key or a configured authority; every one when asked for."""
    config = Config(pool_keys={"groq": (Secret("k"),)}, provider_authorities={"mine": "llm.example", "xai": "x"})
    assert [row.name for row in chosen(config, every=False)] == ["groq", "xai", "mine"]
    assert len(chosen(config, every=True)) == len(BUILT_IN) + 1
    assert chosen(Config(), every=False) == []
