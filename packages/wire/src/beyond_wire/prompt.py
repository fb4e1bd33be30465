"""Size of a prompt's human text, for estimates of input that no provider counted."""

from __future__ import annotations

import re

from beyond_wire.json_scan import STRING_BODY, utf8_length

_TEXT_VALUE = re.compile(
    rb'"(?:text|content|input|prompt|instructions|system)"\s*+:\s*+'
    rb'(?:"(' + STRING_BODY + rb')|\[\s*+((?:"' + STRING_BODY + rb'"\s*+,?+\s*+)++))',
    re.DOTALL,
)
_STRING = re.compile(rb'"(' + STRING_BODY + rb')"?+', re.DOTALL)


def prompt_text_bytes(body: bytes) -> int:
    """UTF-8 bytes of the human text in a request body of any dialect: text, instructions, tool results.

    Sums string values, and plain lists of strings, under the keys text, content, input, prompt, instructions and system
    at any depth; images, ids and schemas are left out. The body may be cut off. For estimates only: one input token is
    taken for 5 bytes (gateway contract, usage). Linear; raises nothing, whatever the bytes.
    """
    strings: list[bytes] = []
    for string, items in _TEXT_VALUE.findall(body):
        if items:
            strings += _STRING.findall(items)
        else:
            strings.append(string)
    # One call for all: undoing escapes costs more by the call than by the byte.
    return utf8_length(b"".join(strings))
