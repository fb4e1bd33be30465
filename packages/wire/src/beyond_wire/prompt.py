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
    size = 0
    for found in _TEXT_VALUE.finditer(body):
        if found[1] is not None:
            size += utf8_length(found[1])
        else:
            size += sum(utf8_length(item[1]) for item in _STRING.finditer(found[2]))
    return size
