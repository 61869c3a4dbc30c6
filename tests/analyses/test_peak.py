"""The moment of the peak, and whom the first sentence blames for the garbage that it finds there."""

from __future__ import annotations

from pathlib import Path

import pytest

from goalloc_cli.analyses.replay import replay
from goalloc_cli.design.allocator import Design
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.report.documents.replay import document
from goalloc_cli.report.tables.answer import blame, verdict
from goalloc_cli.results.outcome import Outcome, Reason
from tests.kit.root import ROOT

MIB = 1 << 20


def replayed(tmp_path: Path, text: str) -> Outcome:
    """Replay rows: "+1 40" allocates object 1 with so many MiB without pointers, "-1" frees it, "gc" and "gc_start" and
    "gc_end" are what they say."""
    rows = []
    for word in text.split("; "):
        if word.startswith("+"):
            name, mib = word[1:].split()
            rows.append(f'{{"op": "alloc", "id": {name}, "size": {int(mib) * MIB}, "pointers": false}}')
        elif word.startswith("-"):
            rows.append(f'{{"op": "free", "id": {word[1:]}}}')
        else:
            rows.append(f'{{"op": "{word}"}}')
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(rows))
    return replay(open_trace(str(path)), Design(), design_name="go1.27", check=True)


def test_a_large_object_that_is_being_swept_is_dead_and_no_free_slot(tmp_path: Path) -> None:
    peak = replayed(tmp_path, "+1 40; +2 53; -1; gc").peak[0]
    assert (peak["dead_unswept"], peak["free_slots"]) == (40 * MIB, 0)


def test_what_dies_after_the_mark_phase_began_is_not_found_yet(tmp_path: Path) -> None:
    end = replayed(tmp_path, "+1 40; gc_start; -1; gc_end").samples[-1]
    assert (end["dead_unswept"], end["dead_unfound"]) == (0, 40 * MIB)


@pytest.mark.parametrize(
    ("story", "blamed"),
    [
        ("+1 40; +2 9; gc; -1; +3 9", "garbage: 40.0 MiB (69.0%), which the next GC was to find (its pace: GOGC)."),
        ("+1 40; +2 9; -1; gc", "garbage: 40.0 MiB (81.6%), which had piled up until GC 1 found it (its pace: GOGC)."),
    ],
)
def test_garbage_is_blamed_on_the_pace_of_the_collections(tmp_path: Path, story: str, blamed: str) -> None:
    assert blamed in verdict(document(replayed(tmp_path, story)))


def test_garbage_of_a_heap_that_grew_on_after_the_cycle_is_blamed_on_sweeping() -> None:
    at = {"memstats": {"NumGC": 3}, "peak_gc": 3}
    found = {"dead_unswept": 5, "dead_unfound": 0}
    assert blame(found, at) == "which the last GC had found and sweeping had not reached yet"


def test_no_sample_is_taken_of_a_heap_that_the_snapshot_has_not_yet_told() -> None:
    trace = open_trace(str(ROOT / "traces" / "orders-go1.27.msgpack"))
    first = replay(trace, Design(), design_name="go1.27", every=50).samples[0]
    assert first["reason"] == Reason.START
