from __future__ import annotations

import re
from time import process_time
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import combining

import pytest
from agent_file_tools import MemoryFiles, call, workplace
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from beyond_agent.tools.edit import EditTool
from beyond_agent.tools.edit_fold import characters, without_trailing_blanks
from beyond_agent.tools.edit_match import Source
from beyond_agent_core.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

CODES = {
    "utf-8": (b"", "utf-8"),
    "utf-8 with mark": (b"\xef\xbb\xbf", "utf-8"),
    "utf-16": (b"\xff\xfe", "utf-16-le"),
    "utf-16, big end first": (b"\xfe\xff", "utf-16-be"),
    "latin-1": (b"", "latin-1"),
}
LATIN = "ab \t'\"-_é\u00a0\u00b4½\u0085ÿ\x0c"
ODD = "“”\u2018\u2019\u2013—…ﬁ㎏\u2028\u3000\u0301\u0323𝄞\ufeff\uff21\uac00\u11a8"


class File(NamedTuple):
    """A kind of file: its codec, and the line end that it has, None for a mix."""

    code: str
    end: str | None

    def text(self) -> st.SearchStrategy[str]:
        """Text of a part of it, each line end being LF where it has but one."""
        alphabet = LATIN if self.code == "latin-1" else LATIN + ODD
        ends = ["\n"] if self.end is not None else ["\n", "\r\n", "\r"]
        return st.lists(st.sampled_from([*alphabet, *ends * 3]), max_size=12).map("".join)

    def encode(self, parts: Iterable[str]) -> bytes:
        """Bytes of it. The first line is not UTF-8 in Latin-1, and has the line end."""
        mark, codec = CODES[self.code]
        whole = "".join(["é\n" if self.end is not None else "é\n\r\n", *parts])
        text = whole if self.end is None else whole.replace("\n", self.end)
        return mark + text.encode(codec)


FILES = st.builds(File, st.sampled_from(list(CODES)), st.sampled_from(["\n", "\r\n", "\r", None]))


def edited(content: bytes, *edits: tuple[str, str]) -> bytes:
    files = MemoryFiles(a=content)
    listed = [{"old_string": old, "new_string": new} for old, new in edits]
    call(EditTool(workplace(files=files)), path="a", edits=listed)
    return files.files["/w/a"]


@settings(deadline=None)
@given(st.data())
def test_random_edits_change_their_spans_and_no_other_byte(data: st.DataObject) -> None:
    """Marks at random places of random text become random text, found as they are or folded; the rest is the same."""
    file = data.draw(FILES)
    count = data.draw(st.integers(1, 4))
    parts = [data.draw(file.text())]
    after = list(parts)
    edits: list[tuple[str, str]] = []
    for number in range(count):
        quote = data.draw(st.sampled_from(['"', "\u00a0"] if file.code == "latin-1" else ['"', "\u00a0", "“", "”"]))
        new = data.draw(file.text())
        new = new if file.end is not None else re.sub("[\r\n]", "", new)
        # A mark that combines with the last character of what is sought would make another of it.
        rest = data.draw(file.text()).lstrip("\u0301\u0323")
        parts += [f"{quote}<{number}>.", rest]
        after += [new, rest]
        edits.append((f"{characters(quote)}<{number}>.", new))
    edits = data.draw(st.permutations(edits))
    assert edited(file.encode(parts), *edits) == file.encode(after)


@settings(deadline=None)
@given(st.data())
def test_an_edit_and_its_reverse_give_the_same_bytes(data: st.DataObject) -> None:
    """Any part of a file can be replaced and put back."""
    file = data.draw(FILES)
    body = data.draw(file.text().filter(bool))
    start = data.draw(st.integers(0, len(body) - 1))
    old = body[start : data.draw(st.integers(start + 1, len(body)))]
    # A mix that is gone cannot be told from the text that comes back, and half of a CRLF is no text at all.
    assume(file.end is not None or not re.search("[\r\n]", old))
    content = file.encode([body])
    new = data.draw(st.sampled_from(["<>", "<\n>", "<\r\n\r\n>"]))
    try:
        changed = edited(content, (old, new))
    except InvalidInput as error:
        assume("not unique" not in str(error))
        raise
    assert changed != content
    assert edited(changed, (new, old)) == content


@settings(deadline=None)
@given(st.data())
def test_what_matches_folded_is_what_stands_there(data: st.DataObject) -> None:
    """Each span folds to what was sought, and cuts no character; a part of the text, folded, is found again."""
    text = data.draw(File("utf-8", "\n").text())
    start, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    sought = characters(text[start:end])
    found = Source(text).alike(sought)
    wanted = without_trailing_blanks(sought)
    for span in found:
        assert without_trailing_blanks(characters(text[slice(*span)])) == wanted
        assert cut(text, *span)
    if wanted.strip() and cut(text, start, end) and not any(combining(text[at : at + 1] or " ") for at in (start, end)):
        assert any(span.start < end and start < span.end for span in found)


def cut(text: str, start: int, end: int) -> bool:
    """Whether the three parts of a text fold alone to what they fold to together."""
    return "".join(characters(part) for part in (text[:start], text[start:end], text[end:])) == characters(text)


@settings(deadline=None)
@given(st.data())
def test_a_diff_makes_the_new_text_of_the_old(data: st.DataObject) -> None:
    """What watchers get is a unified diff that can be applied, with at most three lines around each change."""
    line = st.sampled_from(["", "a", "b", "a b"])
    lines = [f"{data.draw(line)}\n" for _ in range(data.draw(st.integers(0, 40)))]
    marks = data.draw(st.lists(st.integers(0, len(lines)), min_size=1, max_size=min(4, len(lines) + 1), unique=True))
    for number, at in enumerate(marks):
        lines.insert(at, f"<{number}>{data.draw(st.sampled_from(['', chr(10)]))}")
    text = "".join(lines)
    new = st.sampled_from(["", "x", "x\ny", "\n\n", "x\n"])
    edits = [(f"<{number}>", data.draw(new)) for number in range(len(marks))]
    files = MemoryFiles(a=text.encode())
    listed = [{"old_string": old, "new_string": new} for old, new in edits]
    details = call(EditTool(workplace(files=files)), path="a", edits=listed).details
    assert details is not None
    assert applied(text, details["diff"]) == files.files["/w/a"].decode()


def test_a_long_line_of_mixed_ends_is_edited_everywhere_in_the_time_of_one_pass() -> None:
    """Many matches on one line cost no look at the whole line each."""
    files = MemoryFiles(a=b"1\r\n2\n" + b"old " * 50_000)
    began = process_time()
    call(EditTool(workplace(files=files)), path="a", old_string="old", new_string="x\ny", replace_all=True)
    assert process_time() - began < 10
    assert files.files["/w/a"] == b"1\r\n2\n" + b"x\ny " * 50_000


def test_a_long_line_is_folded_in_the_time_of_one_pass() -> None:
    """Many matches on one line that are alike but for their quotes cost no look at the whole line each."""
    files = MemoryFiles(a="“old” ".encode() * 30_000)
    began = process_time()
    call(EditTool(workplace(files=files)), path="a", old_string='"old"', new_string="new", replace_all=True)
    assert process_time() - began < 15
    assert files.files["/w/a"] == b"new " * 30_000


HUNK = re.compile(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@")


def applied(text: str, diff: str) -> str:
    """Apply a diff, each of its numbers checked."""
    old = text.split("\n")
    new: list[str] = []
    done = 0
    for hunk in re.split(r"^(?=@@)", diff, flags=re.MULTILINE)[1:]:
        head, *rows = hunk.removesuffix("\n").split("\n")
        numbers = HUNK.fullmatch(head)
        assert numbers is not None
        first, length, new_first, new_length = map(int, numbers.groups())
        new += old[done : first - 1]
        assert new_first == len(new) + 1
        assert [row[1:] for row in rows if row[0] in " -"] == old[first - 1 : first - 1 + length]
        added = [row[1:] for row in rows if row[0] in " +"]
        assert len(added) == new_length
        kinds = "".join(row[0] for row in rows)
        assert not kinds.startswith("    ")
        assert not kinds.endswith("    ")
        new += added
        done = first - 1 + length
    return "\n".join(new + old[done:])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nold\n", "@@ -1,2 +1,2 @@\n a\n-old\n+new"),
        ("old\n\n\n\nb\n", "@@ -1,4 +1,4 @@\n-old\n+new\n \n \n "),
        ("a\n\nold", "@@ -1,3 +1,3 @@\n a\n \n-old\n+new"),
    ],
)
def test_a_diff_counts_the_lines_that_there_are(text: str, shown: str) -> None:
    """Blank lines are context, the nothing behind the last line feed is not."""
    files = MemoryFiles(a=text.encode())
    details = call(EditTool(workplace(files=files)), path="a", old_string="old", new_string="new").details
    assert details is not None
    assert details["diff"] == shown


def test_a_long_diff_is_cut_at_50_kib() -> None:
    """Whole lines stay, and the end says so."""
    files = MemoryFiles(a=b"a\n")
    details = call(EditTool(workplace(files=files)), path="a", old_string="a", new_string="line\n" * 20_000).details
    assert details is not None
    *rows, end = details["diff"].split("\n")
    assert end == "[diff truncated at 50.0KB]"
    assert set(rows[2:]) == {"+line"}
    assert 51_200 - 6 < len("\n".join(rows)) <= 51_200
