"""What-ifs: what another release would have done, against what it did."""

from __future__ import annotations

import json
from functools import cache

import pytest

from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.releases import release
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.results.outcome import Outcome
from tests.kit.commands import goalloc
from tests.kit.root import ROOT

SAMPLE = "traces/orders-go1.27.msgpack"
STACK_SPANS = 229_376
"""StackInuse of every small program of Go 1.23 to 1.27 at its start: seven spans."""


@cache
def what_if(version: str) -> Outcome:
    return replay(open_trace(ROOT / SAMPLE), release(version), design_name=version, hints=False)


def points(outcome: Outcome, field: str) -> dict[str, int]:
    return {point.name: int(point.memstats[field]) for point in outcome.checkpoints}  # type: ignore[call-overload]


@cache
def real(name: str, field: str) -> dict[str, int]:
    """What the program said of itself under another release."""
    told = json.loads((ROOT / f"tests/data/{name}.json").read_text())["snaps"]
    return {snap["Point"]: snap["M"][field] for snap in told}


@pytest.mark.parametrize("version", ["1.23", "1.25", "1.27"])
def test_the_stack_spans_of_the_start_are_taken_over(version):
    assert points(what_if(version), "StackInuse")["start"] == STACK_SPANS


def test_heap_in_use_under_another_release_is_what_it_was_there():
    found, told = points(what_if("1.25"), "HeapInuse"), real("orders-go1.25", "HeapInuse")
    assert max(abs(found[name] - told[name]) / told[name] for name in found) < 0.04


def test_under_its_own_release_the_models_own_sweeper_ends_where_the_recorded_one_did():
    found, told = points(what_if("1.27"), "HeapInuse"), real("orders-go1.27", "HeapInuse")
    assert max(abs(found[name] - told[name]) / told[name] for name in found) < 0.02


def test_beside_a_what_if_stands_the_same_release_with_its_own_sweeper():
    found = json.loads(goalloc("replay", SAMPLE, "--set", "page_cache=0", "--format", "json").stdout)
    assert found["base"]["design"]["name"] == "go1.27 own"


def test_releases_side_by_side_begin_with_their_base():
    found = json.loads(goalloc("replay", SAMPLE, "--go", "1.25,1.27", "--format", "json").stdout)
    assert [release["design"]["name"] for release in found["releases"]] == ["go1.27 own", "go1.25", "go1.27"]


@pytest.mark.parametrize("knob", ["gogc=25", "memory_limit=0x400000"])
def test_a_knob_that_moves_no_collection_says_so(knob):
    found = json.loads(goalloc("replay", SAMPLE, "--set", knob, "--format", "json").stdout)
    assert any("goalloc pace" in note for note in found["notes"])


def test_a_recording_as_it_is_has_no_such_note():
    assert not any("goalloc pace" in note for note in what_if("1.27").notes)
