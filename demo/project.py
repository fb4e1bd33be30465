"""A scratch repository with a real bug, a real test suite that shows it, and a model that knows how to mend it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from beyond_agent_core.testing import calls, says

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_wire.types import Turn

TASK: Final = "The test suite fails. Find the bug, mend it, and add a CHANGELOG entry."
_FILES: Final = {
    "prices.py": '''"""Prices in cents."""


def with_discount(cents: int, percent: int) -> int:
    """Return the price less a discount, never below zero."""
    return max(0, cents - cents * percent)
''',
    "test_prices.py": """import unittest

from prices import with_discount


class Discounts(unittest.TestCase):
    def test_a_tenth(self):
        self.assertEqual(with_discount(1000, 10), 900)

    def test_nothing(self):
        self.assertEqual(with_discount(1000, 0), 1000)

    def test_all(self):
        self.assertEqual(with_discount(1000, 100), 0)
""",
    "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n## 1.0.0\n\n- First release.\n",
}
ENTRY: Final = "- Discounts are percent again: 10 % of 1000 is 100, not 10000."
_TEST: Final = f"{sys.executable} -m unittest -q 2>&1"


def make(folder: Path) -> None:
    """Put the repository there."""
    folder.mkdir()
    for name, text in _FILES.items():
        (folder / name).write_text(text)
    author = ("-c", "user.name=demo", "-c", "user.email=demo@example.com")
    for words in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "First release")):
        subprocess.run([shutil.which("git") or "git", *words], cwd=folder, check=True, stdin=subprocess.DEVNULL)


def passes(folder: Path) -> bool:
    """Whether its own test suite is green."""
    made = subprocess.run([sys.executable, "-m", "unittest", "-q"], cwd=folder, capture_output=True, check=False)
    return made.returncode == 0


def answers() -> list[Turn]:
    """Return what the model says, turn by turn."""
    return [
        calls(("bash", {"command": _TEST}), ("read", {"path": "prices.py"}), text="I run the tests and look."),
        calls(
            ("edit", {"path": "prices.py", "old_string": "cents * percent", "new_string": "cents * percent // 100"}),
            text="The percentage is not divided by a hundred.",
        ),
        calls(("bash", {"command": _TEST})),
        calls(
            (
                "edit",
                {
                    "path": "CHANGELOG.md",
                    "old_string": "## Unreleased\n",
                    "new_string": f"## Unreleased\n\n{ENTRY}\n",
                },
            ),
            text="Green. Now the CHANGELOG.",
        ),
        says("with_discount() took the percentage for a factor; mended, the suite is green, the CHANGELOG has it."),
    ]
