"""The same small JSON completion through LiteLLM and TensorZero, with ours and nginx in the same run."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench import peers, shapes
from bench.compare import Samples, Subject, measure, middle, ratio, shared_core
from bench.gateway import gateway
from bench.load import check
from bench.nginx import json_mock, proxy
from bench.report import Table, Verdict
from bench.servers import StartFailedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bench.servers import Server
    from bench.setting import Setting
    from bench.shapes import Shape

COLUMNS = ["JSON completion, 32 connections", "req/s", "p50 ms", "CPU µs/req", "busy", "others", "MB"]
# How many times their requests a second ours must serve.
FACTORS = {"tensorzero": 4.0, "litellm": 200.0}


@dataclass(frozen=True, slots=True)
class Peer:
    """What to install, how to start it, and what to ask it."""

    requirement: str
    start: Callable[[Setting, Path, int], AbstractContextManager[Server]]
    shape: Shape


def run(setting: Setting) -> list[Table]:
    """Requests a second at 32 connections; a peer that cannot be had is one line."""
    managed = shapes.chat(managed=True)
    byo = shapes.chat(managed=False)
    named = byo.body.replace(b'"gpt-4o-mini"', b'"tensorzero::model_name::bench"')
    others = [
        Peer(peers.TENSORZERO, peers.tensorzero, replace(byo, name="tensorzero", body=named)),
        Peer(peers.LITELLM, peers.litellm, replace(byo, name="litellm", path="/v1/chat/completions")),
    ]
    table = Table("Other gateways", COLUMNS)
    with ExitStack() as stack:
        mock = stack.enter_context(json_mock(setting))
        subjects = [
            Subject("nginx", stack.enter_context(proxy(setting, mock.port)), managed),
            Subject("ours, managed", stack.enter_context(gateway(setting, mock.port)), managed),
        ]
        for peer in others:
            try:
                home = peers.installed(setting, peer.shape.name, peer.requirement)
                server = stack.enter_context(peer.start(setting, home, mock.port))
            except (peers.UnavailableError, StartFailedError) as error:
                table.notes.append(f"{peer.requirement} cannot be measured: {str(error).strip().splitlines()[-1]}")
                continue
            table.notes.append(f"{peer.shape.name} is {peer.requirement} with one core and no store.")
            subjects.append(Subject(peer.shape.name, server, peer.shape))
        for subject in subjects:
            check(subject.shape, subject.server.port, needle=b"How can I help you today?")
        many = measure(setting, subjects, connections=32, seconds=setting.seconds)
    _fill(table, many)
    table.notes += shared_core(many)
    return [table]


def _fill(table: Table, many: Samples) -> None:
    for label, samples in many.items():
        cost = [
            middle(samples, "cpu_us"),
            middle(samples, "busy"),
            middle(samples, "others"),
            middle(samples, "resident") / 1e6,
        ]
        table.rows.append([label, middle(samples, "rps"), middle(samples, "p50_us") / 1000, *cost])
        if factor := FACTORS.get(label):
            times = ratio(many["ours, managed"], samples, "rps")
            table.verdicts.append(Verdict(f"requests a second of {label}'s", times, factor, "x", at_least=True))
