from __future__ import annotations

import pytest

from beyond_agent.tools.grep_class import BadPattern, OnlyRipgrep
from beyond_agent.tools.grep_pattern import check_pattern, python_regex


def found(pattern: str, line: str, *, ignore_case: bool = False) -> bool:
    regexes = [
        python_regex(pattern, ignore_case=ignore_case, literal_text=False, ascii_only=ascii_only)
        for ascii_only in (False, *([True] if line.isascii() else []))
    ]
    (result,) = {regex.search(line) is not None for regex in regexes}
    return result


@pytest.mark.parametrize(
    ("pattern", "lines", "others"),
    [
        ("a.c", ["abc", "aéc"], ["ac", "a\udcffc"]),
        ("\\d", ["1", "٣"], ["x"]),
        ("\\w", ["é", "_", "文", "a"], ["-", " "]),
        ("^\\s$", [" ", "\t", "\u3000", "\r"], ["\x1c", "x"]),
        ("\\bab\\b", ["ab", "x ab-"], ["abé", "éab", "cab"]),
        ("\\<ab", ["ab", "x ab"], ["xab"]),
        ("ab\\>", ["ab", "ab x"], ["abx"]),
        ("\\B", ["", "ab", "--"], ["a"]),
        ("[[:alpha:]_-]+x", ["a-x", "_x"], ["1x"]),
        ("[^a-c]", ["d"], ["a", "abc"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("(?i)k", ["K", "\u212a"], ["x"]),
        ("(?i)s", ["S", "\u017f"], ["x"]),
        ("(?i:a)b", ["Ab", "ab"], ["AB"]),
        ("(?i)a(?-i)b", ["Ab"], ["aB"]),
        ("(?P<x>a)(?<y>b)", ["ab"], ["a"]),
        ("a{2,3}$", ["aa", "xaaa"], ["a"]),
        ("a{ 2 }", ["aa"], ["a"]),
        ("x|y|", ["", "x"], []),
        ("\\x41\\u{e9}\\t", ["Aé\t"], ["A"]),
        ("\\.\\*\\[", [".*["], ["x"]),
    ],
)
def test_lines_are_found_as_ripgrep_finds_them(pattern: str, lines: list[str], others: list[str]) -> None:
    """Sets, borders of words and case are those of Unicode, in all texts alike."""
    assert (lines, []) == ([each for each in lines if found(pattern, each)], [e for e in others if found(pattern, e)])


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(?=a)", "look-around is not supported"),
        ("(?<!a)", "look-around is not supported"),
        ("(a)\\1", "backreferences are not supported"),
        ("\\h", "\\h means nothing"),
        ("*a", "nothing stands before * to be repeated"),
        ("(a", "a ( is not closed"),
        ("a)", "a ) closes nothing"),
        ("[a", "a [ is not closed"),
        ("[z-a]", "a range in a class is backwards"),
        ("[\\d-z]", "a range in a class is between two characters"),
        ("a{x}", "a { begins a count such as {2,3}, itself it is \\{"),
        ("a{3,2}", "a count is backwards"),
        ("a\\", "nothing follows the last \\"),
        ("\\xg", "\\x is not followed by the number of a character"),
        ("\\u{d800}", "\\u is not followed by the number of a character"),
        ("(?<x>a)(?<x>b)", "two groups have the name x"),
        ("(?#c)", "a (? begins no group that is known"),
        ("(?ii)a", "the flags ii are not known"),
        ("a\\nb", "a line end cannot be matched, each line is searched by itself"),
        ("a\x00", "NUL cannot be matched, binary files are skipped"),
        ("[\\b]", "\\b is no character of a class"),
    ],
)
def test_what_ripgrep_refuses_is_refused(pattern: str, text: str) -> None:
    """Whoever then searches, the pattern is refused in the same words."""
    for check in (lambda: check_pattern(pattern, literal_text=False), lambda: found(pattern, "x")):
        with pytest.raises(BadPattern) as caught:
            check()
        assert text == str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    [
        "\\p{Lu}",
        "\\PL",
        "\\A",
        "a\\z",
        "[a&&b]",
        "[a--b]",
        "[[a]b]",
        "(?x) a",
        "(?-u)a",
        "a{1001}",
        "(a*)*",
        "(a|ab)*c",
        "\\b{start}a",
        "(" * 51 + ")" * 51,
    ],
)
def test_what_python_cannot_do_alike_is_left_to_ripgrep(pattern: str) -> None:
    """It passes the check that is made for both, and Python refuses it rather than find something else."""
    check_pattern(pattern, literal_text=False)
    with pytest.raises(OnlyRipgrep):
        found(pattern, "x")


def test_a_literal_has_no_signs() -> None:
    """All signs of a literal text are themselves; what no line holds is refused."""
    regex = python_regex("a.(*", ignore_case=True, literal_text=True, ascii_only=True)
    assert regex.search("xA.(*")
    assert not regex.search("ab(*")
    with pytest.raises(BadPattern):
        check_pattern("a\nb", literal_text=True)
