from __future__ import annotations

import pytest

from beyond_agent.tools.ignore_rules import IgnoreFile, IgnoreStack, as_bytes_text


def ignored(rules: bytes, path: str) -> bool | None:
    """Return the verdict on a path; one that ends with a slash is a directory."""
    return IgnoreFile(rules).verdict(as_bytes_text(path.rstrip("/")), directory=path.endswith("/"))


@pytest.mark.parametrize(
    ("rules", "ignores", "not_"),
    [
        (b"a", ["a", "a/", "x/a"], ["ab"]),
        (b"/a", ["a"], ["x/a"]),
        (b"a/", ["a/", "x/a/"], ["a", "x/a"]),
        (b"a/b", ["a/b"], ["x/a/b"]),
        (b"**/a/b", ["a/b", "x/a/b"], []),
        (b"a/**", ["a/b", "a/b/c"], ["a/", "x/a/b"]),
        (b"*.log", ["a.log", "x/.log"], ["a.log.gz"]),
        (b"#a\n\\#b", ["#b"], ["#a"]),
        (b"\\!a", ["!a"], ["a"]),
        (b"a \nb\\ ", ["a", "b "], ["a ", "b"]),
        (b"a\r\nb\r\n", ["a", "b"], []),
        (b"\xef\xbb\xbfa", ["a"], []),
        (b"[\nb", ["b"], ["["]),
        (b"a\n\xff\nb", ["a"], ["b"]),
        ("é".encode(), ["é"], ["e"]),
        (b"??", ["é", "ab"], ["e"]),
        (b"*", ["a", "a/"], []),
        (b"", [], ["a"]),
        (b"/", [], ["a"]),
    ],
)
def test_rules_are_ripgreps(rules: bytes, ignores: list[str], not_: list[str]) -> None:
    """Anchors, folders only, comments, escapes, blanks at the end, and lines that mean nothing."""
    assert ([e for e in ignores if not ignored(rules, e)], [e for e in not_ if ignored(rules, e)]) == ([], [])


def test_the_last_rule_that_fits_decides() -> None:
    """A negation takes back what a rule before it ignores, and is taken back by one after it."""
    assert ignored(b"*.log\n!keep.log", "keep.log") is False
    assert ignored(b"!keep.log\n*.log", "keep.log") is True
    assert ignored(b"*.log\n!keep/", "keep") is None


def test_the_deepest_file_decides() -> None:
    """A file of rules is asked before those of the folders above, each about the path below its own folder."""
    outer = IgnoreStack(IgnoreFile(b"*.log\n/x"), len("/w/"), None)
    inner = IgnoreStack(IgnoreFile(b"!a.log\n/y"), len("/w/sub/"), outer)
    assert not inner.ignored("/w/sub/a.log", directory=False)
    assert inner.ignored("/w/sub/b.log", directory=False)
    assert inner.ignored("/w/sub/y", directory=False)
    assert not inner.ignored("/w/sub/x", directory=False)
    assert outer.ignored("/w/x", directory=False)
