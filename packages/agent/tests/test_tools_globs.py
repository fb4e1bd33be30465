from __future__ import annotations

import pytest

from beyond_agent.tools.globs import BadGlob, compile_glob, path_glob


@pytest.mark.parametrize(
    ("glob", "fits", "not_"),
    [
        ("*", ["a", ".a", "a b"], ["a/b"]),
        ("?", ["a", "é"], ["", "ab", "/"]),
        ("a*c", ["ac", "abc"], ["a/c", "acd"]),
        ("[ab]", ["a", "b"], ["c", "ab"]),
        ("[!ab]", ["c"], ["a", "/"]),
        ("[^ab]", ["c"], ["b"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[a-c]x", ["bx"], ["dx"]),
        ("{a,bc}.py", ["a.py", "bc.py"], ["b.py", "{a,bc}.py"]),
        ("{a,{b,c}d}", ["a", "bd", "cd"], ["b"]),
        ("{a,}", ["a"], ["", "b"]),
        ("\\*", ["*"], ["a"]),
        ("a.c", ["a.c"], ["abc"]),
        ("**", ["a", "a/b/c"], []),
        ("**/", ["a", "a/b/c"], []),
        ("**/a", ["a", "x/a", "x/y/a"], ["xa", "a/b"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "ab"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["ab", "a/xb"]),
        ("a**b", ["ab", "axb"], ["a/b"]),
        ("{**/a,b}", ["a", "x/a", "b"], ["x/b"]),
        ("a,b", ["a,b"], ["a"]),
    ],
)
def test_a_glob_fits_whole_paths(glob: str, fits: list[str], not_: list[str]) -> None:
    """Each sign means what it means to ripgrep."""
    regex = compile_glob(glob)
    assert ([each for each in fits if not regex.fullmatch(each)], [e for e in not_ if regex.fullmatch(e)]) == ([], [])


@pytest.mark.parametrize(
    ("glob", "text"),
    [
        ("[a", "a [ is not closed"),
        ("[", "a [ is not closed"),
        ("[]", "a [ is not closed"),
        ("[z-a]", "the range z-a is backwards"),
        ("{a", "a { is not closed"),
        ("a}", "a } closes nothing"),
        ("a\\", "nothing follows the last \\"),
        ("{" * 21 + "}" * 21, "too many { within another"),
    ],
)
def test_a_glob_that_means_nothing_is_refused(glob: str, text: str) -> None:
    """The error says what is wrong."""
    with pytest.raises(BadGlob) as caught:
        compile_glob(glob)
    assert text == str(caught.value)


@pytest.mark.parametrize(
    ("glob", "fits", "not_"),
    [
        ("*.py", ["a.py", "x/y/a.py"], ["a.pyc", "a.py/b"]),
        ("src/*.py", ["src/a.py", "x/src/a.py"], ["src/x/a.py"]),
        ("/src/*.py", ["src/a.py"], ["x/src/a.py"]),
        ("/a", ["a"], ["x/a"]),
        ("**/a/b", ["a/b", "x/a/b"], ["ya/b"]),
        ("src/**", ["src/a", "x/src/a/b"], ["src"]),
    ],
)
def test_a_path_glob_begins_anywhere(glob: str, fits: list[str], not_: list[str]) -> None:
    """Without a slash it is for base names, with one at any depth, and with one at its start at the root."""
    regex = path_glob(glob)
    assert ([each for each in fits if not regex.fullmatch(each)], [e for e in not_ if regex.fullmatch(e)]) == ([], [])
