"""Bad events: those that contradict the events before them, or that no Go program could have made.

One walk over each batch, apart from the replay, which is not slowed by it. `check` reports what the walk finds, a lenient
replay leaves it out. Of two births at one place, a handle or an address, it keeps both: a free was lost, so what was there
is taken for dead where the later is born. What a heap alone can tell, such as spans of a snapshot that overlap, is not
found here.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.compiled.keyed import EMPTY as NO_OWNER
from goalloc_cli.compiled.keyed import KEY, OWNER, empty_table, find, move_keys, remove
from goalloc_cli.results.badevents import MEANINGS, BadEvent, Findings, Wrong
from goalloc_cli.trace.event import ALL_COLUMNS, FREED_ID, KIND_MASK, NO_P, UNKNOWN_ID, Batch, Kind
from goalloc_cli.trace.longer import longer
from goalloc_cli.trace.putin import put_in
from goalloc_cli.trace.ranges import RangeCheck
from goalloc_cli.trace.trace import Header, Trace

SHOWN = 20
"""Bad events that are kept whole; of the others the number is."""

SMALLEST_STACK = 2048
"""Bytes of the smallest goroutine stack (stack.go, stackMin)."""

NEVER, LIVE, DEAD = 0, 1, 2
"""What a handle may be."""

FIRST_SNAP, FIRST_HINT = 16, 32
"""Kinds of the snapshot stand between them."""

MARKING, TIME_NS, BEGUN, CYCLES, EMPTY, HIGHEST_P, HINTED, PLACES, LOST_BYTES = range(9)
"""What is known of the events so far: whether a GC cycle marks, the last time, whether an event came that belongs to no
snapshot, how many cycles ended, allocations of no size, the highest P; whether hints are followed at all; addresses at which
something lives; and bytes asked for by objects whose free was lost."""

BYTES, ADDRESS = 0, 1
"""Columns of what is known of each object: its size, and its address, 0 where that is not known."""
NOBODY = -1
"""Nothing is taken for dead."""
HANDLE, PLACE = 0, 1
"""Columns of what is."""


@kernel
def key_of(addr):
    """The key of an address: neighbours, which are eight bytes apart, stay neighbours."""
    return addr >> 3 | (addr & 7) << 60


@kernel
def leave(places, about, known, h):
    """Nothing lives at the object's address any more."""
    if h < len(about) and about[h, ADDRESS]:
        slot = find(places, key_of(about[h, ADDRESS]))
        if places[slot, OWNER] == h:
            remove(places, slot)
            known[PLACES] -= 1
        about[h, ADDRESS] = 0


@kernel
def settle(places, about, known, h, size, addr, gives_way):
    """Let object h live at an address; return who did before, NOBODY if nobody. One that gives way takes nobody's place."""
    if h >= len(about):
        return NOBODY
    about[h, BYTES] = size
    about[h, ADDRESS] = 0
    if addr == 0 or size == 0:  # without a size all have one address (malloc.go, zerobase)
        return NOBODY
    slot = find(places, key_of(addr))
    before = places[slot, OWNER]
    if before != NO_OWNER and gives_way:
        return NOBODY
    about[h, ADDRESS] = addr
    known[PLACES] += before == NO_OWNER
    places[slot, KEY] = key_of(addr)
    places[slot, OWNER] = h
    return before if before != NO_OWNER else NOBODY


class Seen(NamedTuple):
    """What the events so far have made of handles and addresses."""

    objects: NDArray[np.uint8]
    """By handle: NEVER, LIVE or DEAD; so are the next two. Longer than any handle below FREED_ID in the batch."""
    stacks: NDArray[np.uint8]
    spans: NDArray[np.uint8]
    about: NDArray[np.int64]
    """By handle, BYTES and ADDRESS of an object that lives; what lies behind its end is not known."""
    places: NDArray[np.int64]
    """A table of `compiled.keyed`, who lives at an address; with room for a batch."""
    known: NDArray[np.int64]
    """What else is known (MARKING, ...)."""


@kernel
def judge(columns, addr, seen, wrong, ended):
    """Find the bad events of a batch.

    Args:
        columns, addr: the batch's kind, p, id and size; and its addresses.
        seen: what is known so far, a Seen; is changed.
        wrong: u1 by event: what is wrong with it already, and after this with any other. What is wrong changes nothing,
            but a birth where something lives: that is dead from here on.
        ended: i8 (n, 2), NOBODY before this: who had the handle (HANDLE) or the address (PLACE) in which it is born.
    """
    # In one piece: a table of kinds, a few lines for each; every event of a trace comes through here.
    kind, p, handle, size = columns
    objects, stacks, spans, about, places, known = seen
    for i in range(len(kind)):
        if wrong[i]:
            continue
        k = kind[i] & KIND_MASK
        h = np.int64(handle[i])
        if k in (Kind.ALLOC, Kind.SNAP_OBJECT, Kind.SNAP_DEAD):
            if h >= FREED_ID:
                wrong[i] = Wrong.HANDLE
            elif objects[h] == LIVE:
                wrong[i] = Wrong.LIVE_HANDLE
                if k == Kind.ALLOC:
                    ended[i, HANDLE] = h
                    known[LOST_BYTES] += about[h, BYTES] if h < len(about) else 0
                    leave(places, about, known, h)
            elif k != Kind.ALLOC and known[BEGUN]:
                wrong[i] = Wrong.LATE_SNAPSHOT
            else:
                objects[h] = DEAD if k == Kind.SNAP_DEAD else LIVE
                known[EMPTY] += k == Kind.ALLOC and size[i] == 0
            if (wrong[i] == 0 or ended[i, HANDLE] != NOBODY) and k != Kind.SNAP_DEAD:
                before = settle(places, about, known, h, size[i], addr[i], k == Kind.SNAP_OBJECT)
                if before != NOBODY:
                    if wrong[i] == 0:
                        wrong[i] = Wrong.ADDRESS
                    objects[before] = DEAD
                    known[LOST_BYTES] += about[before, BYTES]
                    about[before, ADDRESS] = 0
                    ended[i, PLACE] = before
        elif k == Kind.FREE:
            if h == FREED_ID or (h != UNKNOWN_ID and objects[h] == DEAD):
                wrong[i] = Wrong.DOUBLE_FREE
            elif h == UNKNOWN_ID or objects[h] == NEVER:
                wrong[i] = Wrong.UNKNOWN_FREE
            else:
                objects[h] = DEAD
                leave(places, about, known, h)
        elif k in (Kind.STACK_ALLOC, Kind.SNAP_STACK):
            if size[i] < SMALLEST_STACK or size[i] & (size[i] - 1):
                wrong[i] = Wrong.STACK_SIZE
            elif h >= FREED_ID:
                wrong[i] = Wrong.HANDLE
            elif stacks[h] == LIVE:
                wrong[i] = Wrong.STACK_LIVE
                ended[i, HANDLE] = h if k == Kind.STACK_ALLOC else NOBODY
            elif k != Kind.STACK_ALLOC and known[BEGUN]:
                wrong[i] = Wrong.LATE_SNAPSHOT
            else:
                stacks[h] = LIVE
        elif k == Kind.STACK_FREE:
            if h >= FREED_ID or stacks[h] != LIVE:
                wrong[i] = Wrong.STACK_UNKNOWN
            else:
                stacks[h] = DEAD
        elif k == Kind.GC_START:
            if known[MARKING]:
                wrong[i] = Wrong.GC_START_TWICE
            known[MARKING] = 1
        elif k == Kind.GC_END:
            if not known[MARKING]:
                wrong[i] = Wrong.GC_END_ALONE
            else:
                known[CYCLES] += 1
            known[MARKING] = 0
        elif k == Kind.TIME:
            if size[i] < known[TIME_NS]:
                wrong[i] = Wrong.TIME_BACK
            else:
                known[TIME_NS] = size[i]
        elif k == Kind.MANUAL_ALLOC and known[HINTED]:
            if h >= FREED_ID:
                wrong[i] = Wrong.HANDLE
            elif size[i] == 0:
                wrong[i] = Wrong.SIZE
            elif spans[h] == LIVE:
                wrong[i] = Wrong.MANUAL_LIVE
                ended[i, HANDLE] = h
            else:
                spans[h] = LIVE
        elif k == Kind.MANUAL_FREE and known[HINTED]:
            if h >= FREED_ID or spans[h] != LIVE:
                wrong[i] = Wrong.MANUAL_UNKNOWN
            else:
                spans[h] = DEAD
        elif FIRST_SNAP <= k < FIRST_HINT:
            if known[BEGUN]:
                wrong[i] = Wrong.LATE_SNAPSHOT
            elif k == Kind.SNAP_STACK_SPAN and h >= FREED_ID:
                wrong[i] = Wrong.HANDLE
            elif k == Kind.SNAP_STACK_SPAN and spans[h] == LIVE:
                wrong[i] = Wrong.MANUAL_LIVE
            elif k == Kind.SNAP_STACK_SPAN:
                spans[h] = LIVE
        if wrong[i] and ended[i, HANDLE] == NOBODY and ended[i, PLACE] == NOBODY:
            continue
        if not FIRST_SNAP <= k < FIRST_HINT:
            known[BEGUN] = 1
            if p[i] != NO_P:
                known[HIGHEST_P] = max(known[HIGHEST_P], np.int64(p[i]))
        elif k == Kind.SNAP_END:
            known[BEGUN] = 1


DEATHS = {Kind.ALLOC: Kind.FREE, Kind.STACK_ALLOC: Kind.STACK_FREE, Kind.MANUAL_ALLOC: Kind.MANUAL_FREE}
"""What ends the life that each begins."""

FIRST_PLACES = 1 << 12
MOST_ABOUT = 1 << 28
"""Handles of which size and address are kept: as many objects as a replay holds, unless it is told otherwise."""
MOST_SMALL_ROUNDING = 16

_OBJECTS = np.isin(np.arange(64), [Kind.ALLOC, Kind.FREE, Kind.SNAP_OBJECT, Kind.SNAP_DEAD])
_STACKS = np.isin(np.arange(64), [Kind.STACK_ALLOC, Kind.STACK_FREE, Kind.SNAP_STACK])
_SPANS = np.isin(np.arange(64), [Kind.MANUAL_ALLOC, Kind.MANUAL_FREE, Kind.SNAP_STACK_SPAN])
_RANGES = {"kind": Wrong.UNKNOWN_KIND, "size": Wrong.SIZE, "p": Wrong.P, "arg": Wrong.ARG, "stack": Wrong.CALL_STACK}


class BadEvents(Findings):
    """Follows a trace batch by batch, and tells the good events from the bad. Memory grows with the highest handle."""

    def __init__(self, header: Header) -> None:
        super().__init__(header)
        self._ranges = RangeCheck(header.gomaxprocs, lenient=True)
        self._objects, self._stacks, self._spans = (np.zeros(1 << 16, np.uint8) for _ in range(3))
        self._known = np.zeros(9, np.int64)
        self._known[HINTED] = header.hints
        self._about = np.zeros((len(self._objects), 2), np.int64)
        self._places = empty_table(FIRST_PLACES)
        self._ended = np.zeros((0, 2), np.int64)
        self.left_out: dict[Wrong, int] = {}
        """Of the bad events those that `good` did not hand on."""
        self.ended = dict.fromkeys(DEATHS.values(), 0)
        """Objects, stacks and spans that it took for dead, by the kind of their death."""

    @property
    def lost_bytes(self) -> int:
        """The most that the objects can have held whose free was lost: what was asked for, a header and all rounding.

        No size class is more than a quarter and 16 bytes above the one below, and a page is a quarter of 32 KiB.
        """
        asked = int(self._known[LOST_BYTES])
        return asked + asked // 4 + (MOST_SMALL_ROUNDING * self.ended[Kind.FREE])

    def good(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches without their bad events. Of two births at one place both stay, and a death is put between."""
        for batch in batches:
            wrong = self.take(batch)
            if not wrong.any():
                yield batch
                continue
            born = (self._ended != NOBODY).any(axis=1)
            bad = (wrong != 0) & ~born
            for what, n in zip(*np.unique(wrong[bad], return_counts=True), strict=True):
                self.left_out[Wrong(what)] = self.left_out.get(Wrong(what), 0) + int(n)
            yield from self._with_deaths(without(batch, bad), self._ended[~bad])

    def _with_deaths(self, batch: Batch, ended: NDArray[np.int64]) -> Iterator[Batch]:
        """The batch with the deaths of those in whose place others are born."""
        at, column = np.nonzero(ended != NOBODY)
        deaths = [DEATHS[Kind(kind)] for kind in (batch.kind[at] & KIND_MASK).tolist()]
        for death in deaths:
            self.ended[death] += 1
        return put_in(batch, at, kind=np.array(deaths, np.uint8), p=batch.p[at], id=ended[at, column].astype(np.uint32))

    def take(self, batch: Batch) -> NDArray[np.uint8]:
        """What is wrong with each event of a batch, as numbers of `Wrong`; raise TraceError for too many types or names."""
        wrong = np.zeros(len(batch), np.uint8)
        for column, over in self._ranges.beyond(batch).items():
            wrong[over & (wrong == 0)] = _RANGES[column]
        kinds = batch.kind & KIND_MASK
        self._objects = roomy(self._objects, batch.id, _OBJECTS[kinds])
        self._stacks = roomy(self._stacks, batch.id, _STACKS[kinds])
        self._spans = roomy(self._spans, batch.id, _SPANS[kinds])
        if len(self._about) < (rows := min(len(self._objects), MOST_ABOUT)):
            self._about = longer(self._about, rows)
        self._make_places(len(batch))
        columns = tuple(np.ascontiguousarray(getattr(batch, name)) for name in ("kind", "p", "id", "size"))
        addr = np.zeros(len(batch), np.int64) if batch.addr is None else np.ascontiguousarray(batch.addr)
        seen = Seen(self._objects, self._stacks, self._spans, self._about, self._places, self._known)
        self._ended = np.full((len(batch), 2), NOBODY, np.int64)
        judge(columns, addr, seen, wrong, self._ended)
        self.cycles, self.empty, self.highest_p = self._known[[CYCLES, EMPTY, HIGHEST_P]].tolist()
        if wrong.any():
            self._keep(batch, wrong)
        self.events += len(batch)
        return wrong

    def _make_places(self, births: int) -> None:
        """Have room for this many more addresses, and the table at most half full."""
        wanted = len(self._places)
        while 2 * (int(self._known[PLACES]) + births) > wanted:
            wanted *= 2
        if wanted > len(self._places):
            new = empty_table(wanted)
            move_keys(self._places, new)
            self._places = new

    def _keep(self, batch: Batch, wrong: NDArray[np.uint8]) -> None:
        """Count the bad events of a batch, and keep the first ones."""
        counted = np.bincount(wrong, minlength=len(Wrong))
        for what in MEANINGS:
            if counted[what]:
                self.counts[what] = self.counts.get(what, 0) + int(counted[what])
        for i in np.flatnonzero(wrong)[: SHOWN - len(self.first)].tolist():
            self.first.append(bad_event(batch, i, self.events + i, Wrong(int(wrong[i]))))


def leniently(trace: Trace) -> Trace:
    """The same trace without its bad events.

    As the batches are walked, what was left out is counted in `skipped`, and what was taken for dead in `lost`.
    """
    bad = BadEvents(trace.header)

    def batches() -> Iterator[Batch]:
        for batch in bad.good(trace.batches):
            trace.skipped.update({MEANINGS[wrong].name: n for wrong, n in bad.left_out.items()})
            yield batch
        total = sum(bad.ended.values())
        if total:
            trace.lost.deaths += bad.ended[Kind.FREE]
            trace.lost.spans += total - bad.ended[Kind.FREE]
            trace.lost.bytes += bad.lost_bytes
            trace.remarks.append(
                f"Deaths that were lost, {total:,} of them: where an id or an address was used again, what had it before "
                "was taken for dead."
            )

    return replace(trace, batches=batches())


def bad_event(batch: Batch, i: int, number: int, wrong: Wrong) -> BadEvent:
    """Event `i` of a batch, which is event `number` of the trace."""
    kind, p, handle = int(batch.kind[i]) & KIND_MASK, int(batch.p[i]), int(batch.id[i])
    named = Kind(kind).name.lower() if kind in list(Kind) else str(kind)
    known_handle = handle if handle < FREED_ID and (_OBJECTS | _STACKS | _SPANS)[kind] else None
    return BadEvent(number, named, None if p == NO_P else p, known_handle, int(batch.size[i]), wrong)


def without(batch: Batch, bad: NDArray[np.bool_]) -> Batch:
    """The batch without some of its events."""
    columns = {name: getattr(batch, name)[~bad] for name in ALL_COLUMNS if getattr(batch, name) is not None}
    return replace(batch, **columns)


def roomy(table: NDArray[np.uint8], handles: NDArray[np.uint32], counts: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The table, longer than all the handles that count."""
    used = handles[counts]
    highest = int(used.max(initial=0))
    if highest >= FREED_ID:
        highest = int(used[used < FREED_ID].max(initial=0))
    if highest < len(table):
        return table
    return longer(table, highest * 3 // 2 + 1)
