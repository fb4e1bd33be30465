"""For tests of harnesses, public: a run without a model, without a network and without an event loop.

- `Playbook` plays the loop by hand: this effect is expected, this answer is given
- `turn` makes entries of a model's script, `says`, `calls` and `refuses` the commonest of them
- `ScriptedTransport` is a model that plays such a script, for the real driver
- `ModelServer` is the same over loopback HTTP in all three dialects, for tests of clients
- `record_run` drives a whole run by a function, and records what it asked for and told
- `FakeClock` is a clock that a test moves
- `assert_grammar` and `assert_fit` say what holds of every run's events and of every session
- `check_transport` and `check_tool` say whether a transport or a tool keeps the rules, and list those that it breaks
"""

from typing import TYPE_CHECKING

from beyond_agent_core.testing import turn
from beyond_wire import imported_when_asked

if TYPE_CHECKING:
    from beyond_agent_core.testing.clock import FakeClock
    from beyond_agent_core.testing.fit import assert_fit
    from beyond_agent_core.testing.grammar import assert_grammar
    from beyond_agent_core.testing.model_server import ModelServer
    from beyond_agent_core.testing.model_server_script import BrokenStream, Raw, Status, error_status
    from beyond_agent_core.testing.playbook import Playbook
    from beyond_agent_core.testing.record import Recorded, record_run
    from beyond_agent_core.testing.scripted import Broken, ScriptedTransport, ScriptExhausted
    from beyond_agent_core.testing.tools_conformance import check_tool
    from beyond_agent_core.testing.transport_conformance import check_transport
    from beyond_agent_core.testing.turns import calls, refuses, says

# One name, one module: whoever plays a loop by hand does not wait for a server.
_LATER = {
    "FakeClock": ".clock",
    "assert_fit": ".fit",
    "assert_grammar": ".grammar",
    "ModelServer": ".model_server",
    **dict.fromkeys(("BrokenStream", "Raw", "Status", "error_status"), ".model_server_script"),
    "Playbook": ".playbook",
    **dict.fromkeys(("Recorded", "record_run"), ".record"),
    **dict.fromkeys(("Broken", "ScriptExhausted", "ScriptedTransport"), ".scripted"),
    "check_tool": ".tools_conformance",
    "check_transport": ".transport_conformance",
    **dict.fromkeys(("calls", "refuses", "says"), ".turns"),
}

__all__ = [
    "Broken",
    "BrokenStream",
    "FakeClock",
    "ModelServer",
    "Playbook",
    "Raw",
    "Recorded",
    "ScriptExhausted",
    "ScriptedTransport",
    "Status",
    "assert_fit",
    "assert_grammar",
    "calls",
    "check_tool",
    "check_transport",
    "error_status",
    "record_run",
    "refuses",
    "says",
    "turn",
]

if not TYPE_CHECKING:
    # Checkers see the imports above, and so the name that is nobody's.
    __getattr__, __dir__ = imported_when_asked(globals(), _LATER)
