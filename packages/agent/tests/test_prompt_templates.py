from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from agent_project import Project
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent.prompt.templates import filled, template_at, words_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("body", "arguments", "expected"),
    [
        ("review $1", "a.py", "review a.py"),
        ("$2 before $1", "a b", "b before a"),
        ("all: $@", "a  'b c' d", "all: a b c d"),
        ("$1|$2|$3", "a", "a||"),
        ("${@:2}", "a b c d", "b c d"),
        ("${@:2:2}", "a b c d", "b c"),
        ("${@:9}|${@:1:0}|${@:0}", "a b", "||a b"),
        ("${1}", "a", "a"),
        ("in ${1:-English}", "", "in English"),
        ("in ${1:-English}", "Greek", "in Greek"),
        ("in ${2:-$1}", "Greek", "in $1"),
        ("in ${1:-English}", '""', "in English"),
        ("${1:-}", "", ""),
        ("$10", "1 2 3 4 5 6 7 8 9 ten", "ten"),
        ("cost: $5.00, $HOME, ${x}, $, $0", "a", "cost: .00, $HOME, ${x}, $, $0"),
        ("${@:1:-1} ${0:-x} ${@}", "", "${@:1:-1} ${0:-x} ${@}"),
    ],
)
def test_places_are_filled(body: str, arguments: str, expected: str) -> None:
    """Words go to their places, a default stands in for one that is missing, what is no place stays."""
    assert filled(body, arguments) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b\tc\nd", ["a", "b", "c", "d"]),
        ('"a b" c', ["a b", "c"]),
        ("'a b' c", ["a b", "c"]),
        ('"it\'s" done', ["it's", "done"]),
        ("it's done, isn't it", ["it's", "done,", "isn't", "it"]),
        ('key="a b"c', ["key=a bc"]),
        ('"" x', ["", "x"]),
        ('an "open quote', ["an", '"open', "quote"]),
        ("C:\\dir \\n", ["C:\\dir", "\\n"]),
        ("", []),
    ],
)
def test_quotes_keep_words_together(text: str, words: list[str]) -> None:
    """Quotes group, and go; an apostrophe, a lone quote and a backslash are characters."""
    assert words_of(text) == words


def test_arguments_without_a_place_follow_the_text() -> None:
    """A template that does not say where its arguments go loses none."""
    assert filled("Review the code.", 'all "of it"') == 'Review the code.\n\nall "of it"'
    assert filled("Review the code.", "") == "Review the code."


WORDS = st.lists(
    st.sampled_from(["$1", "$2", "$@", "${@:1:2}", "${1:-x}", "\\1", r"\g<0>", "{}", "%s", "plain"]),
    min_size=3,
    max_size=5,
)


@given(WORDS)
def test_arguments_are_not_expanded_again(words: list[str]) -> None:
    """Whatever a word looks like, it is put in as it is: one pass."""
    arguments = " ".join(words)
    assert filled("$@", arguments) == arguments
    assert filled("<$1> <${2}> <${3:-d}>", arguments) == f"<{words[0]}> <{words[1]}> <{words[2]}>"
    assert filled("${@:2:2}", arguments) == " ".join(words[1:3])


@given(st.text(), st.text())
def test_any_template_takes_any_arguments(body: str, arguments: str) -> None:
    """No text is a fault, and a template without a dollar sign comes out whole."""
    text = filled(body, arguments)
    assert "$" in body or text.startswith(body)


@given(st.lists(st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=8)))
def test_quoted_words_come_back(words: list[str]) -> None:
    """Whatever stands between double quotes is one word."""
    assert words_of(" ".join(f'"{each}"' for each in words)) == words


def test_a_template_has_its_name_from_its_file_and_its_description_from_its_head(tmp_path: Path) -> None:
    """The description is for lists; without one the first line is."""
    project = Project(tmp_path)
    notices: list[str] = []
    path = project.put("fix.md", "---\ndescription: mends it\n---\nFix $1\n")
    assert template_at(path, "own", notices) == ("fix", "mends it", "Fix $1", path, "own")
    path = project.put("go.md", "\nGo on.\nAnd on.\n")
    assert template_at(path, "flag", notices) == ("go", "Go on.", "Go on.\nAnd on.", path, "flag")
    assert notices == []


def test_a_template_without_text_is_left_out(tmp_path: Path) -> None:
    """A head alone is a mistake, which is told; a blank file counts as absent."""
    project = Project(tmp_path)
    notices: list[str] = []
    assert template_at(project.put("a.md", "---\nname: x\n---\n \n"), "own", notices) is None
    assert template_at(project.put("b.md", " \n"), "own", notices) is None
    assert notices == [f"the template {tmp_path}/a.md is left out: it has no text"]


def test_the_first_template_of_a_name_wins_and_the_others_are_named(tmp_path: Path) -> None:
    """A flag goes before the project, the project before the user's own."""
    project = Project(tmp_path)
    flag = project.put("x/go.md", "flag")
    theirs = project.put("repo/.beyond-ai/prompts/go.md", "project")
    own = project.put(".config/beyond-ai/prompts/go.md", "own")
    prompt = project.load(prompt_template=(flag,))
    assert prompt.shortcuts.expand("/go") == "flag"
    assert prompt.notices == tuple(
        f"the template {path} is left out: {flag} has the same name" for path in (theirs, own)
    )
    assert project.load().shortcuts.expand("/go") == "project"
    assert project.load(trusted=False).shortcuts.expand("/go") == "own"
