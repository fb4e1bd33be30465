"""What a message of a person comes to before it is sent: images checked, skills and templates expanded."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

from agent_serve_hub import said, serving

from beyond_agent_core.testing import turn

if TYPE_CHECKING:
    from pathlib import Path

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def test_images_are_checked_before_anything_is_sent(tmp_path: Path) -> None:
    """A good one is in the request; no base64, no image, another type than was said: invalid_field, no request."""

    async def go() -> None:
        async with serving(tmp_path, [turn.text("seen")]) as served:
            talk = await served.talk()
            bad = [
                ({"media_type": "image/png", "data": "%%%"}, "images[0].data"),
                ({"media_type": "image/png", "data": base64.b64encode(b"text").decode()}, "images[0].data"),
                ({"media_type": "image/gif", "data": PNG}, "images[0].media_type"),
            ]
            for image, field in bad:
                refused = await talk.ask("prompt", message="look", images=[image])
                assert refused["error_code"] == "invalid_field"
                assert field in refused["error"]
            assert not served.transport.requests
            assert "ack" not in [frame["type"] for frame in talk.frames]
            done = await talk.ask("prompt", message="look", images=[{"media_type": "image/png", "data": PNG}])
            assert done["success"]
            assert PNG in said(served.transport.requests[0])
            shown = (await talk.ask("get_messages"))["data"]["messages"][0]["content"][1]
            assert shown["source"] == {"type": "omitted", "media_type": "image/png", "bytes": 70}
            whole = (await talk.ask("get_messages", images=True))["data"]["messages"][0]["content"][1]
            assert whole["source"]["data"] == PNG

    asyncio.run(go())


def test_an_empty_message_is_refused(tmp_path: Path) -> None:
    """Blank text without an image is invalid_field, for prompt, steer and follow_up."""

    async def go() -> None:
        async with serving(tmp_path) as served:
            talk = await served.talk()
            for name in ("prompt", "steer", "follow_up"):
                assert (await talk.ask(name, message=" \n"))["error_code"] == "invalid_field"

    asyncio.run(go())


def test_skills_and_templates_are_expanded_and_an_unknown_skill_is_named(tmp_path: Path) -> None:
    """In prompt, steer and follow_up; get_commands lists them with source, scope and path."""
    prompts = tmp_path / "config" / "beyond-ai" / "prompts"
    skill = tmp_path / "config" / "beyond-ai" / "skills" / "mend"
    prompts.mkdir(parents=True)
    skill.mkdir(parents=True)
    (prompts / "fix.md").write_text("Fix $1 now")
    (skill / "SKILL.md").write_text("---\nname: mend\ndescription: mends\n---\nMend it well.")

    async def go() -> None:
        async with serving(tmp_path, [turn.text("one"), turn.text("two")]) as served:
            talk = await served.talk()
            listed = (await talk.ask("get_commands"))["data"]["commands"]
            assert [(each["name"], each["source"], each["scope"]) for each in listed] == [
                ("skill:mend", "skill", "own"),
                ("fix", "prompt", "own"),
            ]
            await talk.ask("steer", message="/skill:mend")
            await talk.ask("follow_up", message="/fix later")
            assert (await talk.ask("prompt", message="/fix it"))["success"]
            assert "Fix it now" in said(served.transport.requests[0])
            assert "Mend it well." in said(served.transport.requests[0])
            assert "Fix later now" in said(served.transport.requests[1])
            unknown = await talk.ask("prompt", message="/skill:no")
            assert unknown["error_code"] == "invalid_field"
            assert "mend" in unknown["error"]

    asyncio.run(go())
