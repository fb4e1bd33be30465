"""Each step of preparing a history, by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire import history_steps as h
from beyond_wire import types as t
from beyond_wire.tool_ids import ToolIds

if TYPE_CHECKING:
    from beyond_wire.types import ContentBlock, Message

IMAGE = t.ImageSource(media_type="image/png", data="AA==")
PICTURE = t.ImageBlock(source=IMAGE)
NO_CONTENT = t.TextBlock(text="(no content)")


def text(words: str) -> t.TextBlock:
    return t.TextBlock(text=words)


def call(call_id: str) -> t.ToolUseBlock:
    return t.ToolUseBlock(id=call_id, name="n", input={})


def result(call_id: str, content: str = "r") -> t.ToolResultBlock:
    return t.ToolResultBlock(tool_use_id=call_id, content=content)


def missing(call_id: str) -> t.ToolResultBlock:
    return t.ToolResultBlock(tool_use_id=call_id, content="no result recorded for this tool call", is_error=True)


def user(*blocks: ContentBlock) -> Message:
    return t.Message(role="user", content=blocks)


def bot(*blocks: ContentBlock, model: str | None = None) -> Message:
    return t.Message(role="assistant", content=blocks, model_id=model)


def test_failed_messages_are_dropped() -> None:
    """Messages that were aborted or carry an error are dropped whole, one with an empty error too."""
    good = user(text("a"))
    aborted = t.Message(role="assistant", content=(text("b"),), aborted=True)
    failed = t.Message(role="assistant", content=(text("c"),), error_message="")
    assert h.without_failed([aborted, good, failed]) == [good]


def test_system_messages_give_their_texts() -> None:
    """Texts of system messages come in order, blank ones left out, and the messages go."""
    one = t.Message(role="system", content=(text("a"), text(" "), text("b")))
    two = t.Message(role="system", content=(text("c"),))
    messages = [one, user(text("x")), two]
    assert h.without_system(messages) == (["a", "b", "c"], [user(text("x"))])
    assert h.without_system([user()]) == ([], [user()])


def test_calls_have_names_that_providers_take() -> None:
    """What is no letter, digit, _ or - becomes _, long names are cut, none is `unnamed`; a tool of that name has it."""
    names = ("read", "a.b c", "x" * 65, "", "my.tool")
    calls = bot(*[t.ToolUseBlock(id="1", name=name, input={}) for name in names])
    offered = h.odd_names([t.ToolDef(name=name, description="", input_schema={}) for name in ("read", "my.tool")])
    said, fit = h.with_fit_names([user(text("x")), calls], offered)
    assert said == user(text("x"))
    assert [one.name for one in t.tool_uses(fit)] == ["read", "a_b_c", "x" * 64, "unnamed", "my.tool"]
    assert h.with_fit_names([fit], offered)[0] is fit


def test_orphan_results_are_dropped() -> None:
    """A result goes when its call is not in the assistant message before it; text and images beside it stay."""
    messages = [
        user(result("c"), text("a"), PICTURE),
        bot(call("c"), call("d")),
        user(result("d")),
        user(result("c"), result("x")),
        bot(text("b")),
        user(result("d"), text("c")),
    ]
    assert h.without_orphans(messages) == [
        user(text("a"), PICTURE),
        bot(call("c"), call("d")),
        user(result("d")),
        user(result("c")),
        bot(text("b")),
        user(text("c")),
    ]


def test_second_result_of_a_call_is_dropped() -> None:
    """A call has one result, the first; two calls of one id have two."""
    assert h.without_orphans([bot(call("c")), user(result("c", "1"), result("c", "2"))])[1] == user(result("c", "1"))
    twice = [bot(call("c"), call("c")), user(result("c", "1"), result("c", "2"))]
    assert h.without_orphans(twice) == twice


def test_blocks_in_the_wrong_role_are_dropped() -> None:
    """Calls and thinking of the user, and results and images of the assistant, go."""
    thinking = t.ThinkingBlock(thinking="t")
    redacted = t.RedactedThinkingBlock(data="d")
    messages = [user(call("c"), thinking, redacted, text("a")), bot(result("c"), PICTURE, thinking, redacted)]
    assert h.without_orphans(messages) == [user(text("a")), bot(thinking, redacted)]


def test_missing_results_are_added() -> None:
    """A call without result gets one in the next user message, in a new one, and at the very end."""
    assert h.with_missing_results([bot(call("c"), call("d")), user(result("d"), text("a"))]) == [
        bot(call("c"), call("d")),
        user(result("d"), text("a"), missing("c")),
    ]
    assert h.with_missing_results([bot(call("c")), bot(text("a"))]) == [
        bot(call("c")),
        user(missing("c")),
        bot(text("a")),
    ]
    assert h.with_missing_results([bot(call("c"), call("d"))])[1:] == [user(missing("c"), missing("d"))]


def test_results_in_later_user_messages_are_found() -> None:
    """A result may stand in any user message before the next assistant message."""
    messages = [bot(call("c")), user(text("a")), user(result("c")), bot(text("b"))]
    assert h.with_missing_results(messages) == messages
    twice = [bot(call("c"), call("c")), user(result("c"))]
    assert h.with_missing_results(twice) == [twice[0], user(result("c"), missing("c"))]


def test_ids_are_given_and_results_follow() -> None:
    """Repeated ids get new ones, and each result gets the id of its own call."""
    messages = [
        bot(call("call_0")),
        user(result("call_0", "1")),
        bot(call("call_0"), call("call_0")),
        user(result("call_0", "2"), text("a"), result("call_0", "3")),
    ]
    assert h.with_given_ids(messages, ToolIds("chat"), "m") == [
        messages[0],
        messages[1],
        bot(call("call_0_2"), call("call_0_3")),
        user(result("call_0_2", "2"), text("a"), result("call_0_3", "3")),
    ]


def test_item_ids_stay_with_their_model() -> None:
    """The item id of Responses is kept in turns of the same model and dropped in those of another."""
    messages = [bot(call("a|fc_1"), model="m"), user(result("a|fc_1")), bot(call("b|fc_2"), model="other")]
    assert h.with_given_ids(messages, ToolIds("responses"), "m") == [*messages[:2], bot(call("b"), model="other")]


def test_foreign_turns_become_plain() -> None:
    """Thinking of another model becomes text, and its redacted thinking, signatures and replay data go."""
    blocks: tuple[ContentBlock, ...] = (
        t.ThinkingBlock(thinking="t", signature="s"),
        t.ThinkingBlock(thinking=" ", signature="s"),
        t.RedactedThinkingBlock(data="d"),
        t.TextBlock(text="a", id="m", phase="commentary"),
        t.ToolUseBlock(id="c", name="n", input={"x": 1}, thought_signature="g"),
        t.ToolUseBlock(id="d", name="n", input={}),
    )
    plain = (text("t"), text("a"), t.ToolUseBlock(id="c", name="n", input={"x": 1}), call("d"))
    own, unmarked = bot(*blocks, model="m"), bot(*blocks)
    assert h.with_plain_foreign([bot(*blocks, model="x"), own, unmarked], "m") == [
        bot(*plain, model="x"),
        own,
        unmarked,
    ]


def test_neighbours_are_merged_without_facts() -> None:
    """Neighbours of one role become one message, facts for storage go, and a leading assistant gets a user before."""
    stored = t.Message(
        role="assistant", content=(text("a"),), model_id="m", usage=t.TokenUsage(), stop_reason="end_turn"
    )
    assert h.merged([stored, bot(text("b")), user(text("c")), user(PICTURE)], opening=True) == [
        user(),
        bot(text("a"), text("b")),
        user(text("c"), PICTURE),
    ]
    assert h.merged([bot(text("a"))], opening=False) == [bot(text("a"))]
    assert h.merged([], opening=True) == []


def test_merging_keeps_messages_that_need_nothing() -> None:
    """A message without neighbour and without facts is returned itself."""
    message = user(text("a"))
    assert h.merged([message], opening=True)[0] is message


def test_results_come_first_in_the_order_of_calls() -> None:
    """Results stand before text and images, in the order of the calls."""
    messages = [
        bot(call("a"), text("x"), call("b")),
        user(text("1"), result("b"), PICTURE, result("a"), text("2")),
        bot(text("y")),
        user(PICTURE, text("3")),
    ]
    assert h.with_results_first(messages) == [
        messages[0],
        user(result("a"), result("b"), text("1"), PICTURE, text("2")),
        *messages[2:],
    ]


def test_blanks_are_dropped() -> None:
    """Text of white space only goes, unsigned empty thinking too, and an empty message says so."""
    signed = t.ThinkingBlock(thinking="", signature="s")
    assert h.without_blanks(
        [user(text(" \n\u2028"), text("a")), bot(t.ThinkingBlock(thinking=" "), text("")), bot(signed), user()]
    ) == [user(text("a")), bot(NO_CONTENT), bot(signed), user(NO_CONTENT)]


def test_images_become_text() -> None:
    """Each run of images becomes one text, and so do the images of a result, behind its own text."""
    with_images = t.ToolResultBlock(tool_use_id="c", content="r", images=(IMAGE, IMAGE))
    without_text = t.ToolResultBlock(tool_use_id="d", content="", images=(IMAGE,))
    omitted = text("(image omitted: model does not support images)")
    tool_omitted = "(tool image omitted: model does not support images)"
    message = user(with_images, without_text, PICTURE, PICTURE, text("a"), PICTURE)
    assert h.without_images([message, user(text("b"))]) == [
        user(result("c", f"r\n{tool_omitted}"), result("d", tool_omitted), omitted, text("a"), omitted),
        user(text("b")),
    ]


def test_steps_return_what_needs_nothing() -> None:
    """Messages that a step does not change are the same objects afterwards."""
    fit = [user(text("a")), bot(call("c")), user(result("c"), text("b")), bot(text("c"))]
    for done in (
        h.without_orphans(fit),
        h.with_missing_results(fit),
        h.with_given_ids(fit, ToolIds("chat"), "m"),
        h.with_plain_foreign(fit, "m"),
        h.merged(fit, opening=True),
        h.with_results_first(fit),
        h.without_blanks(fit),
        h.without_images(fit),
    ):
        assert [id(message) for message in done] == [id(message) for message in fit]
