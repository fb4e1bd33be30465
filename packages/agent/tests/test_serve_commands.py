"""What is read: every command right, with each field missing and of a wrong type; and whatever else a line may be."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec
import pytest
from agent_serve_hub import serving
from hypothesis import given, settings
from hypothesis import strategies as st

from beyond_agent.serve import frames
from beyond_agent.serve.answers import ANSWERS
from beyond_agent.serve.commands import COMMANDS, Rejected, parse
from beyond_agent.serve.handlers import HANDLERS
from beyond_agent.serve.schema import schema
from beyond_agent_core.testing import turn

if TYPE_CHECKING:
    from pathlib import Path

    from agent_serve_client import Frame

WRONG: list[Any] = [{"a": 1}, [[1]], 1.5, True, "no such word", -1, None]
"""Values of every JSON type; for each field at least one is wrong."""
RIGHT: dict[str, Any] = {
    "message": "hi", "model": "m", "session_id": "sess_1", "target_id": "00000000", "title": "t", "label": "l",
    "command": "true", "request_id": "x", "decision": "deny",
}  # fmt: skip
FIELDS = [
    (name, field)
    for name, kind in COMMANDS.items()
    for field in msgspec.structs.fields(kind)
    if field.encode_name != "id"
]


def line(name: str, **fields: Any) -> bytes:
    return json.dumps({"type": name, **fields}).encode()


def required(name: str) -> dict[str, Any]:
    return {field.name: RIGHT[field.name] for field in msgspec.structs.fields(COMMANDS[name]) if field.required}


def test_every_command_has_a_handler_an_answer_and_a_schema() -> None:
    """No command of the contract is missing in any of the tables."""
    assert list(HANDLERS) != []
    assert set(HANDLERS) == set(COMMANDS) == set(ANSWERS)
    kinds = {each["properties"]["type"].get("enum", [None])[0] for each in _commands_in_the_schema()}
    assert kinds == set(COMMANDS)


def _commands_in_the_schema() -> list[dict[str, Any]]:
    defs = schema()["$defs"]
    return [defs[ref["$ref"].rpartition("/")[2]] for ref in defs["command"]["anyOf"]]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_with_its_fields_is_taken_and_unknown_ones_are_ignored(name: str) -> None:
    """With the required fields alone, and with fields that nobody knows."""
    parsed = parse(line(name, id="x", **required(name), not_a_field=[1]))
    assert isinstance(parsed, COMMANDS[name])
    assert parsed.id == "x"


@pytest.mark.parametrize(("name", "field"), FIELDS, ids=lambda value: getattr(value, "name", value))
def test_each_field_is_checked_by_its_name(name: str, field: Any) -> None:
    """Missing where it is required: missing_field; wrong: invalid_field with the type that was expected."""
    fields = required(name)
    if field.required:
        less = {key: value for key, value in fields.items() if key != field.name}
        missing = parse(line(name, id=3, **less))
        assert missing == Rejected(id=3, command=name, code="missing_field", error=f"missing `{field.name}`")
    refused = [parse(line(name, id=3, **(fields | {field.name: wrong}))) for wrong in WRONG]
    rejected = [each for each in refused if isinstance(each, Rejected)]
    assert len(rejected) >= (3 if get_origin(field.type) is not None or field.type is not bool else 1)
    for each in rejected:
        assert (each.id, each.command, each.code) == (3, name, "invalid_field")
        assert each.error.startswith(f"invalid `{field.name}`: ")


@pytest.mark.parametrize("command_id", [0, -5, 2**53, "", "x" * 300, "é\u2028"])
def test_an_id_is_a_string_or_an_integer_and_comes_back_as_it_was(tmp_path: Path, command_id: Any) -> None:
    """Also in what is refused."""

    async def go() -> None:
        async with serving(tmp_path) as served:
            talk = await served.talk()
            assert (await talk.ask("get_state", id=command_id))["id"] == command_id
            assert (await talk.ask("nope", id=command_id))["id"] == command_id
            assert (await talk.ask("steer", id=command_id))["id"] == command_id

    asyncio.run(go())


@pytest.mark.parametrize("command_id", [1.5, True, [1], {"a": 1}])
def test_another_id_is_an_invalid_field(command_id: Any) -> None:
    """The response has none, because it could not be told from another."""
    refused = parse(line("get_state", id=command_id))
    assert isinstance(refused, Rejected)
    assert (refused.id, refused.code) == (None, "invalid_field")


@pytest.mark.parametrize(
    ("given_line", "code", "command"),
    [
        (b"not json", "invalid_json", "?"),
        (b"[1,2]", "invalid_json", "?"),
        (b"5", "invalid_json", "?"),
        (b'"text"', "invalid_json", "?"),
        (b"null", "invalid_json", "?"),
        (b'{"type":"prompt"', "invalid_json", "?"),
        (b"\xff\xfe\x00", "invalid_json", "?"),
        (b'{"type":"\xff"}', "invalid_json", "?"),
        (b"[" * 100_000, "invalid_json", "?"),
        (b"{}", "missing_field", "?"),
        (b'{"type":5}', "invalid_field", "?"),
        (b'{"type":"launch"}', "unknown_command", "launch"),
        (b'{"type":"Prompt","message":"x"}', "unknown_command", "Prompt"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_command_is_one_response_and_the_loop_lives_on(
    tmp_path: Path, given_line: bytes, code: str, command: str
) -> None:
    """One response with the code; blank lines, and one that ends in CR, are nothing and as usual."""

    async def go() -> None:
        async with serving(tmp_path) as served:
            talk = await served.talk()
            talk.raw(given_line + b"\r\n\n  \n\r\n")
            talk.say("get_state", id="alive")
            await talk.response("get_state", "alive")
            assert len(talk.frames) == 3
            refused = talk.frames[1]
            assert (refused["type"], refused["error_code"], refused["command"]) == ("response", code, command)
            assert "id" not in refused
            if code == "invalid_json":
                assert refused["error"].startswith("invalid JSON: ")

    asyncio.run(go())


def test_long_lines(tmp_path: Path) -> None:
    """20 MB are taken; 33 MiB are line_too_long, skipped to their LF; a last line without LF is taken."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("ok")], context_window=100_000_000) as served:
            talk = await served.talk()
            long = b'{"type":"steer","id":1,"message":"' + b"a" * 20_000_000 + b'"}\n'
            for at in range(0, len(long), 1 << 16):
                talk.raw(long[at : at + (1 << 16)])
            assert (await talk.response("steer", 1))["success"]
            piece = b"b" * (1 << 16)
            for _ in range(33 * 16):
                talk.raw(piece)
            talk.raw(b'\n{"type":"get_state","id":2}\n')
            assert (await talk.response("get_state", 2))["success"]
            refused = talk.frames[-2]
            assert (refused["command"], refused["error_code"]) == ("?", "line_too_long")
            talk.raw(b'{"type":"get_state","id":3}')
            await talk.end()
            assert talk.frames[-1]["id"] == 3

    asyncio.run(go())


def test_answers_may_overtake_a_prompts(tmp_path: Path) -> None:
    """Commands are taken in order, and matched by id."""

    async def go() -> None:
        async with serving(tmp_path, [turn.tool_call("bash", command="sleep 0.2"), turn.text("ok")]) as served:
            talk = await served.talk()
            talk.raw(line("prompt", id=1, message="go") + b"\n" + line("get_state", id=2) + b"\n")
            await talk.response("prompt", 1)
            order = [frame["id"] for frame in talk.frames if frame["type"] == "response"]
            assert order == [2, 1]

    asyncio.run(go())


def test_the_schema_is_the_same_every_time_and_names_every_code() -> None:
    """It does not depend on the run, and the codes of the contract are those of the types."""
    assert msgspec.json.encode(schema()) == msgspec.json.encode(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(get_args(frames.ServeCode)) == {
        "invalid_json", "unknown_command", "missing_field", "invalid_field", "line_too_long", "busy", "queue_full",
        "not_found", "ambiguous", "no_session_store", "session_locked", "session_superseded", "session_corrupt",
        "session_version", "limit", "cancelled", "slow_consumer", "io",
    }  # fmt: skip


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
NAMES = sorted({field.encode_name for kind in COMMANDS.values() for field in msgspec.structs.fields(kind)})
QUIET = sorted(set(COMMANDS) - {"bash", "export_html"})


def _joined(name: str, fields: dict[str, Any], known: dict[str, Any]) -> bytes:
    return json.dumps({"type": name, **fields, **known}).encode()


FUZZED = st.one_of(
    st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"")),
    st.builds(
        _joined,
        st.sampled_from(QUIET),
        st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4),
        st.dictionaries(st.sampled_from(sorted(RIGHT)), st.sampled_from(sorted(RIGHT.values())), max_size=3),
    ),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(FUZZED, min_size=1, max_size=12))
def test_fuzzed_commands_have_one_response_each(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    """Whatever comes, each line that is not blank is answered once, every frame is of the schema, the loop lives on."""

    async def go() -> list[Frame]:
        script = [turn.text("ok")] * 40
        async with serving(tmp_path_factory.mktemp("fuzz"), script) as served:
            talk = await served.talk()
            for each in lines:
                talk.raw(each + b"\n")
            talk.say("abort", id="last")
            talk.say("get_state", id="alive")
            await talk.response("get_state", "alive")
            await talk.end()
            return talk.frames

    answers = [frame for frame in asyncio.run(go()) if frame["type"] == "response"]
    assert len(answers) == 2 + sum(bool(each.strip()) for each in lines)
    assert not [frame for frame in answers if frame.get("error_code") == "internal"]
