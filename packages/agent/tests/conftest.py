"""What holds for every test of the agent core."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes is the machine's affair: a loaded one would fail tests that are right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
