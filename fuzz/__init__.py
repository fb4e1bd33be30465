"""Hostile bytes for every parser of the gateway: `python -m fuzz` looks for new ones, the tests replay those kept.

`targets` lists what is fed, `oracle` says what must hold, `free_play` lets both peers of an exchange do anything.
Coverage and mutation are atheris's; nothing here needs it to replay an input.
"""

import sys
from pathlib import Path

# A free play is a playbook, whose stage is the tests'; pytest puts it on the path itself.
SUPPORT = str(Path(__file__).parent.parent / "packages" / "gateway" / "tests" / "support")
if SUPPORT not in sys.path:
    sys.path.append(SUPPORT)
