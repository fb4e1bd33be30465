"""The protocol as JSON Schema 2020-12, made of the types that encode and decode it, so that it cannot disagree.

Contract: agent contract, commands and places.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from beyond_agent.serve.answers import ANSWERS, CatchupData
from beyond_agent.serve.commands import COMMANDS
from beyond_agent.serve.frames import AnyFrame, EventFrame, Response
from beyond_agent_core.events import AgentEvent, Streamed
from beyond_wire.types import StreamEvent

_REF = "#/$defs/{name}"


def schema() -> dict[str, Any]:
    """Return the schema: `$defs` by name, with `command`, `frame` and `event` as the three roots."""
    frames = tuple(kind for kind in get_args(AnyFrame) if kind not in {EventFrame, Response})
    events = tuple(kind for kind in get_args(AgentEvent) if kind is not Streamed)
    streamed = get_args(StreamEvent)
    answers = tuple({kind: None for kinds in ANSWERS.values() for kind in kinds})
    kinds = (*COMMANDS.values(), *frames, *events, *streamed, *answers, CatchupData)
    _, defs = msgspec.json.schema_components(kinds, ref_template=_REF)
    for kind in streamed:
        defs[kind.__name__] = _flat(defs[kind.__name__])
    defs["EventFrame"] = _object("event", {"event": _ref("event"), "seq": {"type": "integer"}})
    defs["Catchup"]["properties"]["data"] = _ref("CatchupData")
    for name, allowed in ANSWERS.items():
        defs[f"response_{name}"] = _response({"const": name}, [_ref(kind.__name__) for kind in allowed])
    defs["response_to_no_command"] = _response({"not": {"enum": list(ANSWERS)}}, [])
    responses = [f"response_{name}" for name in ANSWERS] + ["response_to_no_command"]
    defs["command"] = _any(kind.__name__ for kind in COMMANDS.values())
    defs["event"] = _any(kind.__name__ for kind in (*events, *streamed))
    defs["frame"] = _any([*(kind.__name__ for kind in frames), "EventFrame", *responses])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "beyond-ai-agent serve",
        "anyOf": [_ref("command"), _ref("frame")],
        "$defs": dict(sorted(defs.items())),
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": _REF.format(name=name)}


def _any(names: Any) -> dict[str, Any]:
    return {"anyOf": [_ref(name) for name in names]}


def _object(tag: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"type": {"const": tag}, **properties},
        "required": ["type", *properties],
    }


def _response(command: dict[str, Any], data: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of a response: `data` where it succeeded, an error where it did not."""
    made = _object("response", {"command": {"type": "string", **command}, "success": {"type": "boolean"}})
    made["properties"] |= {
        "id": {"type": ["string", "integer"]},
        "data": {"anyOf": data or [{"type": "object"}]},
        "error": {"type": "string"},
        "error_code": {"type": "string"},
    }
    made["if"] = {"properties": {"success": {"const": False}}}
    made["then"] = {"required": ["error", "error_code"]}
    return made


def _flat(made: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a stream event as it stands in an event of a run: beside a `kind`."""
    properties = {"kind": {"const": "stream"}, **made["properties"]}
    return made | {"properties": properties, "required": ["kind", *made.get("required", [])]}
