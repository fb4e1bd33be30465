"""Commands about the tree that a session is, and the summary of a branch that is left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from agent_serve_hub import holds, serving, texts

from beyond_agent_core.errors import RunFault
from beyond_agent_core.testing import turn

if TYPE_CHECKING:
    from pathlib import Path


def test_branches_labels_and_the_tree(tmp_path: Path) -> None:
    """Going on from an earlier entry makes a branch; labels can be set, read and taken away."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a"), turn.text("b"), turn.text("c")]) as served:
            talk = await served.talk()
            await talk.ask("prompt", id=1, message="one")
            await talk.ask("prompt", id=2, message="two")
            messages = (await talk.ask("get_messages"))["data"]["messages"]
            await talk.ask("steer", message="dropped")
            moved = await talk.ask("switch_branch", target_id=messages[2]["id"], before=True, summarize=False)
            assert moved["data"] == {
                "target_id": messages[2]["id"],
                "dropped": {"steers": 1, "follow_ups": 0, "approvals": 0},
            }
            assert await texts(talk) == ["one", "a"]
            await talk.ask("prompt", id=3, message="other")
            branches = (await talk.ask("list_branches"))["data"]["branches"]
            assert [(each["active"], each["message_count"], each["preview"]) for each in branches] == [
                (False, 4, "b"),
                (True, 4, "c"),
            ]
            target = branches[0]["leaf_id"]
            assert (await talk.ask("get_label", target_id=target))["data"] == {"target_id": target, "label": None}
            named = await talk.ask("set_label", target_id=target, label="first try")
            assert named["data"] == {"target_id": target, "label": "first try"}
            assert (await talk.ask("list_branches"))["data"]["branches"][0]["label"] == "first try"
            assert (await talk.ask("get_label", target_id=target))["data"]["label"] == "first try"
            assert (await talk.ask("set_label", target_id=target, label=None))["data"]["label"] is None
            tree = (await talk.ask("get_tree"))["data"]
            assert [node.get("role") for node in tree["nodes"] if node["type"] == "message"].count("user") == 3
            rest = (await talk.ask("get_tree", since=tree["nodes"][3]["id"]))["data"]
            assert rest["nodes"] == tree["nodes"][4:]
            asked: list[tuple[str, dict[str, Any]]] = [
                ("set_label", {"label": "x"}), ("get_label", {}), ("switch_branch", {}),
            ]  # fmt: skip
            for name, fields in asked:
                assert (await talk.ask(name, target_id="00000000", **fields))["error_code"] == "not_found"
            assert (await talk.ask("get_tree", since="00000000"))["error_code"] == "not_found"

    asyncio.run(go())


def test_a_branch_that_is_left_is_summarised_for_the_one_that_goes_on(tmp_path: Path) -> None:
    """The model is asked about what is left, with the instructions; the next prompt sees the summary."""

    async def go() -> None:
        script = [turn.text("a"), turn.text("dead end"), turn.text("It was a dead end."), turn.text("c")]
        async with serving(tmp_path, script) as served:
            talk = await served.talk()
            await talk.ask("prompt", id=1, message="one")
            await talk.ask("prompt", id=2, message="try this")
            first = (await talk.ask("get_messages"))["data"]["messages"][1]["id"]
            moved = await talk.ask("switch_branch", target_id=first, custom_instructions="name the files")
            assert moved["success"]
            asked = msgspec.json.encode(served.transport.requests[2]).decode()
            assert "try this" in asked
            assert "name the files" in asked
            assert '"tools":[' not in asked
            await talk.ask("prompt", id=3, message="on")
            sent = msgspec.json.encode(served.transport.requests[3].messages).decode()
            assert "It was a dead end." in sent
            assert "try this" not in sent

    asyncio.run(go())


@pytest.mark.parametrize("how", ["fault", "refusal", "empty", "abort"])
def test_a_summary_that_fails_moves_nothing(tmp_path: Path, how: str) -> None:
    """A fault, a refusal, an empty answer, an abort: an error, and the session is where it was."""
    answers: dict[str, Any] = {
        "fault": RunFault(code="quota", message="no money left"),
        "refusal": turn.refusal(),
        "empty": turn.text(" "),
        "abort": turn.stall(after=1),
    }
    codes = {"fault": "quota", "refusal": "refused", "empty": "summary_empty", "abort": "cancelled"}

    async def go() -> None:
        async with serving(tmp_path, [turn.text("a"), turn.text("b"), answers[how], turn.text("c")]) as served:
            talk = await served.talk()
            await talk.ask("prompt", id=1, message="one")
            await talk.ask("prompt", id=2, message="two")
            first = (await talk.ask("get_messages"))["data"]["messages"][1]["id"]
            talk.say("switch_branch", target_id=first)
            if how == "abort":
                await holds(lambda: len(served.transport.requests) == 3)
                refused = await talk.ask("prompt", id="x", message="between")
                assert refused["error_code"] == "busy"
                await talk.ask("abort")
            assert (await talk.response("switch_branch"))["error_code"] == codes[how]
            assert await texts(talk) == ["one", "a", "two", "b"]
            assert (await talk.ask("prompt", id=3, message="on"))["success"]

    asyncio.run(go())
