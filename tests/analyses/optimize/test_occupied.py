"""The slots that a program holds: small stories, and whole recordings counted one by one."""

from __future__ import annotations

import numpy as np
import pytest

from goalloc_cli.analyses.optimize.occupied import WORD, Occupied, occupied
from goalloc_cli.importers.sniff import open_trace
from goalloc_cli.trace.event import BOUND, KIND_MASK, NOSCAN, Batch, Kind
from tests.kit.batches import batch
from tests.kit.fitting import GO, WORDS
from tests.kit.root import ROOT


def told(text: str) -> list[Batch]:
    """Objects a, b, ...: "+a 24" is born with so many bytes and without pointers ("*" with some), "-a" dies, "[" and "]" are
    the start and the end of a cycle."""
    rows = []
    for word in text.split("; "):
        handle = ord(word[1]) - ord("a") if len(word) > 1 else 0
        if word[0] in "+*":
            flags = NOSCAN if word[0] == "+" else 0
            rows.append((Kind.ALLOC | flags, 0, handle, int(word.split()[1]), 0, 0))
        else:
            rows.append(({"-": Kind.FREE, "[": Kind.GC_START, "]": Kind.GC_END}[word[0]], 0, handle, 0, 0, 0))
    return [batch(rows, addr=False)]


def held(found: np.ndarray) -> dict[tuple[int, bool], int]:
    """What of exact sizes is held: by bytes and whether there are pointers."""
    return {(WORD * int(words), not noscan): int(found[0, noscan, words]) for noscan, words in np.argwhere(found[0])}


def test_a_slot_is_held_until_the_end_of_the_cycle_after_the_death() -> None:
    text = "+a 24; [; ]; -a; +b 48; [; ]; [; ]"
    found = occupied(told(text), GO, peak_event=5)
    assert held(found.peak) == {(24, False): 1, (48, False): 1}
    assert held(found.total) == {(24, False): 2, (48, False): 2}
    assert found.starts == 3


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("+a 512", {(512, False): 1}), ("*a 512", {(512, True): 1}), ("*a 513", {(528, True): 1}),
        ("+a 513", {(520, False): 1}), ("+a 7", {(16, False): 1}), ("*a 7", {(8, True): 1}), ("+a 0", {}),
        ("+a 32760", {(32760, False): 1}),
        ("*a 32760", {(32768, True): 1}), ("+a 32761", {}), ("+a 100000", {}),
    ],
)  # fmt: skip
def test_what_a_slot_must_hold(text: str, needs: dict[tuple[int, bool], int]) -> None:
    """A header above 512 bytes with pointers; a tiny block below 16 without; nothing, where there is no slot."""
    assert held(occupied(told(text), GO, 1).peak) == needs


def test_a_handle_may_be_used_again_while_the_slot_still_waits() -> None:
    found = occupied(told("+a 24; -a; +a 48; ["), GO, 9)
    assert held(found.total) == {(24, False): 1, (48, False): 1}


@pytest.mark.parametrize("name", ["orders-go1.27", "web-go1.27-p4"])
def test_slots_are_counted_as_one_by_one(name: str) -> None:
    """Of a whole recording, in a loop over its events."""
    trace = open_trace(str(ROOT / "traces" / f"{name}.msgpack"))
    batches = list(trace.batches)
    peak_event = sum(map(len, batches)) * 2 // 3
    found = occupied(batches, GO, peak_event)
    at_peak, total, starts = counted_one_by_one(batches, peak_event)
    assert (found.peak.tolist(), found.total.tolist(), found.starts) == (at_peak.tolist(), total.tolist(), starts)


def counted_one_by_one(batches: list[Batch], peak_event: int) -> tuple[np.ndarray, np.ndarray, int]:
    now, total = (np.zeros((2, 2, WORDS), np.int64) for _ in range(2))
    objects: dict[int, tuple[int, int, int]] = {}
    dying: list[tuple[int, int, int]] = []
    starts = event = 0
    at_peak = now
    for each in batches:
        for flags, handle, size in zip(each.kind.tolist(), each.id.tolist(), each.size.tolist(), strict=True):
            if event == peak_event:
                at_peak = now.copy()
            event += 1
            kind, noscan = flags & KIND_MASK, bool(flags & NOSCAN)
            if kind in (Kind.ALLOC, Kind.SNAP_OBJECT):
                need = 16 if noscan and 0 < size < 16 else size + 8 * (not noscan and size > 512)
                objects[handle] = (int(bool(flags & BOUND)), int(noscan), (need + 7) // 8 if 0 < size <= 32760 else 0)
                now[objects[handle]] += objects[handle][2] > 0
            elif kind == Kind.FREE:
                dying.append(objects.pop(handle))
            elif kind == Kind.GC_START:
                total += now
                starts += 1
            elif kind == Kind.GC_END:
                for gone in dying:
                    now[gone] -= gone[2] > 0
                dying = []
    return at_peak, total, starts


def test_nothing_held_weighs_nothing() -> None:
    nothing = np.zeros((2, 2, WORDS), np.int64)
    assert not Occupied(nothing, nothing, 0).weights.any()
