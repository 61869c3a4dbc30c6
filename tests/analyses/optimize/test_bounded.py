"""Objects whose size is only bounded: where they are laid, and what is said of them against the sizes asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from goalloc_cli.analyses.optimize.bounded import as_low_as_can_be, evenly, spread
from goalloc_cli.analyses.optimize.optimize import Asked, Replays, figures, optimize, own_table
from goalloc_cli.design.gosizes import HEADER_ABOVE, HEADER_BYTES, LARGEST_SMALL, SLOT_OF, TINY_BYTES
from goalloc_cli.results.optimizing import change
from goalloc_cli.trace.event import BOUND, KIND_MASK, NOSCAN, Batch, Kind
from goalloc_cli.trace.trace import Trace
from tests.kit.batches import batch
from tests.kit.fitting import GO, WORDS, sample
from tests.kit.root import ROOT

SAMPLES = sorted(path.stem for path in (ROOT / "traces").glob("*.msgpack"))


def test_a_bounded_size_is_laid_over_all_sizes_of_its_slot() -> None:
    """A slice without pointers in a slot of 288 bytes asked for 257 to 288."""
    weights = np.zeros((2, 2, WORDS))
    weights[0, 1, 5] = 3.0
    weights[1, 1, 288 // 8] = 8.0
    found = spread(weights, GO)
    assert {int(word) * 8: found[1, word] for word in np.flatnonzero(found[1])} == {40: 3, 264: 2, 272: 2, 280: 2, 288: 2}
    assert not found[0].any()


def test_a_header_is_part_of_what_a_bounded_object_needs() -> None:
    """With pointers, in a slot of 576 bytes: 513 to 568 were asked for."""
    weights = np.zeros((2, 2, WORDS))
    weights[1, 0, 576 // 8] = 7.0
    found = spread(weights, GO)[0]
    assert {int(word) * 8: found[word] for word in np.flatnonzero(found)} == dict.fromkeys(range(528, 577, 8), 1.0)


def test_as_low_as_can_be_is_the_lowest_that_takes_the_same_slot() -> None:
    rows = [(Kind.ALLOC | BOUND | NOSCAN, 0, 1, 288, 0, 0), (Kind.ALLOC | BOUND, 0, 2, 568, 0, 0),
            (Kind.ALLOC | BOUND, 0, 3, 632, 0, 0), (Kind.ALLOC | BOUND | NOSCAN, 0, 4, 16, 0, 0),
            (Kind.ALLOC | NOSCAN, 0, 5, 288, 0, 0), (Kind.ALLOC | BOUND | NOSCAN, 0, 6, 40960, 0, 0),
            (Kind.SNAP_OBJECT | BOUND, 0, 7, 48, 0, 0)]  # fmt: skip
    (found,) = as_low_as_can_be(iter([batch(rows)]), GO)
    assert found.size.tolist() == [257, 513, 569, 16, 288, 40960, 33]


def test_evenly_is_from_the_lowest_to_the_largest() -> None:
    rows = [(Kind.ALLOC | BOUND | NOSCAN, 0, handle, 288, 0, 0) for handle in range(3200)]
    (found,) = evenly(iter([batch(rows)]), GO)
    assert {257, 288} <= set(found.size.tolist()) <= set(range(257, 289))
    assert {int(n) for n in np.bincount(found.size)[257:]} <= set(range(97, 104))


@pytest.mark.parametrize("name", SAMPLES)
def test_whatever_bounded_sizes_are_go_s_own_table_gives_the_same_heap(name: str) -> None:
    known = sample(name)
    one, *others = (Replays(None).run(known, own_table(known.design), sizes) for sizes in (None, evenly, as_low_as_can_be))
    for other in others:
        assert other.samples["heap_inuse"].tolist() == one.samples["heap_inuse"].tolist()


def as_recorded_without_sizes(batches: Iterator[Batch]) -> Iterator[Batch]:
    """What an ordinary recording knows of a full one: a type whose values need the slot that was taken has been asked for;
    of all else the slot is known (`importers.exectrace.slots.sizes`)."""
    types = [0]
    for each in batches:
        types += [found.size for found in each.new_types]
        kind, noscan, size = each.kind & KIND_MASK, each.kind & NOSCAN != 0, each.size
        of_type = np.array(types)[each.arg * ((kind == Kind.ALLOC) | (kind == Kind.SNAP_OBJECT))]
        needed, of_slot = (slot_of(asked, noscan) for asked in (of_type, size))
        is_small = ((kind == Kind.ALLOC) | (kind == Kind.SNAP_OBJECT)) & (size > 0) & (size <= LARGEST_SMALL)
        is_known = is_small & (of_type > 0) & (needed == of_slot)
        largest = np.minimum(of_slot - HEADER_BYTES * (~noscan & (of_slot > HEADER_ABOVE)), LARGEST_SMALL)
        of_type = np.where(noscan & (of_slot == TINY_BYTES), TINY_BYTES, of_type)
        flags = np.where(is_known, each.kind & ~np.uint8(BOUND), np.where(is_small, each.kind | BOUND, each.kind))
        yield replace(
            each, size=np.where(is_known, of_type, np.where(is_small, largest, size)), kind=flags.astype(np.uint8)
        )


def slot_of(asked: np.ndarray, noscan: np.ndarray) -> np.ndarray:
    needed = np.where(noscan & (asked < 16), 16, asked + HEADER_BYTES * (~noscan & (asked > HEADER_ABOVE)))
    return SLOT_OF[np.minimum((needed + 7) // 8, len(SLOT_OF) - 1)]


@pytest.mark.parametrize("name", ["http-go1.27", "json-go1.27"])
def test_what_is_said_without_knowing_sizes_holds_for_the_sizes_that_were_asked_for(name: str) -> None:
    """Full recordings of benchmarks of net/http and encoding/json: what is known less of them, and the truth."""
    known = sample(name, ROOT / "tests" / "data" / "full")

    def bounded() -> Trace:
        trace = known.again()
        return replace(trace, batches=as_recorded_without_sizes(trace.batches))

    found = optimize([replace(known, again=bounded)], [], Asked())
    (seen,) = found.trained
    own, truth = (figures(Replays(None).run(known, table)) for table in (own_table(GO), found.chosen.table))
    assert own.peak_heap_inuse == seen.base.peak_heap_inuse  # it takes the same slots
    true = change(own, truth)
    for name in ("peak", "mean"):
        told = [getattr(each, name) for each in seen.changes.values()]
        assert min(told) <= getattr(true, name) <= max(told)
