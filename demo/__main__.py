"""`python -m demo`: start the gateway with embedded providers, drive it with both stock SDKs, then with the agent.

Exits 0 when every answer and every usage row is as promised, else 1 and says which is not.
"""

import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import anthropic
import openai

from demo import agent, calls, deny, latency
from demo.calls import YARDSTICK, Call
from demo.deny import Store
from demo.latency import KINDS, ROUNDS, Medians
from demo.processes import DemoError, Gateway, Provider, Row, bypass_proxies, usage_row
from demo.report import answer, note, result, say, table


def main() -> int:
    """Run the demo; return the exit status."""
    bypass_proxies()
    try:
        with tempfile.TemporaryDirectory() as folder, Provider() as provider, deny.store(Path(folder, "nats")) as nats:
            # One provider is our own process, so that it can also be asked directly; a demo may call without pause.
            settings = {f"AI_PROVIDER_AUTHORITY_{YARDSTICK.upper()}": f"127.0.0.1:{provider.port}"}
            settings |= {"AI_RATE_LIMIT_RPS": "0"} | ({"AI_NATS_URL": nats.url} if nats else {})
            with Gateway(str(Path(folder, "state")), settings) as gateway:
                failures = _show(gateway, provider.port, nats)
            agent.show(Path(folder))
            say()
            say("everything was as promised" if not failures else f"{failures} of the checks failed")
            return 1 if failures else 0
    except (DemoError, OSError) as fault:
        result("FAIL", "demo", str(fault))
        return 1


def _show(gateway: Gateway, provider_port: int, nats: Store | None) -> int:
    say(f"beyond-ai dev is listening on {gateway.origin}, all providers embedded")
    say()
    rows: list[Row] = []
    failures = 0
    for call in calls.plan(provider_port):
        failures += not _tried(gateway, call, rows)
    say()
    medians = latency.measure(gateway, provider_port)
    rows += [gateway.row() for _ in range(ROUNDS * len(KINDS))]
    failures += deny.show(gateway, nats, rows)
    failures += _stopped(gateway, rows)
    say()
    _table(rows, medians)
    note("  direct and gateway: median time of a whole answer from the same provider process over a kept connection")
    return failures


def _tried(gateway: Gateway, call: Call, rows: list[Row]) -> bool:
    """Make one call, wait for its usage row where one is due, print the line; True when all was right."""
    try:
        got = call.run(gateway)
        if call.provider is None:
            calls.check_answer(call, got)
            result("ok", call.name, answer(got.text), "no row")
            return True
        row = gateway.row()
        rows.append(row)
        calls.check_answer(call, got)
        calls.check_row(call, got, row)
    except (DemoError, openai.OpenAIError, anthropic.AnthropicError) as fault:
        result("FAIL", call.name, f"{type(fault).__name__}: {fault}")
        return False
    result(
        "ok", call.name, answer(got.text), f"row: {row.provider} {row.input_tokens} in, {row.output_tokens or 0} out"
    )
    return True


def _stopped(gateway: Gateway, rows: list[Row]) -> int:
    """Stop the gateway and count what is wrong with its end: a bad exit, a row too many or one written twice."""
    status = gateway.stop()
    late = [row for line in gateway.out.rest() if (row := usage_row(line))]
    twice = len(rows) - len({row.request_id for row in rows})
    faults = {
        f"the gateway ended with status {status}": status != 0,
        f"{len(late)} usage rows too many, of {sorted({row.requested_model or '?' for row in late})}": bool(late),
        f"{twice} request ids stand in more than one row": twice > 0,
    }
    for text, wrong in faults.items():
        if wrong:
            result("FAIL", "stop", text)
    if not any(faults.values()):
        result("ok", "SIGTERM", f"stopped cleanly, {len(rows)} calls, {len(rows)} rows, each once")
    return sum(faults.values())


def _table(rows: list[Row], medians: dict[str, Medians]) -> None:
    by_model: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_model[row.requested_model or "?"].append(row)
    lines: list[list[str]] = []
    for model, group in by_model.items():
        took = medians.get(model)
        times = [took.direct_ms, took.gateway_ms, took.added_ms] if took else []
        tokens = [sum(row.input_tokens or 0 for row in group), sum(row.output_tokens or 0 for row in group)]
        cells = [str(count) for count in (len(group), *tokens)]
        lines.append([model, *cells, *(f"{value:.2f}" for value in times), *[""] * (3 - len(times))])
    table(["model", "calls", "tokens in", "out", "direct ms", "gateway ms", "added ms"], lines)


if __name__ == "__main__":
    sys.exit(main())
