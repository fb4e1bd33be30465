"""Base URLs and proxy variables, read without I/O."""

from __future__ import annotations

import pytest

from beyond_agent_core.client_target import Origin, Proxy, parse_base, proxy_for
from beyond_agent_core.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "authority", "prefix"),
    [
        ("http://gw", "gw", ""),
        ("http://gw/", "gw", ""),
        ("http://gw/v1", "gw", ""),
        ("http://gw/v1/", "gw", ""),
        ("https://gw:8443/team/v1//", "gw:8443", "/team"),
        ("https://gw:443/apiv1", "gw", "/apiv1"),
        ("http://gw:443", "gw:443", ""),
        ("http://[::1]:8080/v1", "[::1]:8080", ""),
        ("HTTP://GW", "gw", ""),
        ("http://me:s3cret@gw/v1", "gw", ""),
    ],
)
def test_a_base_url(url: str, authority: str, prefix: str) -> None:
    """A `/v1` or `/` at the end goes, a default port is not told."""
    origin, found = parse_base(url, {})
    assert (origin.authority, found) == (authority, prefix)


@pytest.mark.parametrize(
    "url",
    [
        "gw:8080",
        "ftp://gw",
        "http://",
        "http://gw:99999",
        "http://gw:0",
        "http://gw/?s3cret",
        "http://gw/#x",
        "http://gw/a b",
        "http://gäteway",
    ],
)
def test_a_base_url_that_cannot_be_used(url: str) -> None:
    """The field is named; nothing of the URL is repeated, for it may hold a secret."""
    with pytest.raises(ConfigError) as told:
        parse_base(url, {})
    assert told.value.field == "base_url"
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({}, None),
        ({"https_proxy": "http://lower", "HTTPS_PROXY": "http://upper"}, "lower"),
        ({"HTTPS_PROXY": "http://upper"}, "upper"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://upper"}, None),
        ({"http_proxy": "http://other"}, None),
        ({"all_proxy": "bare"}, "bare"),
        ({"https_proxy": "http://p", "no_proxy": "*"}, None),
        ({"https_proxy": "http://p", "no_proxy": "x, api.example.com"}, None),
        ({"https_proxy": "http://p", "no_proxy": "Example.com"}, None),
        ({"https_proxy": "http://p", "no_proxy": ".example.com"}, None),
        ({"https_proxy": "http://p", "no_proxy": "*.example.com:443"}, None),
        ({"https_proxy": "http://p", "no_proxy": "example.com:80"}, "p"),
        ({"https_proxy": "http://p", "no_proxy": "ample.com"}, "p"),
        ({"https_proxy": "http://p", "NO_PROXY": "example.com"}, None),
    ],
)
def test_which_proxy(environ: dict[str, str], host: str | None) -> None:
    """Lower case goes before upper, the scheme's own before `all_proxy`; `no_proxy` excepts a host and its children."""
    proxy = proxy_for("https", "api.example.com", 443, environ)
    assert (None if proxy is None else proxy.host) == host


def test_no_proxy_with_addresses() -> None:
    """IPv6 addresses stand with and without brackets, and with a port."""
    for entry in ("::1", "[::1]", "[::1]:8080"):
        assert proxy_for("http", "::1", 8080, {"http_proxy": "http://p", "no_proxy": entry}) is None, entry
    assert proxy_for("http", "::1", 8080, {"http_proxy": "http://p", "no_proxy": "[::1]:1"}) is not None


def test_a_servers_own_clients_choose_no_proxy() -> None:
    """`HTTP_PROXY` is a client's header in a CGI program, and does not count there."""
    assert proxy_for("http", "gw", 80, {"HTTP_PROXY": "http://p"}) is not None
    assert proxy_for("http", "gw", 80, {"HTTP_PROXY": "http://p", "REQUEST_METHOD": "GET"}) is None


def test_a_proxys_credentials() -> None:
    """They become a header and are in no repr; a proxy of an unknown kind is refused without them."""
    proxy = proxy_for("http", "gw", 80, {"http_proxy": "http://me:s3cret%21@p:3128"})
    assert proxy == Proxy(host="p", port=3128, authorization="Basic bWU6czNjcmV0IQ==")
    assert "bWU6" not in repr(Origin(scheme="http", host="gw", port=80, proxy=proxy))
    for kind in ("socks5", "https"):
        with pytest.raises(ConfigError, match=f"proxy: must be an http proxy, not {kind}") as told:
            proxy_for("http", "gw", 80, {"http_proxy": f"{kind}://me:s3cret@p"})
        assert "s3cret" not in str(told.value)


def test_targets() -> None:
    """Only a proxy that reads the request is told the whole URL."""
    proxy = Proxy(host="p", port=80)
    plain, tls = (Origin(scheme=scheme, host="gw", port=8080, proxy=proxy) for scheme in ("http", "https"))
    assert plain.target("/v1/messages") == "http://gw:8080/v1/messages"
    assert tls.target("/v1/messages") == "/v1/messages"
    assert (plain.tunnelled, tls.tunnelled) == (False, True)
