"""Histories with the exact body that Anthropic Messages must get for them; options are in `anthropic_options`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beyond_wire.testing.anthropic_golden import MARK, OLD, PNG, PNG_SENT, asks, golden, marked, says, words
from beyond_wire.testing.anthropic_options import OPTIONS
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

_GO = user("Go")
_GO_SENT = asks(words("Go"))


def _call(id: str, **arguments: Any) -> ToolUseBlock:  # noqa: A002 - the field's name
    return ToolUseBlock(id=id, name="read", input=arguments)


def _call_sent(id: str, **arguments: Any) -> Fields:  # noqa: A002 - the wire's word
    return {"type": "tool_use", "id": id, "name": "read", "input": arguments}


def _result(id: str, content: str, **more: Any) -> ToolResultBlock:  # noqa: A002 - the field's name
    return ToolResultBlock(tool_use_id=id, content=content, **more)


def _result_sent(id: str, content: str | list[Fields], **more: Any) -> Fields:  # noqa: A002 - the wire's word
    return {"type": "tool_result", "tool_use_id": id, "content": content, **more}


_NO_RESULT = "no result recorded for this tool call"
_STORED: Fields = {
    "model_id": OLD,
    "stop_reason": "tool_use",
    "usage": TokenUsage(input_tokens=1, output_tokens=2),
}
_FOREIGN: Fields = {**_STORED, "model_id": "gpt-5.1"}
_SIGNED = ThinkingBlock(thinking="Hm.", signature="EqQB")
_SIGNED_SENT: Fields = {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}

HISTORIES = (
    golden("text", (user("Hi 🙂\u2028"),), [asks(marked("Hi 🙂\u2028"))]),
    golden(
        "three-turns",
        (user("Hi"), assistant([TextBlock(text="Hello")]), user("Bye")),
        [asks(words("Hi")), says(words("Hello")), asks(marked("Bye"))],
    ),
    golden("no-messages", (), []),
    golden(
        "images-after-text", (user_with_images("See", [PNG, PNG]),), [asks(words("See"), PNG_SENT, PNG_SENT | MARK)]
    ),
    golden("image-alone", (user_with_images(" ", [PNG]),), [asks(PNG_SENT | MARK)]),
    golden(
        "signed-thinking",
        (_GO, assistant([_SIGNED, TextBlock(text="Yes")]), _GO),
        [_GO_SENT, says(_SIGNED_SENT, words("Yes")), asks(marked("Go"))],
    ),
    golden(
        "signed-thinking-without-text",
        (_GO, assistant([ThinkingBlock(thinking="", signature="EqQB"), _call("a")]), tool_results([_result("a", "1")])),
        [
            _GO_SENT,
            says({"type": "thinking", "thinking": "", "signature": "EqQB"}, _call_sent("a")),
            asks(_result_sent("a", "1") | MARK),
        ],
    ),
    golden(
        "unsigned-thinking-is-text",
        (_GO, assistant([ThinkingBlock(thinking="Hm."), TextBlock(text="Yes")]), _GO),
        [_GO_SENT, says(words("Hm."), words("Yes")), asks(marked("Go"))],
    ),
    golden(
        "redacted-thinking",
        (_GO, assistant([RedactedThinkingBlock(data="Emw"), TextBlock(text="Yes")]), _GO),
        [_GO_SENT, says({"type": "redacted_thinking", "data": "Emw"}, words("Yes")), asks(marked("Go"))],
    ),
    golden(
        "mark-not-on-thinking",
        (_GO, assistant([TextBlock(text="Yes"), _SIGNED, RedactedThinkingBlock(data="Emw")])),
        [_GO_SENT, says(marked("Yes"), _SIGNED_SENT, {"type": "redacted_thinking", "data": "Emw"})],
    ),
    golden(
        "mark-not-on-thinking-alone",
        (_GO, assistant([_SIGNED])),
        [asks(marked("Go")), says(_SIGNED_SENT)],
    ),
    golden(
        "parallel-calls",
        (
            _GO,
            assistant([TextBlock(text="So"), _call("a", path="x"), _call("b", deep=[{"n": 1.5}, None, True])]),
            tool_results([_result("b", "2"), _result("a", "1")]),
        ),
        [
            _GO_SENT,
            says(words("So"), _call_sent("a", path="x"), _call_sent("b", deep=[{"n": 1.5}, None, True])),
            asks(_result_sent("a", "1"), _result_sent("b", "2") | MARK),
        ],
    ),
    golden(
        "result-with-images",
        (
            _GO,
            assistant([_call("a"), _call("b")]),
            tool_results([_result("a", "a plot", images=(PNG,)), _result("b", "", images=(PNG,))]),
        ),
        [
            _GO_SENT,
            says(_call_sent("a"), _call_sent("b")),
            asks(_result_sent("a", [words("a plot"), PNG_SENT]), _result_sent("b", [PNG_SENT]) | MARK),
        ],
    ),
    golden(
        "failed-and-empty-results",
        (
            _GO,
            assistant([_call("a"), _call("b")]),
            tool_results([_result("a", "no such file", is_error=True), _result("b", "")]),
        ),
        [
            _GO_SENT,
            says(_call_sent("a"), _call_sent("b")),
            asks(_result_sent("a", "no such file", is_error=True), _result_sent("b", "") | MARK),
        ],
    ),
    golden(
        "steer-beside-results",
        (
            _GO,
            assistant([_call("a")]),
            Message(role="user", content=(TextBlock(text="Stop"), _result("a", "1"), ImageBlock(source=PNG))),
        ),
        [_GO_SENT, says(_call_sent("a")), asks(_result_sent("a", "1"), words("Stop"), PNG_SENT | MARK)],
    ),
    golden(
        "calls-without-result",
        (_GO, assistant([_call("a")]), _GO, assistant([_call("b")])),
        [
            _GO_SENT,
            says(_call_sent("a")),
            asks(_result_sent("a", _NO_RESULT, is_error=True), words("Go")),
            says(_call_sent("b")),
            asks(_result_sent("b", _NO_RESULT, is_error=True) | MARK),
        ],
    ),
    golden("result-without-call", (tool_results([_result("a", "1")]), _GO), [asks(marked("Go"))]),
    golden(
        "one-id-twice",
        (
            _GO,
            assistant([_call("call_0")]),
            tool_results([_result("call_0", "1")]),
            assistant([_call("call_0")]),
            tool_results([_result("call_0", "2")]),
        ),
        [
            _GO_SENT,
            says(_call_sent("call_0")),
            asks(_result_sent("call_0", "1")),
            says(_call_sent("call_0_2")),
            asks(_result_sent("call_0_2", "2") | MARK),
        ],
    ),
    golden(
        "ids-of-another-dialect",
        (_GO, assistant([_call("call:1|fc_1"), _call("x" * 70)])),
        [
            _GO_SENT,
            says(_call_sent("call_1"), _call_sent("x" * 64)),
            asks(
                _result_sent("call_1", _NO_RESULT, is_error=True),
                _result_sent("x" * 64, _NO_RESULT, is_error=True) | MARK,
            ),
        ],
    ),
    golden(
        "turn-of-another-model",
        (
            _GO,
            Message(
                role="assistant",
                content=(
                    ThinkingBlock(thinking="Hm.", signature='{"type":"reasoning"}'),
                    ThinkingBlock(thinking="", signature="x"),
                    RedactedThinkingBlock(data="Emw"),
                    TextBlock(text="Yes", id="msg_1", phase="commentary"),
                    ToolUseBlock(id="call_1|fc_1", name="read", input={}, thought_signature="sig"),
                ),
                **_FOREIGN,
            ),
            tool_results([_result("call_1|fc_1", "1")]),
        ),
        [
            _GO_SENT,
            says(words("Hm."), words("Yes"), _call_sent("call_1")),
            asks(_result_sent("call_1", "1") | MARK),
        ],
    ),
    golden(
        "turn-of-this-model",
        (
            _GO,
            Message(
                role="assistant",
                content=(
                    _SIGNED,
                    TextBlock(text="Yes", id="msg_1", phase="final_answer"),
                    ToolUseBlock(id="a", name="read", input={}, thought_signature="sig"),
                ),
                **_STORED,
            ),
            tool_results([_result("a", "1")]),
        ),
        [_GO_SENT, says(_SIGNED_SENT, words("Yes"), _call_sent("a")), asks(_result_sent("a", "1") | MARK)],
    ),
    golden(
        "failed-turns-are-not-sent",
        (
            _GO,
            Message(role="assistant", content=(TextBlock(text="Hal"),), aborted=True, **_STORED),
            Message(role="assistant", content=(TextBlock(text="x"),), error_message="Overloaded"),
            user("On"),
        ),
        [asks(words("Go"), marked("On"))],
    ),
    golden(
        "empty-turns",
        (_GO, assistant([]), user(" \n"), assistant([TextBlock(text=""), ThinkingBlock(thinking=" ")]), _GO),
        [
            _GO_SENT,
            says(words("(no content)")),
            asks(words("(no content)")),
            says(words("(no content)")),
            asks(marked("Go")),
        ],
    ),
    golden(
        "assistant-first",
        (assistant([TextBlock(text="Hello")]), _GO),
        [asks(words("(no content)")), says(words("Hello")), asks(marked("Go"))],
    ),
    golden(
        "system-messages",
        (Message(role="system", content=(TextBlock(text="Be brief."),)), _GO),
        [asks(marked("Go"))],
        system="Be kind.",
        sent={"system": [words("Be kind.\n\nBe brief.") | MARK]},
    ),
    golden(
        "lone-surrogates",
        (
            user("a\ud800b"),
            assistant([_call("a", **{"k\udfff": ["\ud83d"]})]),
            tool_results([_result("a", "\udc00 \ud83d\ude42\u2028")]),
        ),
        [
            asks(words("a\ufffdb")),
            says(_call_sent("a", **{"k\ufffd": ["\ufffd"]})),
            asks(_result_sent("a", "\ufffd 🙂\u2028") | MARK),
        ],
        system="s\ud800",
        user_id="u\ud800",
        sent={"system": [words("s\ufffd") | MARK], "metadata": {"user_id": "u\ufffd"}},
    ),
    golden(
        "images-blocked",
        (
            user_with_images("See", [PNG, PNG]),
            assistant([_call("a")]),
            tool_results([_result("a", "1", images=(PNG,))]),
        ),
        [
            asks(words("See"), words("(image omitted: model does not support images)")),
            says(_call_sent("a")),
            asks(_result_sent("a", "1\n(tool image omitted: model does not support images)") | MARK),
        ],
        block_images=True,
    ),
)
"""Histories, each sent to a model without thinking."""

REQUESTS = (*HISTORIES, *OPTIONS)
"""Every request, names unique."""
