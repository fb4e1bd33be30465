"""What `serve` promises of images that a client comes back to."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

from agent_serve_hub import serving

from beyond_agent_core.testing import turn

if TYPE_CHECKING:
    from pathlib import Path

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_a_catchup_tells_of_images_and_does_not_hold_them(tmp_path: Path) -> None:
    """Those of a prompt and those that a tool has read: type and size stand in their place, also in `get_messages`."""

    async def go() -> None:
        sees = {"claude-test": {"vision": True}}
        script = [turn.tool_call("read", path="a.png"), turn.text("seen")]
        async with serving(tmp_path, script, models=sees) as served:
            (served.work / "a.png").write_bytes(PNG)
            talk = await served.talk(shared=True)
            data = base64.b64encode(PNG).decode()
            image = {"media_type": "image/png", "data": data}
            assert (await talk.ask("prompt", message="look", images=[image]))["success"]
            listed = (await talk.ask("get_messages"))["data"]["messages"]
            assert (await talk.ask("attach"))["data"]["gap"]
            caught = await talk.until(lambda frame: frame["type"] == "catchup")
            assert caught["data"]["messages"] == listed
            told = {"type": "omitted", "media_type": "image/png", "bytes": len(PNG)}
            assert listed[0]["content"][1]["source"] == told
            assert listed[2]["content"][0]["images"] == [told]
            assert data not in str([frame for frame in talk.frames if "seq" not in frame])
            whole = (await talk.ask("get_messages", id=2, images=True))["data"]["messages"]
            assert str(whole).count(data) == 2

    asyncio.run(go())
