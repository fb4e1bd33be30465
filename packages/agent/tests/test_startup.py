"""What sessions work with, from settings and environment."""

from __future__ import annotations

import os
import pwd

import pytest

from beyond_agent.errors import UsageError
from beyond_agent.options import Options
from beyond_agent.startup import harness_for, home_of

PROVIDERS = "sk-provider-0123456789"


def test_in_gateway_mode_nothing_holds_a_providers_key() -> None:
    """Not even to mask it: what is masked is the key that requests carry."""
    harness = harness_for(Options(key="bai_v1.mine"), {"HOME": "/", "AI_API_KEY": PROVIDERS})
    assert harness.secrets == ("bai_v1.mine",)


def test_in_direct_mode_both_keys_are_masked() -> None:
    """The provider's, which requests carry, and the gateway's where a flag gave one all the same."""
    environ = {"HOME": "/", "AI_BASE_URL": "http://127.0.0.1:9", "AI_API_KEY": PROVIDERS}
    assert harness_for(Options(direct=True, key="bai_v1.mine"), environ).secrets == (PROVIDERS, "bai_v1.mine")


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "--gateway-url or AI_GATEWAY_URL: must be http://host or https://host"),
        ({"AI_BASE_URL": "host:1", "AI_API_KEY": "k"}, "AI_BASE_URL: must be http://host or https://host"),
        (
            {"AI_BASE_URL": "http://host", "AI_API_KEY": "k", "all_proxy": "socks5://127.0.0.1:1"},
            "http_proxy, https_proxy or all_proxy: must be an http proxy, not socks5; no_proxy excepts hosts from it",
        ),
    ],
    ids=["gateway", "provider", "proxy"],
)
def test_an_address_that_cannot_be_used_is_named_as_it_was_given(environ: dict[str, str], told: str) -> None:
    """The flag or the variables, and no name that only the program knows."""
    direct = "AI_BASE_URL" in environ
    with pytest.raises(UsageError) as raised:
        harness_for(Options(key="bai_v1.mine", gateway_url="ftp://host", direct=direct), {"HOME": "/", **environ})
    assert str(raised.value).startswith(told)


def test_a_home_is_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative one counts as none, and a user without any has none below the current directory."""
    system = pwd.getpwuid(os.getuid()).pw_dir
    assert [home_of(environ) for environ in ({"HOME": "/h"}, {"HOME": "h"}, {"HOME": ""}, {})] == ["/h", *[system] * 3]
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 2)
    assert home_of({}) == "/"
