"""An embedded provider: OpenAI's and Anthropic's wire on one port, with faults on demand.

It answers by echo, by directives in the model name (`mock:status=429,retry_after=3`; table in `directives`), or by a
script (format in `script`). What it received stands in `MockProvider.requests`.
"""

from beyond_gateway.mock.directives import DirectiveError, Directives, parse_directives
from beyond_gateway.mock.record import Recorded
from beyond_gateway.mock.script import Script, ScriptError
from beyond_gateway.mock.server import MockProvider

__all__ = [
    "DirectiveError",
    "Directives",
    "MockProvider",
    "Recorded",
    "Script",
    "ScriptError",
    "parse_directives",
]
