"""For tests of harnesses, public: a run without a model, without a network and without an event loop.

- `Playbook` plays the loop by hand: this effect is expected, this answer is given
- `says`, `calls`, `refuses` are model answers to give it
- `ScriptedTransport` is a model that plays such answers, for the real driver
- `record_run` drives a whole run by a function, and records what it asked for and told
- `FakeClock` is a clock that a test moves
- `assert_grammar` and `assert_fit` say what holds of every run's events and of every session
"""

from beyond_agent_core.testing.clock import FakeClock
from beyond_agent_core.testing.fit import assert_fit
from beyond_agent_core.testing.grammar import assert_grammar
from beyond_agent_core.testing.playbook import Playbook
from beyond_agent_core.testing.record import Recorded, record_run
from beyond_agent_core.testing.scripted import ScriptedTransport, ScriptExhausted
from beyond_agent_core.testing.turns import calls, refuses, says

__all__ = [
    "FakeClock",
    "Playbook",
    "Recorded",
    "ScriptExhausted",
    "ScriptedTransport",
    "assert_fit",
    "assert_grammar",
    "calls",
    "record_run",
    "refuses",
    "says",
]
