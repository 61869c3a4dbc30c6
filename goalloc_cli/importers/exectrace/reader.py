"""Brings a recording into the window, generation after generation: decoded, in order, slots and meanings found."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.design.gosizes import PAGES_OF, SIZE_OF, TINY_SPC
from goalloc_cli.importers.exectrace.infer.cover import covered_until, cut
from goalloc_cli.importers.exectrace.infer.cycles import Cycles, code_events, find_cycles, name_sweeps, swept_bytes
from goalloc_cli.importers.exectrace.infer.idle import idle_flushes
from goalloc_cli.importers.exectrace.infer.late import follow_window, late_allocs, new_late, split_moves, told_late
from goalloc_cli.importers.exectrace.infer.lost_spans import missing_spans
from goalloc_cli.importers.exectrace.infer.missing import Missing, missing_events
from goalloc_cli.importers.exectrace.infer.next import NextSweeps
from goalloc_cli.importers.exectrace.infer.order import Clock
from goalloc_cli.importers.exectrace.infer.stop import begin_at_snapshot, tell_once
from goalloc_cli.importers.exectrace.infer.stopped import end_before_sweep
from goalloc_cli.importers.exectrace.infer.sweepers import find_sweepers, find_sweeps, follow_sweeps, new_sweeps
from goalloc_cli.importers.exectrace.infer.unnamed import code_unnamed
from goalloc_cli.importers.exectrace.slots.check import Evidence, is_pardoned
from goalloc_cli.importers.exectrace.slots.slots import LIVE_SLOT, Copy, Heap, copied, new_heap, restore, walk
from goalloc_cli.importers.exectrace.slots.window import COLUMNS, Window, roomy
from goalloc_cli.importers.exectrace.who.marking import new_marking, tell_marking
from goalloc_cli.importers.exectrace.who.owners import Owners
from goalloc_cli.importers.exectrace.wire.asked import KEY, Stacks
from goalloc_cli.importers.exectrace.wire.decode import Ev, Events, decode, lost_numbers, new_events, new_streams
from goalloc_cli.importers.exectrace.wire.survey import MOST_INFERRED, survey
from goalloc_cli.importers.exectrace.wire.types import read_types
from goalloc_cli.importers.exectrace.wire.wire import Wire
from goalloc_cli.trace.lost import Lost

ROUNDS = 8
"""Most attempts at correcting the order of a generation."""
MOST_PAIRS = 1 << 16
"""Pairs of events in the wrong order that one attempt is told."""
MOST_WAITING = 16
"""Last events in no span, and last frees of empty slots, that are remembered until what they need comes."""
MOST_SWEEPERS = 256
"""Goroutines that are known to sweep."""
FOUND = ("row", "slot", "owner")
"""Columns that the walk finds."""

Array = NDArray[np.int64]


class Decoded(NamedTuple):
    """A generation before its slots are looked for."""

    events: Events
    code: NDArray[np.uint8]
    order: NDArray[np.int32]
    """The first attempt at it."""


def key_of(wire: Wire) -> str:
    """The key of the messages that tell of allocations, "" where there are none; it names the release."""
    name = wire.generations[0]
    return wire.tables.string(name, wire.tables.string_with(name, KEY))


class Reader:
    """A recording on its way into the window.

    What is known of a generation's events, some sixty bytes of each, moves into the window column by column; between two
    generations the window alone takes memory.
    """

    def __init__(self, wire: Wire, inline_marks: bool) -> None:
        """Raise TraceError for what no recording holds. `inline_marks`: spans of small objects hold their mark bits."""
        self.wire = wire
        self.inline_marks = inline_marks
        self.survey = survey(wire)
        ms, ps = len(wire.m_ids), self.survey.ps
        self._streams = new_streams(ms)
        self._marking = new_marking(ms)
        self.types = read_types(wire)
        self.stacks = Stacks()
        self.owners = Owners(ms, self.stacks)
        self._clock = Clock(ps, ms)
        self.window = Window(new_heap(self.survey), ms)
        self.cycles = Cycles(ps)
        self.generation = 0
        """Generations that have been read."""
        self.times = [1 << 62, 0]
        """Of the first event and the last, in ticks."""
        self.mended = key_of(wire) != ""
        """Whether it is known to be of a runtime that goalloc mended: only those that tell sizes say so."""
        self.lost = Lost(batches=sum(batches for _, batches in wire.damaged))
        self.has_snapshot = self.packs_tiny = False
        self._late = new_late(self.survey.span_rows, ms, ps)
        self._moves: Array = np.zeros((0, 3), np.int64)
        self.moved: Array = np.zeros(0, np.int64)
        """Late allocs that were written where they belong, behind the window, and are still to come at their own place."""
        # Of Go 1.26 on, and of one P: others sweep at once, in an order of their own.
        self._next_sweeps = NextSweeps() if wire.release == "1.26" and ps == 1 else None
        self._sweeps = new_sweeps(self.survey.span_rows)
        self._sweep = np.zeros(0, np.uint8)
        self._sweepers = np.zeros((MOST_SWEEPERS, 2), np.int64)
        self._sweeper_count = 0
        self._running = np.full(ms, -1, np.int64)
        self._owned = [False] * ps

    @property
    def whole(self) -> bool:
        """Whether the last generation has been read."""
        return self.generation == len(self.wire.generations)

    @property
    def seen(self) -> Evidence:
        """What was read so far, to be checked."""
        end = self.times[1] if self.whole else max(self.times[1], int(self.wire.time.max()))
        allocs = int(self.survey.kinds[Ev.OBJECT_ALLOC])
        return Evidence(self.window, self.lost, allocs, self.survey.spans, self.survey.ps, self.times[0], end, self.mended)

    def usable(self) -> tuple[int, float]:
        """How many events a recording that breaks off has before that, and seconds."""
        wire, counts, last = self.wire, self.survey.events, len(self.wire.generations) - 1
        if not len(wire.time):
            return 0, 0.0
        events, begin, end = int(counts.sum()), int(wire.time.min()), int(wire.time.max())
        if wire.open:
            count, ms = int(counts[last]), len(wire.m_ids)
            first = decode(wire, last, new_streams(ms), new_events(count, ms))
            kept = self._certain(first)
            events += len(kept) - count
            end = int(kept.time.max(initial=begin))
        return events, (end - begin) / wire.ticks_per_second

    def _certain(self, last: Events) -> Events:
        """What is taken of the last generation, whose end is missing."""
        earlier = int(self.survey.events[:-1].sum())
        return cut(last, covered_until(last, self.survey.ps, earlier))

    @property
    def late(self) -> Array:
        """(event, place that it belongs before, P) of every late alloc of the window, shape (n, 3)."""
        return told_late(self._moves, self.window)

    @property
    def swept_next(self) -> Array:
        """(place, object) of what is told of the sweep after the next one, shape (n, 2)."""
        return self._next_sweeps.told if self._next_sweeps else np.zeros((0, 2), np.int64)

    @property
    def sweepers(self) -> Array:
        """(goroutine, sweeper)."""
        return self._sweepers[: self._sweeper_count]

    @property
    def sweep(self) -> NDArray[np.uint8]:
        """OPENS, CLOSES: the first and the last free of a sweep that ends later than it began."""
        return self._sweep[: len(self.window)]

    def _decode(self, generation: int) -> Decoded:
        """Decode a generation. What the window holds and what was found out so far is left alone."""
        name = self.wire.generations[generation]
        room = new_events(int(self.survey.events[generation]), len(self.wire.m_ids))
        events = decode(self.wire, generation, self._streams, room)
        if self.wire.open and generation == len(self.wire.generations) - 1:
            events = self._certain(events)
        tell_marking(events, self.wire.ticks_per_second, self._marking)
        begin_at_snapshot(events)
        self.lost.numbers += lost_numbers(events)
        self.lost.types += self.types.translate(events)
        tables, ms = self.wire.tables, len(self.wire.m_ids)
        self.stacks.translate(events.kind, events.b, tables, name)
        self.owners.translate(events, tables, name)
        code = code_unnamed(events, ms) if tables.are_missing(name) else code_events(events, name, tables)
        swept_bytes(events)
        name_sweeps(events, code)
        end_before_sweep(events, code)
        self._clock.begin(events)
        return Decoded(events, code, self._clock.order())

    def read(self, floor: int) -> None:
        """Read the next generation; `floor` is the first place of the window that can still be changed.

        Raises:
            TraceError: it is damaged.
        """
        begin = len(self.window)
        self._append()
        self._sweep = roomy(self._sweep, begin, len(self.window))
        self._sweep[begin : len(self.window)] = 0
        name = self.wire.generations[self.generation - 1]
        self.owners.follow(self.window, begin, self.wire.tables, name)
        find_cycles(self.cycles, self.window, begin, name, self.wire.tables)
        if self.whole:
            self.cycles.end(floor)
        self._late, found = late_allocs(self._late, self.window, begin, floor, self.cycles)
        self._moves = np.concatenate([self._moves, found])
        if self.survey.ps > 1:
            highest_first = self.wire.release == "1.26"
            self.cycles.actions += idle_flushes(self.window, begin, self.cycles, self._owned, highest_first)
            rows = int(self.window.heap.used[0])
            find_sweeps(self.window.kind, self.window.row, self.window.owner, begin, rows, self._sweeps, self._sweep)
        if self._next_sweeps:
            self._next_sweeps.read(self.window, self.cycles.ends, self.whole)

    def _append(self) -> None:
        """Put the next generation in order, and append it to the window."""
        decoded = self._decode(self.generation)
        events, code = decoded.events, decoded.code
        self._sweeper_count = int(
            find_sweepers(
                events.kind, events.a, events.b, events.m, code, self._running, self._sweepers, self._sweeper_count
            )
        )
        if len(events):
            self.times = [min(self.times[0], int(events.time.min())), max(self.times[1], int(events.time.max()))]
        columns: dict[str, NDArray[Any]] = {"code": code, "key": self._clock.key}
        columns |= {column: getattr(events, column) for column in ("kind", "time", "a", "b", "m", "p", "next_p")}
        columns, order = self._ordered(decoded, columns)
        del columns["time"]
        self.generation += 1
        # The window alone holds each column now: it is free once it has been appended.
        del decoded, events, code
        self.window.append(columns, order)

    def _ordered(
        self, decoded: Decoded, columns: dict[str, NDArray[Any]]
    ) -> tuple[dict[str, NDArray[Any]], NDArray[np.int32]]:
        """The columns of a generation with what the walk found in it, and the order in which fewest events contradict each
        other. Where some do in every order, events that must have been are put in."""
        events, clock, heap = decoded.events, self._clock, self.window.heap
        before = copied(heap)
        found = {name: np.empty(len(events), COLUMNS[name]) for name in FOUND}
        pairs = np.zeros((MOST_PAIRS, 2), np.int64)
        best, wrong_in_best, orders = 0, -1, [decoded.order]
        for attempt in range(ROUNDS):
            if attempt:
                restore(heap, before)
                orders.append(clock.order())
            wrong = pairs[: self._walk(columns, orders[attempt], found, pairs)]
            if self._told_again(events, wrong[clock.impossible(wrong)], found["owner"], before.heap):
                restore(heap, before)
                wrong = pairs[: self._walk(columns, orders[attempt], found, pairs)]
            wrong = np.concatenate([clock.stuck, wrong[~clock.impossible(wrong)]])
            if wrong_in_best < 0 or len(wrong) < wrong_in_best:
                best, wrong_in_best = attempt, len(wrong)
            if not len(wrong) or not clock.correct(wrong):
                break
        if best != len(orders) - 1:
            restore(heap, before)
            self._walk(columns, orders[best], found, pairs)
        clock.end(best)
        self._look_at(columns, found)
        may_lose_spans = self.wire.release == "1.23" and not self.packs_tiny
        if not self.has_snapshot or is_pardoned(heap.faults - before.heap.faults, may_lose_spans, self.survey.ps):
            return columns | found, orders[best]
        return self._inferred(columns, orders[best], found, before)

    def _walk(
        self, columns: dict[str, NDArray[Any]], order: NDArray[np.int32], found: dict[str, NDArray[Any]], pairs: Array
    ) -> int:
        """Follow every slot through a generation in an order; return how many of `pairs` stand in the wrong one."""
        return int(
            walk(
                columns["kind"], columns["time"], columns["a"], columns["b"], order, len(self.window), self.inline_marks,
                self.wire.release == "1.23", SIZE_OF, PAGES_OF, self.window.heap, *found.values(),
                np.full((2, MOST_WAITING, 2), -1), pairs,
            )
        )  # fmt: skip

    def _look_at(self, columns: dict[str, NDArray[Any]], found: dict[str, NDArray[Any]]) -> None:
        """Note whether the recording holds the heap that it starts with, and allocations packed into a tiny block."""
        kind, owner = columns["kind"], found["owner"]
        self.has_snapshot = self.has_snapshot or bool((kind == Ev.SPAN).any())
        if not self.packs_tiny:
            allocs = np.flatnonzero((kind == Ev.OBJECT_ALLOC) & (owner >= 0))
            tiny = allocs[self.window.spans["spc"][found["row"][allocs]] == TINY_SPC]
            self.packs_tiny = bool((owner[tiny] != tiny + len(self.window)).any())

    def _inferred(
        self, columns: dict[str, NDArray[Any]], order: NDArray[np.int32], found: dict[str, NDArray[Any]], before: Copy
    ) -> tuple[dict[str, NDArray[Any]], NDArray[np.int32]]:
        """The columns and the order of a generation with the events that must have been; the heap as it is after them."""
        heap = self.window.heap
        ends = self.wire.release != "1.23" or self.packs_tiny
        spans = missing_spans(columns, order, found["row"], heap, self.types.infos, self.inline_marks)
        if len(spans) and self.lost.made + len(spans) <= MOST_INFERRED:
            columns, order, found = self._walked_with(spans, columns, order, found, before)
            self.lost.made += len(spans)
        missing = missing_events(columns["kind"], order, found, heap, before.heap.pool, len(self.window), ends)
        columns, order, found = self._walked_with(missing, columns, order, found, before)
        self.lost.births += missing.count(Ev.OBJECT_ALLOC)
        self.lost.deaths += missing.count(Ev.OBJECT_FREE)
        self.lost.spans += missing.count(Ev.SPAN_FREE)
        about = found["row"][len(order) - len(missing) :]
        self.lost.bytes += int(self.window.spans["size"][about[about >= 0]].sum())
        return columns | found, order

    def _walked_with(
        self, missing: Missing, columns: dict[str, NDArray[Any]], order: NDArray[np.int32], found: dict[str, NDArray[Any]],
        before: Copy,
    ) -> tuple[dict[str, NDArray[Any]], NDArray[np.int32], dict[str, NDArray[Any]]]:  # fmt: skip
        """The columns and the order with these events in their places, and what the walk finds then."""
        restore(self.window.heap, before)
        columns, order = missing.put_in(columns, order)
        found = {name: np.empty(len(order), column.dtype) for name, column in found.items()}
        self._walk(columns, order, found, np.zeros((MOST_PAIRS, 2), np.int64))
        return columns, order, found

    def _told_again(self, events: Events, impossible: Array, owner: NDArray[np.int32], before: Heap) -> bool:
        """Whether there are allocs of objects which the snapshot holds: these are silenced.

        Args:
            impossible: (free, alloc that came before it in any order) of slots.
            owner: per event: its object.
            before: the heap before the generation.
        """
        heap, earlier = self.window.heap, len(self.window)
        if heap.faults[LIVE_SLOT] == before.faults[LIVE_SLOT]:
            return False
        kept = np.flatnonzero(heap.pool[: int(heap.used[1])] < 0)
        allocs = np.append(impossible[:, 1], -heap.pool[kept].astype(np.int64) - 1 - earlier)
        filled_by = np.append(owner[impossible[:, 0]], heap.hidden[kept] - 1)
        known = (filled_by >= 0) & (allocs >= 0)
        allocs, filled_by = allocs[known], filled_by[known]
        kind = np.append(self.window.kind, events.kind)[filled_by]
        return tell_once(events, allocs, kind)

    def hold(self) -> int:
        """The place that what is written may not pass before the next generation is read."""
        return self._next_sweeps.hold if self._next_sweeps else len(self.window)

    def drop(self, until: int) -> int:
        """Forget the events before place `until`; return by how much all others move."""
        self.moved, self._moves = split_moves(self.moved, self.late, self._moves, until)
        by = self.window.drop(until)
        self.moved -= by
        self._moves -= np.array([by, by, 0])
        self.cycles.move(by, until)
        self._late = follow_window(self._late, self.window, by, until)
        if self._next_sweeps:
            self._next_sweeps.follow_window(self.window, by, until)
        follow_sweeps(self._sweeps, self._sweep, self.window, by, until)
        return by
