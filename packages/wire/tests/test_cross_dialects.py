"""A transcript that one dialect made goes on in another: nothing of the first one's own words is sent."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from beyond_wire import ModelRequest, ThinkingBlock, ToolDef, caps_for, prepare, tool_uses, turn_of, user
from beyond_wire.history_steps import UNNAMED
from beyond_wire.testing.histories import broken_rules
from beyond_wire.testing.tables import ANTHROPIC_TABLES, CHAT_TABLES, RESPONSES_TABLES

if TYPE_CHECKING:
    from beyond_wire.testing.recorded import Tables

PAIRS = list(permutations([CHAT_TABLES, RESPONSES_TABLES, ANTHROPIC_TABLES], 2))


@pytest.mark.parametrize(("made", "sent"), PAIRS, ids=[f"{a.dialect.name}-{b.dialect.name}" for a, b in PAIRS])
def test_turns_of_one_dialect_encode_for_another(made: Tables, sent: Tables) -> None:
    """Each recorded turn of one dialect is a request of another: its calls are there, its signatures are not."""
    tool = ToolDef(name="read", description="", input_schema={"type": "object"})
    caps = caps_for(sent.model)
    for turn in made.clean:
        message = replace(turn_of(turn.events).message, model_id=made.model)
        request = ModelRequest(
            model=sent.model, messages=(user("Hi"), message, user("On")), tools=(tool,), max_tokens=4_000
        )
        body = sent.dialect.encode(request, caps)
        assert broken_rules(prepare(request, caps).messages) == [], turn.name
        assert msgspec.json.decode(body)["model"] == sent.model
        for call in tool_uses(message):
            assert b'"name":' + msgspec.json.encode(call.name or UNNAMED) in body, turn.name
        signed = [block.signature for block in message.content if isinstance(block, ThinkingBlock)]
        assert not [one for one in signed if len(one) > 11 and one.encode() in body], turn.name
