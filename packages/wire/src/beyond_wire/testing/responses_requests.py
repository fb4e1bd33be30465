"""Histories with the exact body that Responses must get for them; options are in `responses_options`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from beyond_wire.testing.responses_golden import PLAIN, PNG, PNG_SENT, asks, called, golden, output, says, words
from beyond_wire.testing.responses_options import OPTIONS
from beyond_wire.types import (
    ImageBlock,
    Message,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    TokenUsage,
    ToolResultBlock,
    ToolUseBlock,
    assistant,
    tool_results,
    user,
    user_with_images,
)

if TYPE_CHECKING:
    from beyond_wire.testing.fixture import Fields
    from beyond_wire.testing.recorded import RecordedRequest

_GO = user("Go")
_GO_SENT = asks(words("Go"))
_NO_RESULT = "no result recorded for this tool call"
_STORED: Fields = {"model_id": PLAIN, "stop_reason": "tool_use", "usage": TokenUsage(input_tokens=1, output_tokens=2)}
_FOREIGN: Fields = {**_STORED, "model_id": "claude-opus-4-8"}
_ITEM = '{"id":"rs_1","type":"reasoning", "summary":[],"encrypted_content":"gAAAAABo\\/+=\\u0041é"}'
_SIGNED = ThinkingBlock(thinking="Hm.", signature=_ITEM)
_LONG = "fc_" + "x" * 400
_LONG_SENT = "fc_f05243490f00b9b5b8a9f71e66eb60c1"


def _call(id: str, **arguments: Any) -> ToolUseBlock:  # noqa: A002 - the field's name
    return ToolUseBlock(id=id, name="read", input=arguments)


def _result(id: str, content: str, **more: Any) -> ToolResultBlock:  # noqa: A002 - the field's name
    return ToolResultBlock(tool_use_id=id, content=content, **more)


_TEXT_HISTORIES = (
    golden("text", (user("Hi 🙂\u2028"),), [asks(words("Hi 🙂\u2028"))]),
    golden(
        "three-turns",
        (user("Hi"), assistant([TextBlock(text="Hello")]), user("Bye")),
        [asks(words("Hi")), says("Hello", "msg_1"), asks(words("Bye"))],
    ),
    golden("no-messages", (), []),
    golden(
        "texts-with-ids-and-phases",
        (
            _GO,
            assistant([TextBlock(text="I look.", id="msg_a", phase="commentary"), TextBlock(text="So", id="msg_b")]),
            _GO,
        ),
        [_GO_SENT, says("I look.", "msg_a", "commentary"), says("So", "msg_b"), _GO_SENT],
    ),
    golden(
        "texts-without-ids",
        (_GO, assistant([TextBlock(text="a"), TextBlock(text="b"), TextBlock(text="c", phase="final_answer")]), _GO),
        [_GO_SENT, says("a", "msg_1"), says("b", "msg_1_1"), says("c", "msg_1_2", "final_answer"), _GO_SENT],
    ),
    golden(
        "text-with-a-long-id",
        (_GO, assistant([TextBlock(text="a", id="x" * 64), TextBlock(text="b", id="x" * 65)])),
        [_GO_SENT, says("a", "x" * 64), says("b", "msg_e1e1e1e1e1e1e1e1e1e1e1f3cf374b37")],
    ),
    golden("images-after-text", (user_with_images("See", [PNG, PNG]),), [asks(words("See"), PNG_SENT, PNG_SENT)]),
    golden("image-alone", (user_with_images(" ", [PNG]),), [asks(PNG_SENT)]),
    golden(
        "images-not-wanted",
        (user_with_images("See", [PNG, PNG]),),
        [asks(words("See"), words("(image omitted: model does not support images)"))],
        block_images=True,
    ),
    golden(
        "images-not-seen",
        (_GO, assistant([_call("a")]), tool_results([_result("a", "1", images=(PNG,))])),
        [_GO_SENT, called("a"), output("a", "1\n(tool image omitted: model does not support images)")],
        caps={"vision": False},
    ),
)

_THINKING_HISTORIES = (
    golden(
        "reasoning-as-it-came",
        (_GO, assistant([_SIGNED, TextBlock(text="Yes")]), _GO),
        [_GO_SENT, msgspec.Raw(_ITEM.encode()), says("Yes", "msg_1"), _GO_SENT],
    ),
    golden(
        "reasoning-without-text",
        (_GO, assistant([ThinkingBlock(thinking="", signature=_ITEM), _call("a|fc_1")])),
        [_GO_SENT, msgspec.Raw(_ITEM.encode()), called("a", item_id="fc_1"), output("a", _NO_RESULT)],
    ),
    *[
        golden(
            f"reasoning-signed-{name}",
            (_GO, assistant([ThinkingBlock(thinking="Hm.", signature=signature), TextBlock(text="Yes")])),
            [_GO_SENT, says("Hm.", "msg_1"), says("Yes", "msg_1_1")],
        )
        for name, signature in (
            ("by-nobody", ""),
            ("by-another-vendor", "EqQBCgIYAhIM"),
            ("in-a-field", "reasoning_content"),
            ("by-another-item", '{"type":"message"}'),
            ("by-an-item-without-a-type", '{"id":"rs_1"}'),
            ("in-broken-json", '{"type":"reasoning"'),
            ("in-two-objects", '{"type":"reasoning"}{}'),
        )
    ],
    golden(
        "signature-without-an-item-or-text",
        (_GO, assistant([ThinkingBlock(thinking="", signature="EqQB"), TextBlock(text="Yes")])),
        [_GO_SENT, says("Yes", "msg_1")],
    ),
    golden(
        "redacted-thinking",
        (_GO, assistant([RedactedThinkingBlock(data="Emw"), TextBlock(text="Yes")]), _GO),
        [_GO_SENT, says("Yes", "msg_1"), _GO_SENT],
    ),
    golden("redacted-thinking-alone", (_GO, assistant([RedactedThinkingBlock(data="Emw")]), _GO), [_GO_SENT, _GO_SENT]),
)

_TOOL_HISTORIES = (
    golden(
        "parallel-calls",
        (
            _GO,
            assistant([TextBlock(text="So"), _call("a|fc_1", path="x"), _call("b", deep=[{"n": 1.5}, None, True])]),
            tool_results([_result("b", "2"), _result("a|fc_1", "1")]),
        ),
        [
            _GO_SENT,
            says("So", "msg_1"),
            called("a", '{"path":"x"}', item_id="fc_1"),
            called("b", '{"deep":[{"n":1.5},null,true]}'),
            output("a", "1"),
            output("b", "2"),
        ],
    ),
    golden(
        "result-with-images",
        (
            _GO,
            assistant([_call("a"), _call("b")]),
            tool_results([_result("a", "See", images=(PNG, PNG)), _result("b", " ", images=(PNG,))]),
        ),
        [
            _GO_SENT,
            called("a"),
            called("b"),
            output("a", [words("See"), PNG_SENT, PNG_SENT]),
            output("b", [PNG_SENT]),
        ],
    ),
    golden(
        "result-that-failed",
        (_GO, assistant([_call("a")]), tool_results([_result("a", "no such file", is_error=True)])),
        [_GO_SENT, called("a"), output("a", "no such file")],
    ),
    golden(
        "steer-beside-results",
        (
            _GO,
            assistant([_call("a")]),
            Message(role="user", content=(TextBlock(text="Wait"), ImageBlock(source=PNG), _result("a", ""))),
        ),
        [_GO_SENT, called("a"), output("a", ""), asks(words("Wait"), PNG_SENT)],
    ),
    golden(
        "calls-without-results",
        (_GO, assistant([_call("a")]), user("And?"), assistant([_call("b")])),
        [
            _GO_SENT,
            called("a"),
            output("a", _NO_RESULT),
            asks(words("And?")),
            called("b"),
            output("b", _NO_RESULT),
        ],
    ),
    golden(
        "results-without-calls",
        (tool_results([_result("a", "1")]), assistant([TextBlock(text="Yes")]), tool_results([_result("b", "2")])),
        [asks(words("(no content)")), says("Yes", "msg_1"), asks(words("(no content)"))],
    ),
    golden(
        "same-id-twice",
        (
            _GO,
            assistant([_call("call_0")]),
            tool_results([_result("call_0", "1")]),
            assistant([_call("call_0")]),
            tool_results([_result("call_0", "2")]),
        ),
        [_GO_SENT, called("call_0"), output("call_0", "1"), called("call_0_2"), output("call_0_2", "2")],
    ),
    golden(
        "ids-long-and-strange",
        (_GO, assistant([_call(f"call\\|\\\\1|{_LONG}"), _call("y" * 70 + "|" + "z" * 64)])),
        [
            _GO_SENT,
            called("call|\\1", item_id=_LONG_SENT),
            called("y" * 64, item_id="z" * 64),
            output("call|\\1", _NO_RESULT),
            output("y" * 64, _NO_RESULT),
        ],
    ),
)

_STORED_HISTORIES = (
    golden(
        "hand-off-from-another-model",
        (
            _GO,
            Message(
                role="assistant",
                content=(
                    ThinkingBlock(thinking="Hm.", signature=_ITEM),
                    ThinkingBlock(thinking="", signature="EqQB"),
                    RedactedThinkingBlock(data="Emw"),
                    TextBlock(text="Yes", id="msg_a", phase="commentary"),
                    ToolUseBlock(id="toolu_1|fc_1", name="read", input={}, thought_signature="s"),
                ),
                **_FOREIGN,
            ),
            tool_results([_result("toolu_1|fc_1", "1")]),
        ),
        [_GO_SENT, says("Hm.", "msg_1"), says("Yes", "msg_1_1"), called("toolu_1"), output("toolu_1", "1")],
    ),
    golden(
        "facts-for-storage",
        (
            _GO,
            Message(
                role="assistant",
                content=(_SIGNED, ToolUseBlock(id="a|fc_1", name="read", input={}, thought_signature="s")),
                **_STORED,
            ),
            tool_results([_result("a|fc_1", "1")]),
            Message(role="assistant", content=(TextBlock(text="lost"),), error_message="no", **_STORED),
            Message(role="assistant", content=(TextBlock(text="lost"),), aborted=True, **_STORED),
            user("On"),
        ),
        [
            _GO_SENT,
            msgspec.Raw(_ITEM.encode()),
            called("a", item_id="fc_1"),
            output("a", "1"),
            asks(words("On")),
        ],
    ),
    golden(
        "system-messages",
        (Message(role="system", content=(TextBlock(text="Be brief."),)), _GO),
        [{"role": "system", "content": "Be kind.\n\nBe brief."}, _GO_SENT],
        system="Be kind.",
    ),
    golden(
        "empty-turns",
        (user(" "), assistant([TextBlock(text="\n")]), user("")),
        [asks(words("(no content)")), says("(no content)", "msg_1"), asks(words("(no content)"))],
    ),
    golden(
        "assistant-first",
        (assistant([TextBlock(text="Hello")]),),
        [asks(words("(no content)")), says("Hello", "msg_1")],
    ),
    golden(
        "lone-surrogates",
        (
            user("a\ud800b"),
            assistant([_call("c\udc00", **{"k\ud800": ["v\udfff\U0001f642"]})]),
            tool_results([_result("c\udc00", "\udc00")]),
        ),
        [
            asks(words("a\ufffdb")),
            called("c\ufffd", '{"k\ufffd":["v\ufffd🙂"]}'),
            output("c\ufffd", "\ufffd"),
        ],
    ),
)

REQUESTS: tuple[RecordedRequest, ...] = (
    *_TEXT_HISTORIES,
    *_THINKING_HISTORIES,
    *_TOOL_HISTORIES,
    *_STORED_HISTORIES,
    *OPTIONS,
)
"""Every request, names unique."""
