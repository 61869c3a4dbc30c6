"""`goalloc verify`: it finds the model exact where it is, and finds it out where it is disturbed."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from goalloc_cli import cli
from goalloc_cli.analyses.verify.verify import COUNTERS, GAUGES, ROWS, read_memstats, verify
from goalloc_cli.design.allocator import Design
from goalloc_cli.design.releases import release
from goalloc_cli.errors import TraceError
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.results.verdict import Verdict
from goalloc_cli.trace.event import KIND_MASK, Batch, Kind

ONE_P = "traces/orders-go1.27.msgpack"
SEVERAL_PS = "traces/web-go1.27-p4.msgpack"
MEMSTATS = "tests/data/orders-go1.27.json"


@cache
def verdict(path: str, design: Design | None = None, own_sweeper: bool = False) -> Verdict:
    trace = open_trace(path)
    return verify(
        trace,
        design or release(trace.header.go_version),
        design_name="x",
        memstats=read_memstats(MEMSTATS) if path == ONE_P else None,
        own_sweeper=own_sweeper,
    )


@pytest.mark.parametrize("row", ["integrity", "geometry", "slot", "refill", "page", "free_running", "heap", "memstats"])
def test_a_recording_of_one_p_is_reproduced_exactly(row):
    assert verdict(ONE_P).rows[row].percent == 100


@pytest.mark.parametrize("row, least", [("slot", 99.99), ("refill", 98), ("page", 98), ("stack", 85)])
def test_with_several_ps_most_decisions_are_the_recorded_ones(row, least):
    assert verdict(SEVERAL_PS).rows[row].percent >= least


def test_with_several_ps_heap_in_use_stays_close():
    assert verdict(SEVERAL_PS).rows["heap"].max_error < 0.02


@pytest.mark.parametrize(
    ("knob", "value", "row", "below"),
    [
        ("page_cache", 0, "page", 95),
        ("best_fit", 1, "page", 98),
        ("span_budget", 0, "refill", 100),
        ("lifo_sets", 1, "refill", 95),
        ("inline_mark_bytes", 0, "free_running", 50),
    ],
)
def test_a_model_that_is_disturbed_is_found_out(knob: str, value: int, row: str, below: float):
    percent = verdict(ONE_P, replace(release("1.27"), **{knob: value})).rows[row].percent
    assert percent is not None and percent < below


def test_a_recording_of_another_slot_order_is_found_out():
    trace = open_trace(ONE_P)
    swapped = replace(trace, batches=(with_neighbours_swapped(batch) for batch in trace.batches))
    slots = verify(swapped, release("1.27"), design_name="x").rows["slot"]
    assert slots.percent is not None and slots.percent < 95


def with_neighbours_swapped(batch: Batch) -> Batch:
    """The batch with the addresses of each two allocations that follow each other, of one P and size, exchanged."""
    assert batch.addr is not None
    kind = batch.kind & KIND_MASK
    pairs = (kind[:-1] == Kind.ALLOC) & (kind[1:] == Kind.ALLOC) & (batch.addr[1:] - batch.addr[:-1] == batch.size[1:])
    first = np.flatnonzero(pairs & (batch.size[:-1] == batch.size[1:]))[::2]
    addr = batch.addr.copy()
    addr[first], addr[first + 1] = batch.addr[first + 1], batch.addr[first]
    return replace(batch, addr=addr)


def test_the_hints_are_named_and_counted():
    assert verdict(ONE_P).hints["sweep_to"] > 0


def test_without_sweep_hints_none_is_counted():
    assert "sweep_to" not in verdict(ONE_P, own_sweeper=True).hints


def test_the_json_has_every_row(capsys):
    assert cli.run(["verify", ONE_P, "--format", "json", "-q"]) == 0
    assert tuple(json.loads(capsys.readouterr().out)["rows"]) == ROWS


def test_csv_has_every_row_too(capfd):
    assert cli.run(["verify", ONE_P, "--format", "csv", "-q"]) == 0
    assert {line.split(",")[1] for line in capfd.readouterr().out.splitlines() if line.startswith("verify,")} == set(ROWS)


def test_a_row_below_its_threshold_ends_with_exit_code_5():
    assert cli.run(["verify", SEVERAL_PS, "-q", "--fail-on", "free-running<99.99"]) == 5


def test_a_row_above_its_threshold_is_fine():
    assert cli.run(["verify", ONE_P, "-q", "--fail-on", "free-running<99.99"]) == 0


def test_a_rule_about_no_row_is_a_usage_error(capsys):
    assert cli.run(["verify", ONE_P, "--fail-on", "beauty<99"]) == 2


ONES = dict.fromkeys((*GAUGES, *COUNTERS), 1)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"snaps": 5}', '{"snaps": [1]}', '{"snaps": [{"Point": "a"}]}',
        '{"snaps": [{"Point": "a", "M": [1]}]}', "[" * 100_000, "\ud800",
    ],
)  # fmt: skip
def test_what_is_no_memstats_is_refused(text: str, tmp_path: Path):
    path = tmp_path / "memstats.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(TraceError, match="not MemStats by point; write"):
        read_memstats(str(path))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"Mallocs": "1"}, "Mallocs"), ({"HeapAlloc": None}, "HeapAlloc"), ({"Frees": 1.5}, "Frees"),
        ({"BySize": 3}, "BySize"),
        ({"BySize": [{"Mallocs": 1, "Frees": []}]}, r"BySize\[0\]\.Frees"),
    ],
)  # fmt: skip
def test_a_figure_of_memstats_that_is_no_number_is_named(changed: dict[str, object], named: str, tmp_path: Path):
    path = tmp_path / "memstats.json"
    path.write_text(json.dumps({"snaps": [{"Point": "start", "M": ONES | changed}]}))
    with pytest.raises(TraceError, match=f"point 'start': {named} of its MemStats is no number"):
        read_memstats(str(path))
