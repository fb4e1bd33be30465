"""Requests as sessions make them, with the exact body each is on Chat Completions: made-up texts, every rule once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.testing.chat_golden import (
    HI_SENT,
    JPEG,
    JPEG_SENT,
    NO_TOOLS,
    PLAIN,
    PNG,
    PNG_SENT,
    SEEING,
    THINKER,
    TIME,
    TIME_SENT,
    WEATHER,
    WEATHER_SENT,
    calls_sent,
    golden,
    result,
    result_sent,
    use_sent,
    used,
)
from beyond_wire.testing.chat_options import OPTION_REQUESTS, THINKING_REQUESTS
from beyond_wire.types import (
    ImageBlock,
    Message,
    NamedTool,
    TextBlock,
    TokenUsage,
    ToolDef,
    assistant,
    tool_results,
    user,
    user_with_images,
)

if TYPE_CHECKING:
    from beyond_wire.testing.recorded import RecordedRequest

TEXT_REQUESTS: tuple[RecordedRequest, ...] = (
    golden("one-message", (user("Hi"),), [HI_SENT]),
    golden("not-streamed", (user("Hi"),), [HI_SENT], stream=False),
    golden("system", (user("Hi"),), [{"role": "system", "content": "Be brief."}, HI_SENT], system="Be brief."),
    golden("system-blank", (user("Hi"),), [HI_SENT], system=" \n"),
    golden(
        "system-of-a-reasoning-model",
        (user("Hi"),),
        [{"role": "developer", "content": "Be brief."}, HI_SENT],
        model=THINKER,
        limit="max_completion_tokens",
        system="Be brief.",
    ),
    golden(
        "system-messages-join-the-system-text",
        (Message(role="system", content=(TextBlock(text="One."),)), user("Hi")),
        [{"role": "system", "content": "Be brief.\n\nOne."}, HI_SENT],
        system="Be brief.",
    ),
    golden(
        "conversation",
        (user("Hi"), assistant([TextBlock(text="Hello!")]), user("Bye")),
        [HI_SENT, {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Bye"}],
    ),
    golden(
        "several-texts-in-a-message",
        (
            Message(role="user", content=(TextBlock(text="One"), TextBlock(text="Two"))),
            assistant([TextBlock(text="Three"), TextBlock(text=" "), TextBlock(text="Four")]),
            user("Five"),
            user("Six"),
        ),
        [
            {"role": "user", "content": "One\n\nTwo"},
            {"role": "assistant", "content": "Three\n\nFour"},
            {"role": "user", "content": "Five\n\nSix"},
        ],
    ),
    golden(
        "starts-with-the-assistant-and-is-empty",
        (assistant([]), user(""), assistant([TextBlock(text="")])),
        [
            {"role": "user", "content": "(no content)"},
            {"role": "assistant", "content": "(no content)"},
            {"role": "user", "content": "(no content)"},
            {"role": "assistant", "content": "(no content)"},
        ],
    ),
    golden("no-messages", (), []),
    golden(
        "strange-characters",
        (user("a \ud800 b\u2028c\u0085d 🙂 \x07"),),
        [{"role": "system", "content": "\ufffd"}, {"role": "user", "content": "a \ufffd b\u2028c\u0085d 🙂 \x07"}],
        system="\udfff",
    ),
    golden(
        "fields-for-storage",
        (
            Message(role="user", content=(TextBlock(text="Hi"),), model_id="m", stop_reason="other"),
            Message(
                role="assistant",
                content=(TextBlock(text="Hello!", id="msg_1", phase="final_answer"),),
                model_id=PLAIN,
                stop_reason="max_tokens",
                usage=TokenUsage(input_tokens=7_777, output_tokens=8_888),
            ),
            Message(role="assistant", content=(TextBlock(text="Gone"),), error_message="Boom"),
            Message(role="assistant", content=(TextBlock(text="Half"),), aborted=True),
            user("Bye"),
        ),
        [HI_SENT, {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Bye"}],
    ),
)
"""Texts and roles."""

IMAGE_REQUESTS: tuple[RecordedRequest, ...] = (
    golden(
        "text-and-images",
        (user_with_images("Look", [PNG, JPEG]),),
        [{"role": "user", "content": [{"type": "text", "text": "Look"}, PNG_SENT, JPEG_SENT]}],
        model=SEEING,
    ),
    golden("image-alone", (user_with_images("", [PNG]),), [{"role": "user", "content": [PNG_SENT]}], model=SEEING),
    golden(
        "images-a-model-cannot-see",
        (user_with_images("Look", [PNG, JPEG]),),
        [{"role": "user", "content": "Look\n\n(image omitted: model does not support images)"}],
    ),
    golden(
        "images-blocked",
        (user_with_images("Look", [PNG]),),
        [{"role": "user", "content": "Look\n\n(image omitted: model does not support images)"}],
        model=SEEING,
        block_images=True,
    ),
    golden(
        "images-of-results",
        (
            user("Hi"),
            assistant([used("call_a"), used("call_b"), used("call_c")]),
            Message(
                role="user",
                content=(
                    TextBlock(text="Well?"),
                    result("call_a", "one", PNG, JPEG),
                    result("call_b", "two"),
                    result("call_c", "", JPEG),
                    ImageBlock(source=PNG),
                ),
            ),
        ),
        [
            HI_SENT,
            calls_sent(use_sent("call_a"), use_sent("call_b"), use_sent("call_c")),
            result_sent("call_a", "one"),
            result_sent("call_b", "two"),
            result_sent("call_c", ""),
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "images of tool call call_a:"},
                    PNG_SENT,
                    JPEG_SENT,
                    {"type": "text", "text": "images of tool call call_c:"},
                    JPEG_SENT,
                    {"type": "text", "text": "Well?"},
                    PNG_SENT,
                ],
            },
        ],
        model=SEEING,
        options=NO_TOOLS,
    ),
    golden(
        "images-of-results-a-model-cannot-see",
        (user("Hi"), assistant([used("call_a")]), tool_results([result("call_a", "one", PNG)])),
        [
            HI_SENT,
            calls_sent(use_sent("call_a")),
            result_sent("call_a", "one\n(tool image omitted: model does not support images)"),
        ],
        options=NO_TOOLS,
    ),
)
"""Images of users and of tools."""

CALL_REQUESTS: tuple[RecordedRequest, ...] = (
    golden("tools", (user("Hi"),), [HI_SENT], tools=(WEATHER, TIME), options={"tools": [WEATHER_SENT, TIME_SENT]}),
    golden(
        "parallel-calls",
        (
            user("Hi"),
            assistant([TextBlock(text="Let me see."), used("call_a", city="Oslo"), used("call_b", "time")]),
            tool_results([result("call_b", "noon"), result("call_a", "no", is_error=True)]),
            assistant([TextBlock(text="It is noon.")]),
        ),
        [
            HI_SENT,
            calls_sent(
                use_sent("call_a", arguments='{"city":"Oslo"}'), use_sent("call_b", "time"), content="Let me see."
            ),
            result_sent("call_a", "no"),
            result_sent("call_b", "noon"),
            {"role": "assistant", "content": "It is noon."},
        ],
        tools=(WEATHER,),
        options={"tools": [WEATHER_SENT]},
    ),
    golden(
        "arguments-are-text",
        (
            user("Hi"),
            assistant([used("call_a", "f", text='q"\\\n\u2028é', deep=[{"n": 1.5, "x": None}], z=True, bad="\ud800")]),
            tool_results([result("call_a", "ok")]),
        ),
        [
            HI_SENT,
            calls_sent(
                use_sent(
                    "call_a",
                    "f",
                    '{"text":"q\\"\\\\\\n\u2028é","deep":[{"n":1.5,"x":null}],"z":true,"bad":"\ufffd"}',
                )
            ),
            result_sent("call_a", "ok"),
        ],
        options=NO_TOOLS,
    ),
    golden(
        "call-without-a-result",
        (user("Hi"), assistant([used("call_a")]), user("Never mind")),
        [
            HI_SENT,
            calls_sent(use_sent("call_a")),
            result_sent("call_a", "no result recorded for this tool call"),
            {"role": "user", "content": "Never mind"},
        ],
        options=NO_TOOLS,
    ),
    golden(
        "call-at-the-very-end",
        (user("Hi"), assistant([used("call_a")])),
        [
            HI_SENT,
            calls_sent(use_sent("call_a")),
            result_sent("call_a", "no result recorded for this tool call"),
        ],
        options=NO_TOOLS,
    ),
    golden("result-without-a-call", (tool_results([result("call_a", "one")]), user("Hi")), [HI_SENT]),
    golden(
        "ids-too-long-repeated-and-packed",
        (
            user("Hi"),
            assistant([used("x" * 50)]),
            tool_results([result("x" * 50, "one")]),
            assistant([used("x" * 50), used("call_a|fc_1")]),
            tool_results([result("x" * 50, "two"), result("call_a|fc_1", "three")]),
        ),
        [
            HI_SENT,
            calls_sent(use_sent("x" * 40)),
            result_sent("x" * 40, "one"),
            calls_sent(use_sent("x" * 38 + "_2"), use_sent("call_a")),
            result_sent("x" * 38 + "_2", "two"),
            result_sent("call_a", "three"),
        ],
        options=NO_TOOLS,
    ),
    *(
        golden(
            f"tool-choice-{name}",
            (user("Hi"),),
            [HI_SENT],
            tools=(WEATHER,),
            tool_choice=choice,
            options={"tools": [WEATHER_SENT], "tool_choice": sent},
        )
        for name, choice, sent in (
            ("auto", "auto", "auto"),
            ("none", "none", "none"),
            ("required", "required", "required"),
            ("named", NamedTool(name="weather"), {"type": "function", "function": {"name": "weather"}}),
        )
    ),
    golden("tool-choice-among-none", (user("Hi"),), [HI_SENT], tool_choice="required"),
    golden(
        "tools-with-half-a-character",
        (user("Hi"),),
        [HI_SENT],
        tools=(ToolDef(name="f", description="\ud800", input_schema={"enum": ["\udfff"]}),),
        tool_choice=NamedTool(name="f\ud800"),
        options={
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "f", "description": "\ufffd", "parameters": {"enum": ["\ufffd"]}},
                }
            ],
            "tool_choice": {"type": "function", "function": {"name": "f\ufffd"}},
        },
    ),
)
"""Tools, calls and results."""

REQUESTS: tuple[RecordedRequest, ...] = (
    *TEXT_REQUESTS,
    *IMAGE_REQUESTS,
    *CALL_REQUESTS,
    *THINKING_REQUESTS,
    *OPTION_REQUESTS,
)
"""Every request, names unique."""
