from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from agent_file_tools import call, workplace

from beyond_agent.tools.edit import EditTool

if TYPE_CHECKING:
    from pathlib import Path


class Case(NamedTuple):
    before: bytes
    edits: list[tuple[str, str]]
    after: bytes
    every: int = 0


def utf_16(text: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


def utf_16_be(text: str) -> bytes:
    return b"\xfe\xff" + text.encode("utf-16-be")


PLAIN = {
    "word": Case(b"a b c\n", [("b", "x")], b"a x c\n"),
    "whole line": Case(b"a\nb\nc\n", [("b\n", "x\n")], b"a\nx\nc\n"),
    "line taken out": Case(b"a\nb\nc\n", [("b\n", "")], b"a\nc\n"),
    "line put in": Case(b"a\nc\n", [("a\n", "a\nb\n")], b"a\nb\nc\n"),
    "all of the file": Case(b"a\nb\n", [("a\nb\n", "x")], b"x"),
    "all taken out": Case(b"a", [("a", "")], b""),
    "first character": Case(b"abc", [("a", "x")], b"xbc"),
    "last character": Case(b"abc", [("c", "x")], b"abx"),
    "no final newline": Case(b"a\nb", [("b", "x")], b"a\nx"),
    "no final newline, first line": Case(b"a\nb", [("a", "x")], b"x\nb"),
    "final newline taken out": Case(b"a\nb\n", [("b\n", "b")], b"a\nb"),
    "final newline put in": Case(b"a\nb", [("b", "b\n")], b"a\nb\n"),
    "blank lines at the end": Case(b"a\n\n\n", [("a", "x")], b"x\n\n\n"),
    "newline alone": Case(b"ab\ncd", [("\n", " ")], b"ab cd"),
    "blank alone": Case(b"ab cd", [(" ", "_")], b"ab_cd"),
    "tabs": Case(b"if a:\n\tb\n\t\tc\n", [("\tb\n", "\tx\n")], b"if a:\n\tx\n\t\tc\n"),
    "tabs for spaces": Case(b"\ta\n\tb\n", [("\ta", "    a")], b"    a\n\tb\n"),
    "trailing blanks elsewhere": Case(b"a  \nb\nc\t\n", [("b", "x")], b"a  \nx\nc\t\n"),
    "trailing blanks asked for": Case(b"a  \nb\n", [("a  \n", "a\n")], b"a\nb\n"),
    "regex characters": Case(b"f(.*)\\1$\n", [("f(.*)\\1$", "g(?:)\\g<0>")], b"g(?:)\\g<0>\n"),
    "nul after 8 KiB": Case(b"a" * 8192 + b"\0b", [("b", "x")], b"a" * 8192 + b"\0x"),
    "form feed and vt": Case(b"a\x0cb\x0bc\n", [("b", "x")], b"a\x0cx\x0bc\n"),
    "next line and separators": Case("a\u0085b\u2028c\n".encode(), [("b", "x")], "a\u0085x\u2028c\n".encode()),
    "a large file": Case(b"line\n" * 50_000 + b"last\n", [("last", "x")], b"line\n" * 50_000 + b"x\n"),
    "no edit for half": Case(b"a\nb\n", [("a", "a"), ("b", "x")], b"a\nx\n"),
}

SEVERAL = {
    "two": Case(b"a b c d\n", [("b", "x"), ("d", "y")], b"a x c y\n"),
    "out of order": Case(b"a b c d\n", [("d", "y"), ("b", "xx")], b"a xx c y\n"),
    "side by side": Case(b"abcd", [("ab", "x"), ("cd", "y")], b"xy"),
    "one brings what another seeks": Case(b"a b\n", [("a", "b"), ("b", "a")], b"b a\n"),
    "many": Case(
        b"".join(b"<%d>\n" % i for i in range(200)),
        [(f"<{i}>", f"{{{i}}}") for i in range(0, 200, 2)],
        b"".join((b"{%d}\n" if i % 2 == 0 else b"<%d>\n") % i for i in range(200)),
    ),
    "every": Case(b"a b a b a", [("a", "xx")], b"xx b xx b xx", 3),
    "every, none overlapping": Case(b"aaaaa", [("aa", "b")], b"bba", 2),
    "every of one": Case(b"a b", [("a", "x")], b"x b", 1),
    "every line end": Case(b"a\r\nb\r\nc", [("\n", "\n\n")], b"a\r\n\r\nb\r\n\r\nc", 2),
    "every grows": Case(b"a\na\n", [("a", "a a")], b"a a\na a\n", 2),
    "every, exact before folded": Case("'a' \u2018a\u2019\n".encode(), [("'a'", "x")], "x \u2018a\u2019\n".encode(), 1),
    "every, folded": Case("\u2018a\u2019 \u201ba\u2019\n".encode(), [("'a'", "x")], b"x x\n", 2),
}

ENDS = {
    "crlf": Case(b"a\r\nb\r\nc\r\n", [("b", "x")], b"a\r\nx\r\nc\r\n"),
    "crlf, lines sought with lf": Case(b"a\r\nb\r\nc\r\n", [("a\nb\n", "x\n")], b"x\r\nc\r\n"),
    "crlf, lines sought with crlf": Case(b"a\r\nb\r\nc\r\n", [("a\r\nb\r\n", "x\r\n")], b"x\r\nc\r\n"),
    "crlf, lines put in": Case(b"a\r\nb\r\n", [("a\n", "a\n1\n2\n")], b"a\r\n1\r\n2\r\nb\r\n"),
    "crlf, no final newline": Case(b"a\r\nb", [("b", "x\ny")], b"a\r\nx\r\ny"),
    "crlf, only the end": Case(b"a\r\nb\r\n", [("a\nb", "a b")], b"a b\r\n"),
    "crlf, blank lines": Case(b"a\r\n\r\n\r\nb\r\n", [("\n\n\n", "\n")], b"a\r\nb\r\n"),
    "crlf, several": Case(b"a\r\nb\r\nc\r\nd\r\n", [("d", "y\nz"), ("b", "x")], b"a\r\nx\r\nc\r\ny\r\nz\r\n"),
    "lf, crlf given": Case(b"a\nb\n", [("a\r\n", "x\r\ny\r\n")], b"x\ny\nb\n"),
    "cr": Case(b"a\rb\rc\r", [("b", "x")], b"a\rx\rc\r"),
    "cr, lines": Case(b"a\rb\rc\r", [("a\nb\n", "x\ny\nz\n")], b"x\ry\rz\rc\r"),
    "one line, no end": Case(b"a", [("a", "x\ny")], b"x\ny"),
    "mixed, outside": Case(b"a\r\nb\nc\rd\r\n", [("b", "x")], b"a\r\nx\nc\rd\r\n"),
    "mixed, a crlf line": Case(b"a\r\nb\nc\n", [("a\n", "x\ny\n")], b"x\r\ny\r\nb\nc\n"),
    "mixed, an lf line": Case(b"a\r\nb\nc\r\n", [("b\n", "x\ny\n")], b"a\r\nx\ny\nc\r\n"),
    "mixed, inside a line": Case(b"a\r\nb\nc\r\n", [("b", "x\ny")], b"a\r\nx\ny\nc\r\n"),
    "mixed, over lines": Case(b"a\r\nb\nc\r\nd\n", [("a\nb\nc", "a\nx\nc")], b"a\r\nx\nc\r\nd\n"),
    "mixed, a line between": Case(b"a\r\nb\nc\n", [("a\nb\n", "a\n1\nb\n")], b"a\r\n1\r\nb\nc\n"),
    "mixed, the last line": Case(b"a\nb\r\nc", [("c", "x\ny")], b"a\nb\r\nx\r\ny"),
    "mixed, lines joined": Case(b"a\r\nb\nc\rd", [("a\nb\nc", "abc")], b"abc\rd"),
    "mixed, several": Case(b"a\r\nb\nc\rd\r\n", [("a", "1\n2"), ("c", "3\n4")], b"1\r\n2\r\nb\n3\r4\rd\r\n"),
    "cr before crlf": Case(b"a\r\r\nb\n", [("b", "x")], b"a\r\r\nx\n"),
}

CODES = {
    "utf-8": Case("é €\n".encode(), [("€", "𝄞")], "é 𝄞\n".encode()),
    "mark": Case(b"\xef\xbb\xbfa\nb\n", [("a", "x")], b"\xef\xbb\xbfx\nb\n"),
    "mark, crlf": Case(b"\xef\xbb\xbfa\r\nb\r\n", [("a\nb", "x\ny")], b"\xef\xbb\xbfx\r\ny\r\n"),
    "mark alone stays": Case(b"\xef\xbb\xbfa", [("a", "")], b"\xef\xbb\xbf"),
    "mark inside": Case("a\ufeffb\n".encode(), [("a", "x")], "x\ufeffb\n".encode()),
    "utf-16": Case(utf_16("a\nb\n"), [("b", "ü€")], utf_16("a\nü€\n")),
    "utf-16, crlf": Case(utf_16("a\r\nb\r\n"), [("a\nb", "x\ny\nz")], utf_16("x\r\ny\r\nz\r\n")),
    "utf-16, surrogate pairs": Case(utf_16("𝄞a𝄞\n"), [("a", "😀")], utf_16("𝄞😀𝄞\n")),
    "utf-16, big end first": Case(utf_16_be("a\r\nb"), [("b", "€")], utf_16_be("a\r\n€")),
    "latin-1": Case(b"caf\xe9\nth\xe9\n", [("thé", "thè")], b"caf\xe9\nth\xe8\n"),
    "latin-1, crlf": Case(b"\xe9\r\nb\r\n", [("b", "x\ny")], b"\xe9\r\nx\r\ny\r\n"),
    "latin-1, controls": Case(b"\x80\x9f a \xff\n", [("a", "ÿ")], b"\x80\x9f \xff \xff\n"),
    "latin-1, 0x85 is no line end": Case(b"\xe9\x85b\r\n", [("b", "x\ny")], b"\xe9\x85x\r\ny\r\n"),
}

FOLDED = {
    "curly quotes there": Case("say(“hi”)\n".encode(), [('say("hi")', 'say("ho")')], b'say("ho")\n'),
    "curly quotes given": Case(b'say("hi")\n', [("say(“hi”)", "x")], b"x\n"),
    "apostrophe": Case("it\u2019s a\nit b\n".encode(), [("it's", "its")], b"its a\nit b\n"),
    "dash": Case("a \u2013 b — c\n".encode(), [("a - b", "a+b")], "a+b — c\n".encode()),
    "minus": Case("x\u22121\n".encode(), [("x-1", "x-2")], b"x-2\n"),
    "no-break space": Case("a\u00a0b \u00a0c\n".encode(), [("a b", "x")], "x \u00a0c\n".encode()),
    "no-break space given": Case(b"a b\n", [("a\u00a0b", "x")], b"x\n"),
    "narrow and wide spaces": Case("a\u202fb\u3000c\u2003\n".encode(), [("a b c", "x")], "x\u2003\n".encode()),
    "nothing else is folded": Case("“a” “b” — é\n".encode(), [('"a"', '"x"')], '"x" “b” — é\n'.encode()),
    "decomposed there": Case("cafe\u0301 e\u0301\n".encode(), [("café", "tea")], "tea e\u0301\n".encode()),
    "decomposed given": Case("café é\n".encode(), [("cafe\u0301", "tea")], "tea é\n".encode()),
    "two marks": Case("a\u0323\u0307b\n".encode(), [("ạ̇", "x")], b"xb\n"),
    "marks in another order": Case("a\u0307\u0323b\n".encode(), [("a\u0323\u0307b", "x")], b"x\n"),
    "ligature": Case("ﬁle oﬃce\n".encode(), [("file", "x")], "x oﬃce\n".encode()),
    "wide letters": Case("\uff21\uff22\uff23 ok\n".encode(), [("ABC", "x")], b"x ok\n"),
    "hangul parts": Case(
        "\u1112\u1161\u11ab\u1100\u1173\u11af\n".encode(), [("한", "x")], "x\u1100\u1173\u11af\n".encode()
    ),
    "three dots": Case("wait… “a”\n".encode(), [("wait...", "go")], "go “a”\n".encode()),
    "after folded characters": Case("ﬁ½… “x” y\n".encode(), [('"x"', "z")], "ﬁ½… z y\n".encode()),
    "trailing blanks there": Case(b"a  \nb\t\nc \n", [("a\nb\nc", "x\ny")], b"x\ny \n"),
    "trailing blanks there, to the end": Case(b"a  \nb\t\nc\n", [("a\nb\n", "x\n")], b"x\nc\n"),
    "trailing blanks given": Case(b"a\nb\n", [("a  \nb", "x")], b"x\n"),
    "trailing blanks given at the end": Case(b"a\nb\n", [("b   ", "x")], b"a\nx\n"),
    "odd trailing blanks": Case("a\u00a0\nb\n".encode(), [("a\nb", "x")], b"x\n"),
    "begins with a line's end": Case(b"a  \nb\n", [("\nb", "\nx")], b"a  \nx\n"),
    "folded, begins with a line's end": Case("a  \n“b”\n".encode(), [('\n"b"', "\nx")], b"a  \nx\n"),
    "blank lines with blanks": Case(b"a\n  \nb\n", [("a\n\nb", "a\nb")], b"a\nb\n"),
    "crlf": Case("a\r\n“b”  \r\nc\r\n".encode(), [('"b"\nc', "x\ny")], b"a\r\nx\r\ny\r\n"),
    "mixed": Case("\u2018a\u2019 \r\nb\nc\r\n".encode(), [("'a'\nb", "x\ny")], b"x\r\ny\nc\r\n"),
    "utf-16": Case(utf_16("“a”\r\nb"), [('"a"', "\u2018x\u2019")], utf_16("\u2018x\u2019\r\nb")),
    "latin-1": Case(b"caf\xe9\xa0x\xa0\n", [("café x", "y")], b"y\xa0\n"),
    "a long line": Case(("é “" * 3000 + "z” é").encode(), [('z"', "y")], ("é “" * 3000 + "y é").encode()),
    "with an exact one": Case("“a” b c\n".encode(), [('"a"', "x"), ("c", "y")], b"x b y\n"),
    "sought once, though marked": Case("“a”\n".encode(), [("“a”", "x")], b"x\n"),
}

TABLE = {
    f"{group}: {name}": case
    for group, cases in (
        ("plain", PLAIN),
        ("several", SEVERAL),
        ("ends", ENDS),
        ("codes", CODES),
        ("folded", FOLDED),
    )
    for name, case in cases.items()
}


def asked(case: Case) -> dict[str, Any]:
    edits = [{"old_string": old, "new_string": new} for old, new in case.edits]
    return {"edits": edits, "replace_all": True} if case.every else {"edits": edits}


@pytest.mark.parametrize("name", TABLE)
def test_an_edit_changes_its_spans_and_no_other_byte(name: str, tmp_path: Path) -> None:
    """The new bytes are those of the table; mode and owner stay, and nothing is left beside the file."""
    case = TABLE[name]
    target = tmp_path / "a"
    target.write_bytes(case.before)
    target.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(target, 4321, 1234)
    before = target.stat()
    output = call(EditTool(workplace(tmp_path)), path="a", **asked(case))
    after = target.stat()
    count = case.every or len(case.edits)
    assert target.read_bytes() == case.after
    assert output.text == f"edited a ({count} replacement{'' if count == 1 else 's'})"
    assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (0o640, before.st_uid, before.st_gid)
    assert [target] == list(tmp_path.iterdir())


def test_one_pair_does_as_a_list_of_one(tmp_path: Path) -> None:
    """The short form takes replace_all too."""
    target = tmp_path / "a"
    target.write_bytes(b"a b a\n")
    tool = EditTool(workplace(tmp_path))
    assert call(tool, path="a", old_string="b", new_string="x").text == "edited a (1 replacement)"
    assert call(tool, path="a", old_string="a", new_string="y", replace_all=True).text == "edited a (2 replacements)"
    assert target.read_bytes() == b"y x y\n"


def test_the_table_is_long() -> None:
    """Eighty files at least, so that a row that is lost is seen."""
    assert len(TABLE) >= 80
