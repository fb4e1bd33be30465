"""The exported page: what it shows, and that nothing in a transcript is obeyed."""

from __future__ import annotations

import asyncio
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from agent_sessions import CWD, MODEL, answer, call, ended, results, say, store_in
from hypothesis import given, settings

from beyond_agent.sessions.export_html import export_html
from beyond_agent.sessions.export_parts import Parts
from beyond_agent.sessions.memory import MemoryStore
from beyond_agent_core.compaction_text import summary_text
from beyond_agent_core.session import Provenance
from beyond_wire.types import ImageBlock, ImageSource, Message, TextBlock, ThinkingBlock, ToolUseBlock, user

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title></head><body onload=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<!-- --!><svg/onload=alert(1)>",
    "]]><iframe src=javascript:alert(1)>",
    "```\n</pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "**<b onclick=alert(1)>**",
    "<meta http-equiv=refresh content='0;url=http://evil'>",
    "<base href=http://evil><link rel=stylesheet href=http://evil/x.css>",
    "&lt;script&gt; &#60;script&#62;",
    "\x00<\x00script>\u2028\u202e\ud800",
]
PLAIN = "head title style body header h1 dl dt dd main footer h2 small b code pre del ins summary"
ALLOWED: dict[str, set[str]] = {
    **{tag: set[str]() for tag in PLAIN.split()},
    "html": {"lang"},
    "meta": {"charset", "http-equiv", "content", "name"},
    "article": {"class", "id"},
    "section": {"class"},
    "p": {"class"},
    "div": {"class", "dir"},
    "details": {"class", "open"},
    "img": {"alt", "src"},
}
EMPTY = {"meta", "img"}


class Checker(HTMLParser):
    """Reads a page; fails at an element, an attribute or an address that is not ours, and at tags out of balance."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.shown: list[str] = []
        self.metas: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        given = dict(attrs)
        assert set(given) <= ALLOWED[tag], (tag, given)
        assert re.fullmatch(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]*", given.get("src") or "data:image/x;base64,")
        if tag == "meta":
            self.metas.append(given)
        if tag not in EMPTY:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")

    def handle_data(self, data: str) -> None:
        if "style" not in self.stack:
            self.shown.append(data)


def checked(page: str) -> str:
    """Return what a page shows, which is one of ours."""
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.stack == []
    assert len(checker.metas) == 4
    policy = next(each["content"] for each in checker.metas if each.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "script-src" not in policy
    page.encode()
    return "".join(checker.shown)


def everywhere(text: str) -> str:
    """Return the page of a session that holds `text` wherever a transcript can hold one."""
    stored = MemoryStore().create(text, text, text, parent=text)
    given: dict[str, Any] = {text: text, "command": f"{text}\n{text}", "old_string": text, "new_string": f"{text}\nx"}
    odd = ToolUseBlock(id=text, name=text, input=given)
    other = ToolUseBlock(id="c2", name="edit", input={"path": text, "edits": [{"old_string": text, "new_string": "x"}]})
    third = ToolUseBlock(id="c3", name="ls", input={text: [text, {text: None}]})
    image = ImageBlock(source=ImageSource(media_type=text, data=text))
    fourth = ImageBlock(source=ImageSource(media_type="image/png", data=text))
    said = answer(text, odd, other, third)
    told = Message(role="assistant", content=(ThinkingBlock(thinking=text),), error_message=text, model_id=text)
    say(stored, Message(role="user", content=(TextBlock(text=text), image, fourth)), said)
    say(stored, results(text, text), told, Message(role="system", content=(TextBlock(text=text),)))
    asyncio.run(stored.end_run("done"))
    stored.change_model(f"{text}2")
    stored.label(stored.ids[0], text)
    left = stored.leaf_id
    stored.switch(stored.ids[1])
    stored.label(left or "", text)
    stored.add_branch_summary(left, text)
    say(stored, text)
    stored.session.compact((user(summary_text(text, (), ())), *stored.session.messages[2:]), Provenance(summary=text))
    asyncio.run(stored.checkpoint("compaction"))
    return export_html(stored)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_transcript_is_inert(text: str) -> None:
    """Markup in any place of a session is text on the page, and no element, attribute or address of it."""
    shown = checked(everywhere(text))
    assert "alert(1)" in shown or "alert" not in text


@given(st.text(st.sampled_from("<>&\"'`*=/-! \n\x00abscript"), max_size=30))
@settings(max_examples=60, deadline=None)
def test_any_text_is_inert(text: str) -> None:
    """Whatever the text, the page has the elements that are written here, in balance."""
    checked(everywhere(text or "x"))


def conversation(folder: Path) -> str:
    stored = store_in(folder).create(CWD, MODEL, "Mend the test")
    edit = ToolUseBlock(
        id="c1", name="edit", input={"path": "a.py", "old_string": "x = 1\ny = 2", "new_string": "x = 1\ny = 3"}
    )
    thinking = Message(role="assistant", content=(ThinkingBlock(thinking="hm"), edit), model_id=MODEL)
    say(stored, "mend it\n\n```py\nx = 1\n```\nwith `care` and **love**", thinking, results("c1", "edited a.py"))
    png = ImageSource(media_type="image/png", data="aGVsbG8=")
    say(stored, answer("see", call("c2")), results("c2"), Message(role="user", content=(ImageBlock(source=png),)))
    ended(stored)
    left = stored.leaf_id
    stored.switch(stored.ids[2])
    stored.add_branch_summary(left, "tried to see")
    say(stored, answer("done", tokens=1234))
    asyncio.run(stored.end_run("limit"))
    page = export_html(stored)
    stored.close()
    return page


def test_a_page_shows_the_conversation(tmp_path: Path) -> None:
    """Roles, calls that fold with their results, differences, usage, and where other branches are."""
    page = conversation(tmp_path)
    shown = checked(page)
    assert "<h1>Mend the test</h1>" in page
    assert page.count('<article class="user"') == 1
    assert page.count('<article class="assistant"') == 2
    assert "<pre>x = 1\n</pre>" in page
    assert "with <code>care</code> and <b>love</b>" in page
    assert '<details class="thinking"><summary>Thinking</summary>' in page
    assert (
        "<details><summary><b>edit</b><code>a.py</code></summary><pre>  x = 1\n<del>- y = 2</del><ins>+ y = 3</ins>"
        in page
    )
    assert "<pre>edited a.py</pre></details>" in page
    assert "1,234 in / 1 out tokens" in shown
    assert "2 steps, 1,244 in / 2 out tokens" in shown
    assert "Another branch begins here: 3 more messages, to “[image]”" in shown
    assert "Another branch was left" in shown
    assert "tried to see" in shown
    assert "run limit" in shown
    assert re.search(r"run limit · \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", shown)
    assert "prefers-color-scheme: dark" in page
    assert "aGVsbG8=" not in page


def test_a_compaction_is_a_mark_and_hides_nothing() -> None:
    """What was folded is on the page, with the summary behind a mark."""
    stored = MemoryStore().create(CWD, MODEL)
    say(stored, "the very first", answer("two"), "three", answer("four"))
    stored.session.compact(
        (user(summary_text("in short", (), ())), *stored.session.messages[3:]), Provenance(summary="in short")
    )
    asyncio.run(stored.checkpoint("compaction"))
    shown = checked(export_html(stored))
    assert "the very first" in shown
    assert re.search(r"Conversation compacted: about \d+ tokens became \d+ \(threshold\)", shown)
    assert "in short" in shown
    assert "Untitled session" in shown


def test_images_stand_in_the_page() -> None:
    """An image is part of the page; what only claims to be one is named in its place."""
    parts = Parts()
    shown = parts.image(ImageSource(media_type="image/png", data="aGVsbG8="))
    assert shown == '<img alt="image" src="data:image/png;base64,aGVsbG8=">'
    for bad in (("image/svg+xml", "aGVsbG8="), ("text/html", "aGVsbG8="), ("image/png", '"><script>')):
        assert parts.image(ImageSource(media_type=bad[0], data=bad[1])) == (
            '<p class="note">[an image that cannot be shown]</p>'
        )


def test_repeated_ids_keep_each_result() -> None:
    """Two calls with one id show their results in order, and a third result is not lost."""
    stored = MemoryStore().create(CWD, MODEL)
    twice = (*results("c1", "first").content, *results("c1", "second").content, *results("c1", "third").content)
    say(stored, "go", answer("", call("c1"), call("c1")), Message(role="user", content=twice))
    say(stored, results("gone", "alone"))
    shown = checked(export_html(stored))
    assert [shown.count(word) for word in ("first", "second", "third", "alone")] == [1, 1, 1, 1]
    assert shown.index("first") < shown.index("second") < shown.index("third")


@pytest.mark.parametrize(
    "key",
    ["bai_v1.abc.def-ghi_jkl", "sk-proj-0123456789abcdef", "hunter2&<\"quoted'", "plain-secret-value"],
)
def test_keys_are_masked(key: str) -> None:
    """A key, or a secret that is passed in, is in no page, wherever it stood; not even as JSON or markup."""
    stored = MemoryStore().create(CWD, MODEL, f"title {key}")
    given = {"command": f"curl -H {key}", "old_string": f"a {key}\nb", "new_string": f"a {key}\nc"}
    say(stored, f"use {key}", answer(f"`{key}`", ToolUseBlock(id="c", name="bash", input=given)), results("c", key))
    say(stored, answer("", ToolUseBlock(id="d", name="bash", input={"x": {"y": key}})))
    page = export_html(stored, secrets=["hunter2&<\"quoted'", "plain-secret-value"])
    shown = checked(page)
    for part in (key, key[:9] if "-" in key else key[:7]):
        assert part not in page
        assert part not in shown
    assert "***" in shown


@pytest.mark.parametrize("unseen", [0x00, 0x1B, 0xAD, 0x180E, 0x200B, 0x202E, 0x2028, 0x2060, 0x2066, 0xFEFF, 0xE0041])
def test_what_shows_nothing_is_shown_as_its_number(unseen: int) -> None:
    """A reader sees what the model saw: text that is hidden, or turned around, is there by its number."""
    assert Parts().text(f"a{chr(unseen)}b") == f"a⟨U+{unseen:04X}⟩b"


@pytest.mark.parametrize("text", ["a\tb\nc", "👩\u200d💻", "❤\ufe0f", "a\u200cb"])
def test_what_shapes_a_text_stays(text: str) -> None:
    """Blanks, and the joiners that emoji and some scripts are made with, are no hidden text."""
    assert Parts().text(text) == text


def test_damage_is_told(tmp_path: Path) -> None:
    """A page of a damaged session says what is missing from it."""
    stored = store_in(tmp_path).create(CWD, MODEL)
    say(stored, "one", answer("two"))
    stored.close()
    path = Path(stored.path or "")
    path.write_bytes(path.read_bytes().replace(b'"role":"assistant"', b'"role":"robot"') + b"garbage\n")
    again = store_in(tmp_path).read(stored.id)
    assert "2 lines skipped" in checked(export_html(again))
    again.close()
