from __future__ import annotations

import os

import pytest

from beyond_agent.policy.deny_paths import DeniedPaths


def denied(glob: str, *, canonical: dict[str, str] | None = None) -> DeniedPaths:
    """Return one glob's denials, of a user in /w; `canonical` are symlinks."""
    links = canonical or {}
    return DeniedPaths(
        [glob], home="/home/me", cwd="/w", canonical=lambda path: links.get(path, os.path.normpath(path))
    )


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        (".env", ["/w/.env", "/x/y/.env", "/w/.env/below"], ["/w/.envrc", "/w/a.env", "/"]),
        ("*.pem", ["/w/a.pem", "/a.pem", "/x.pem/b"], ["/w/a.pem.txt", "/w/pem"]),
        ("secrets/*.key", ["/w/secrets/a.key", "/w/x/secrets/a.key"], ["/w/secrets/x/a.key", "/w/secrets"]),
        ("secrets/**/*.key", ["/w/secrets/a.key", "/w/secrets/x/y/a.key"], ["/w/a.key"]),
        ("/etc", ["/etc", "/etc/passwd"], ["/w/etc", "/etcetera"]),
        ("/etc/**", ["/etc", "/etc/a/b"], ["/w/etc/a"]),
        ("/etc/*", ["/etc", "/etc/a/b"], ["/etcetera"]),
        ("~/.ssh", ["/home/me/.ssh/id"], ["/w/.ssh", "/home/you/.ssh"]),
        ("~", ["/home/me", "/home/me/x"], ["/home"]),
        ("./conf", ["/w/conf/x"], ["/w/x/conf", "/conf"]),
        ("../other", ["/other/x"], ["/w/other"]),
        ("x/../*.y", ["/w/a.y"], ["/w/x/z"]),
        ("[ab].txt", ["/w/a.txt"], ["/w/c.txt", "/w/[ab].txt"]),
        ("*", ["/", "/w/a"], []),
        ("/", ["/", "/w/a"], []),
        ("a?c", ["/w/abc"], ["/w/ac", "/w/a/c"]),
    ],
)
def test_a_glob_denies_what_it_names_and_what_is_below(glob: str, yes: list[str], no: list[str]) -> None:
    """Without a slash any part of a path, with one from anywhere, or from the start that it names."""
    rules = denied(glob)
    assert {path: rules.glob_of(path) for path in yes} == dict.fromkeys(yes, glob)
    assert {path: rules.glob_of(path) for path in no} == dict.fromkeys(no)


def test_a_glob_through_a_symlink_denies_where_it_leads() -> None:
    """Paths are canonical, so the fixed start of a glob is resolved too; both ways of it count."""
    rules = denied("/var/run/*.sock", canonical={"/var/run": "/run"})
    assert rules.glob_of("/run/a.sock") == "/var/run/*.sock"
    assert rules.glob_of("/var/run/a.sock") == "/var/run/*.sock"
    assert rules.glob_of("/run/a.txt") is None


def test_the_first_glob_that_denies_is_named() -> None:
    """As it was given; without any nothing is denied."""
    rules = DeniedPaths(["*.key", "./a"], home="/h", cwd="/w", canonical=os.path.normpath)
    assert rules.glob_of("/w/a/b.key") == "*.key"
    assert rules.glob_of("/w/a/b") == "./a"
    assert rules
    assert not DeniedPaths([], home="/h", cwd="/w", canonical=os.path.normpath)
