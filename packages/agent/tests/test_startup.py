"""What sessions work with, from settings and environment."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

from beyond_agent.options import Options
from beyond_agent.startup import harness_for, home_of

if TYPE_CHECKING:
    import pytest

PROVIDERS = "sk-provider-0123456789"


def test_in_gateway_mode_nothing_holds_a_providers_key() -> None:
    """Not even to mask it: what is masked is the key that requests carry."""
    harness = harness_for(Options(key="bai_v1.mine"), {"HOME": "/", "AI_API_KEY": PROVIDERS})
    assert harness.secrets == ("bai_v1.mine",)


def test_in_direct_mode_both_keys_are_masked() -> None:
    """The provider's, which requests carry, and the gateway's where a flag gave one all the same."""
    environ = {"HOME": "/", "AI_BASE_URL": "http://127.0.0.1:9", "AI_API_KEY": PROVIDERS}
    assert harness_for(Options(direct=True, key="bai_v1.mine"), environ).secrets == (PROVIDERS, "bai_v1.mine")


def test_a_home_is_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative one counts as none, and a user without any has none below the current directory."""
    system = pwd.getpwuid(os.getuid()).pw_dir
    assert [home_of(environ) for environ in ({"HOME": "/h"}, {"HOME": "h"}, {"HOME": ""}, {})] == ["/h", *[system] * 3]
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 2)
    assert home_of({}) == "/"
