"""`python -m demo.smoke`: one tiny real request, whole and streamed, to each provider whose key is in the environment.

`<NAME>_API_KEY` chooses a provider, `<NAME>_MODEL` another model than the table's. The requests go through a gateway
process, over verified TLS, under a managed key; they spend tokens. `AI_*` settings, such as a CA file, apply. Exits 1
when a request or its usage row fails; a provider without a key is skipped.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Mapping

import anthropic
import msgspec
import openai

from beyond_gateway.providers import BUILT_IN, Provider, env_suffix
from demo.calls import Got
from demo.processes import DemoError, Gateway, Row, bypass_proxies
from demo.report import answer, note, result, say

# Small and cheap models that answer at once, by the vendors' lists of October 2026.
MODELS = {
    "openai": "gpt-4.1-nano",
    "anthropic": "claude-haiku-4-5",
    "openrouter": "openai/gpt-oss-20b",
    "fireworks": "accounts/fireworks/models/gpt-oss-20b",
    "groq": "openai/gpt-oss-20b",
    "deepseek": "deepseek-flash",
    "together": "openai/gpt-oss-20b",
    "cerebras": "gpt-oss-120b",
    "mistral": "ministral-3b-latest",
    "xai": "grok-4-1-fast-non-reasoning",
}
_PROMPT = "Answer with one word: hello"
# Room for the reasoning of the open-weight models; the prompt keeps the others short.
_MAX_TOKENS = 128


class Target(msgspec.Struct, frozen=True):
    """One provider to call; the key itself goes to the gateway only."""

    row: Provider
    model: str


def main() -> int:
    """Run the requests; return the exit status."""
    bypass_proxies()
    targets, settings = chosen(os.environ)
    for row in BUILT_IN:
        if row.name not in {target.row.name for target in targets}:
            result("skip", row.name, f"set {env_suffix(row.name)}_API_KEY")
    if not targets:
        note("  nothing to do: no provider's key is in the environment")
        return 0
    try:
        with tempfile.TemporaryDirectory() as state_dir, Gateway(state_dir, settings) as gateway:
            failures = sum(not _tried(gateway, target, stream=stream) for target in targets for stream in (False, True))
    except (DemoError, OSError) as fault:
        result("FAIL", "gateway", str(fault))
        return 1
    say(f"{failures} requests failed" if failures else "every request and every usage row was right")
    return 1 if failures else 0


def chosen(environ: Mapping[str, str]) -> tuple[list[Target], dict[str, str]]:
    """Return the providers whose key is set, and the gateway's settings, in which those keys are pool keys."""
    targets: list[Target] = []
    settings = {name: value for name, value in environ.items() if name.startswith("AI_")}
    for row in BUILT_IN:
        name = env_suffix(row.name)
        if key := environ.get(f"{name}_API_KEY", "").strip():
            targets.append(Target(row, environ.get(f"{name}_MODEL") or MODELS[row.name]))
            settings[row.pool_key_env] = key
    return targets, settings


def _tried(gateway: Gateway, target: Target, *, stream: bool) -> bool:
    """Make one request, look at its usage row, print the line; True when both were right."""
    name = target.row.name + (", streamed" if stream else "")
    try:
        got = _anthropic(gateway, target, stream=stream) if target.row.dialect == "anthropic" else None
        got = got or _openai(gateway, target, stream=stream)
        row = gateway.row()
        _check(target, got, row, stream=stream)
    except (openai.APIStatusError, anthropic.APIStatusError) as fault:
        with contextlib.suppress(DemoError):
            gateway.row()  # a provider's error has its row too; the next request must not take it for its own
        result("FAIL", name, f"{target.model}: {fault}")
        return False
    except (DemoError, openai.OpenAIError, anthropic.AnthropicError) as fault:
        result("FAIL", name, f"{target.model}: {type(fault).__name__}: {fault}")
        return False
    result("ok", name, answer(got.text), f"row: {row.model} {row.input_tokens} in, {row.output_tokens} out")
    return True


def _check(target: Target, got: Got, row: Row, *, stream: bool) -> None:
    wanted = {"provider": target.row.name, "stream": stream, "outcome": "ok", "usage_estimated": False}
    for name, value in wanted.items():
        if getattr(row, name) != value:
            raise DemoError(f"usage row: {name} is {getattr(row, name)!r}, expected {value!r}")
    if not row.input_tokens or not row.output_tokens:
        raise DemoError(f"usage row: {row.input_tokens} tokens in, {row.output_tokens} out")
    if got.input_tokens is not None and got.input_tokens != row.input_tokens:
        raise DemoError(f"usage row: {row.input_tokens} tokens in, the SDK was told {got.input_tokens}")


def _openai(gateway: Gateway, target: Target, *, stream: bool) -> Got:
    base_url = f"{gateway.origin}/{target.row.name}{target.row.prefix}"
    with openai.OpenAI(base_url=base_url, api_key=gateway.key, max_retries=0) as client:
        completions = client.chat.completions
        if not stream:
            reply = completions.create(
                model=target.model, max_tokens=_MAX_TOKENS, messages=[{"role": "user", "content": _PROMPT}]
            )
            usage = reply.usage
            return Got(reply.choices[0].message.content or "", usage.prompt_tokens if usage else None)
        with completions.create(
            model=target.model, max_tokens=_MAX_TOKENS, messages=[{"role": "user", "content": _PROMPT}], stream=True
        ) as chunks:
            deltas = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    if not deltas:
        raise DemoError("the stream had no content chunk")
    return Got("".join(deltas))


def _anthropic(gateway: Gateway, target: Target, *, stream: bool) -> Got:
    base_url = f"{gateway.origin}/{target.row.name}"
    with anthropic.Anthropic(base_url=base_url, api_key=gateway.key, max_retries=0) as client:
        if not stream:
            reply = client.messages.create(
                model=target.model, max_tokens=_MAX_TOKENS, messages=[{"role": "user", "content": _PROMPT}]
            )
        else:
            with client.messages.stream(
                model=target.model, max_tokens=_MAX_TOKENS, messages=[{"role": "user", "content": _PROMPT}]
            ) as events:
                reply = events.get_final_message()
    return Got("".join(block.text for block in reply.content if block.type == "text"), reply.usage.input_tokens)


if __name__ == "__main__":
    sys.exit(main())
