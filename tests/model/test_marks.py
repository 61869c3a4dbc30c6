"""What mark phases scan and skip, and what takes the heap lock."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.releases import RELEASES, release
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.model.books import survey
from goalloc_cli.report.documents.replay import document
from goalloc_cli.trace.event import Kind
from tests.kit.kernels import Kernels
from tests.kit.root import ROOT
from tests.kit.story import events
from tests.kit.strategies import MAX_PROCS, designs, long_traces
from tests.twin import Naive

ORDERS = ROOT / "traces" / "orders-go1.27.msgpack"
MEMSTATS = ROOT / "tests" / "data" / "orders-go1.27.json"


def kernels(text: str, version: str = "1.27") -> Kernels:
    """The heap after a story."""
    heap = Kernels(release(version), 1)
    for event in events(text):
        heap.apply(*event)
    return heap


def live_of(naive: Naive) -> tuple[Counter[int], Counter[int]]:
    """Live slots, and their bytes, by span class."""
    slots: Counter[int] = Counter()
    slot_bytes: Counter[int] = Counter()
    for span in naive.heap.spans:
        slots[span.spc] += len(span.live)
        slot_bytes[span.spc] += len(span.live) * span.elem_bytes
    return +slots, +slot_bytes


@given(long_traces(), designs)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_marking_finds_what_the_twin_has_live(trace, design):
    naive, heap = Naive(design, MAX_PROCS), Kernels(design, MAX_PROCS)
    all_objects: Counter[int] = Counter()
    for event in trace:
        if event[0] == Kind.GC_START:
            slots, slot_bytes = live_of(naive)
            all_objects += slots
        naive.apply(*event)
        heap.apply(*event)
        if event[0] == Kind.GC_START:
            marks = heap.heap.marks
            assert +Counter(dict(enumerate(marks["objects"].tolist()))) == slots
            assert +Counter(dict(enumerate(marks["slot_bytes"].tolist()))) == slot_bytes
            assert +Counter(dict(enumerate(marks["all_objects"].tolist()))) == all_objects


def test_objects_without_pointers_are_skipped():
    (row,) = survey.marks(kernels("alloc a 48 noscan x 3; free a0; gc").heap)
    assert (row["spc"] % 2, row["objects"], row["slot_bytes"]) == (1, 2, 96)


def test_what_is_born_while_marking_runs_is_not_found():
    assert len(survey.marks(kernels("mark; alloc a 48; sweep").heap)) == 0


def test_what_a_recording_marks_is_what_go_had_when_all_was_swept():
    found = document(replay(open_trace(ORDERS), release("1.27"), design_name="go1.27"))["marks"]
    told = {snap["Point"]: snap["M"] for snap in json.loads(MEMSTATS.read_text())["snaps"]}
    assert found["scanned_bytes"] + found["skipped_bytes"] == told["gc:2"]["HeapAlloc"]
    assert sum(row["objects"] for row in found["classes"]) == told["gc:2"]["HeapObjects"]


# The heap lock.


def locks(text: str, version: str) -> dict[str, int]:
    """Acquisitions by cause, those that there were."""
    return {cause: n for cause, n in survey.locks(kernels(text, version).heap).items() if n}


@pytest.mark.parametrize("version", RELEASES)
def test_a_large_object_takes_the_lock_once(version):
    assert locks("alloc a 400000 noscan", version) == {"large object": 1}


@pytest.mark.parametrize("version", RELEASES)
def test_pages_for_an_mcentral_take_it_each_time_unless_a_page_cache_has_them(version):
    found = locks("alloc a 8192 noscan x 3", version)
    if release(version).page_cache:
        # The first finds no page to cache and grows the heap; the second fills the cache; the third needs no lock.
        assert found == {"page cache refill": 2, "small span": 1}
    else:
        assert found == {"small span": 3}


@pytest.mark.parametrize("version", RELEASES)
def test_each_span_that_sweeping_frees_takes_it(version):
    text = "alloc a 8192 noscan x 3"
    before, after = locks(text, version), locks(f"{text}; free a; gc!", version)
    assert after["span freed"] == 3
    assert {cause: after[cause] for cause in before} == before | {"small span": after["small span"]}


@pytest.mark.parametrize("version", RELEASES)
def test_stacks_take_it_for_their_spans_not_for_each_stack(version):
    assert locks("stack s 262144", version) == {"stack": 1}
    assert locks("stack s 262144; unstack s", version) == {"stack": 2}
    assert locks("stack s 2048 x 8", version).get("stack", 0) <= 1


@pytest.mark.parametrize("version", RELEASES)
def test_a_stack_span_given_back_is_no_sweep(version):
    assert "span freed" not in locks("stack s 262144; unstack s; gc!", version)
