"""The table of metrics, the layout that follows from it, and what a parent does with a dead worker's slot."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from beyond_gateway import errors
from beyond_gateway.metrics.cells import (
    CELLS,
    FIRST_CELL,
    PROVIDERS,
    SLOT_BYTES,
    cell,
    cells_of,
    count_restart,
    held_bytes,
    retire,
)
from beyond_gateway.metrics.table import METRICS, OTHER, OUTCOMES, REASONS, TOKENS
from beyond_gateway.settle import Outcome
from beyond_wire import UsageFacts

# gw contract, metrics: the names, and the label where it has one.
CONTRACT = {
    "ai_requests_total": (),
    "ai_rejections_total": ("reason",),
    "ai_upstream_responses_total": ("provider", "status"),
    "ai_connect_retries_total": ("provider",),
    "ai_tokens_total": ("kind",),
    "ai_ttft_seconds": ("provider",),
    "ai_upstream_latency_seconds": ("provider",),
    "ai_active_streams": (),
    "ai_requests_in_flight": (),
    "ai_deny_set_size": (),
    "ai_nats_connected": (),
    "ai_usage_parse_errors_total": (),
    "ai_usage_estimated_total": (),
}


def slot() -> memoryview[float]:
    return memoryview(bytearray(SLOT_BYTES)).cast("d")


def test_every_name_of_the_contract_is_a_row() -> None:
    """The contract's metrics are there, each with its labels."""
    rows = {row.name: ("provider",) * row.per_provider + (row.label,) * bool(row.label) for row in METRICS}
    assert {name: rows.get(name) for name in CONTRACT} == CONTRACT


def test_names_tell_the_kind() -> None:
    """A counter ends with _total and nothing else does, as Prometheus wants it; buckets belong to histograms."""
    for row in METRICS:
        assert row.name.endswith("_total") is (row.kind == "counter"), row.name
        assert bool(row.buckets) is (row.kind == "histogram"), row.name
        assert list(row.buckets) == sorted(set(row.buckets)), row.name
        assert row.merge == "sum" or row.kind == "gauge", row.name
    assert len(FIRST_CELL) == len(METRICS)


def test_no_two_series_share_a_cell() -> None:
    """Every bucket of every series has a cell of its own, and all of them fill a slot without a hole."""
    taken = [
        cell(row.name, value) + provider * row.stride + offset
        for row in METRICS
        for provider in range(PROVIDERS if row.per_provider else 1)
        for value in row.values
        for offset in range(row.width)
    ]
    assert sorted(taken) == list(range(len(taken)))
    assert len(taken) <= CELLS < len(taken) + 8


def test_slots_share_no_cache_line() -> None:
    """A slot is whole lines of 64 bytes, so that one worker's store does not slow another's."""
    assert SLOT_BYTES == CELLS * 8
    assert SLOT_BYTES % 64 == 0


def test_every_refusal_has_a_cell_for_its_reason() -> None:
    """All reasons of `errors` are in the table, and the table has no reason that nobody gives."""
    made = [errors.bad_request("x"), errors.method_refused("POST"), errors.breaker_open(1)]
    constants = [value for value in vars(errors).values() if isinstance(value, errors.Refusal)]
    assert {refusal.reason for refusal in [*constants, *made]} | {OTHER} == set(REASONS)


def test_labels_are_the_words_of_rows_and_facts() -> None:
    """Outcomes are those of the usage row, kinds of tokens the counts of a usage fact."""
    assert get_args(Outcome) == OUTCOMES
    counts = {field.name for field in msgspec.structs.fields(UsageFacts)} - {"wire"}
    assert {f"{kind}_tokens" for kind in TOKENS} == counts


def test_a_dead_workers_gauges_end_and_its_counters_stay() -> None:
    """After `retire` every gauge is zero and every other cell is as the worker left it."""
    cells = slot()
    for index in range(CELLS):
        cells[index] = 1.0
    gauges = {
        FIRST_CELL[row.name] + offset for row in METRICS if row.kind == "gauge" for offset in range(cells_of(row))
    }
    retire(cells)
    assert {index for index in range(CELLS) if cells[index] != 1.0} == gauges
    assert {cells[index] for index in gauges} == {0.0}


def test_rows_that_died_are_counted_once_and_exactly() -> None:
    """What was admitted and neither written nor free is lost, in each life of a slot anew."""
    cells = slot()
    cells[cell("ai_managed_admitted_total")] = 10.0
    cells[cell("ai_rows_written_total")] = 6.0
    cells[cell("ai_managed_free_total")] = 1.0
    assert retire(cells) == 3
    assert retire(cells) == 0
    cells[cell("ai_managed_admitted_total")] += 5.0
    cells[cell("ai_rows_written_total")] += 4.0
    assert retire(cells) == 1
    assert cells[cell("ai_rows_lost_total")] == 4.0


def test_more_rows_than_requests_is_no_loss() -> None:
    """A loss is never negative: the counter of losses must not go back."""
    cells = slot()
    cells[cell("ai_rows_written_total")] = 2.0
    assert retire(cells) == 0
    assert cells[cell("ai_rows_lost_total")] == 0.0


def test_a_restart_is_counted_in_the_slot_that_is_taken_again() -> None:
    """One for each worker started in another's place."""
    cells = slot()
    count_restart(cells)
    count_restart(cells)
    assert cells[cell("ai_worker_restarts_total")] == 2.0
    assert sum(cells) == 2.0


def test_held_bodies_are_those_of_all_workers() -> None:
    """The budget of held bodies is one for the host."""
    slots = [slot(), slot()]
    slots[0][cell("ai_buffered_bytes")] = 100.0
    slots[1][cell("ai_buffered_bytes")] = 23.0
    assert held_bytes(slots) == 123.0


def test_an_unknown_series_has_no_cell() -> None:
    """A misspelt value is an error at once, not a count in a neighbour's cell."""
    with pytest.raises(ValueError, match="tuple"):
        cell("ai_tokens_total", "thinking")
