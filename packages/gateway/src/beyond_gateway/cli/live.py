"""A line per request for a person's eyes, made from the usage rows as they pass."""

from __future__ import annotations

import sys

import msgspec

from beyond_gateway.settle import UsageLine
from beyond_gateway.usage_rows import LineWriter

_DECODER = msgspec.json.Decoder(UsageLine)
_MARKS = {"ok": "32", "client_cancelled": "33"}


class LiveRows(LineWriter):
    """A row writer that also tells the terminal what each row says; in colour only where stderr is one."""

    def put(self, line: bytes) -> None:
        """Queue the row, and print its short form on stderr."""
        super().put(line)
        print(short_form(_DECODER.decode(line), colour=sys.stderr.isatty()), file=sys.stderr, flush=True)


def short_form(row: UsageLine, *, colour: bool) -> str:
    """Return one line: outcome, provider, model, tokens in and out (`?` unknown, `~` estimated), milliseconds."""
    fields = row.fields
    outcome = f"\x1b[{_MARKS.get(fields.outcome, '31')}m{fields.outcome}\x1b[0m" if colour else fields.outcome
    about = "~" if fields.usage_estimated else ""
    tokens = "/".join(
        about + ("?" if count is None else str(count)) for count in (fields.input_tokens, fields.output_tokens)
    )
    stream = " stream" if fields.stream else ""
    return f"{outcome} {fields.provider} {fields.model or '-'}{stream} tokens {tokens} in {fields.latency_ms} ms"
