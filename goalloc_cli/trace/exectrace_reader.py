"""Brings a recording into the window, generation after generation: decoded, in order, slots and meanings found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.trace.ahead import later
from goalloc_cli.trace.exectrace_asked import Stacks
from goalloc_cli.trace.exectrace_cycles import Cycles, code_events, find_cycles, find_reclaims, swept_bytes
from goalloc_cli.trace.exectrace_decode import Events, decode, new_events, new_streams
from goalloc_cli.trace.exectrace_idle import idle_flushes
from goalloc_cli.trace.exectrace_late import follow_window, late_allocs, new_late, told_late
from goalloc_cli.trace.exectrace_next import NextSweeps
from goalloc_cli.trace.exectrace_order import Clock
from goalloc_cli.trace.exectrace_slots import PAGES_OF, SIZE_OF, copied, new_heap, restore, walk
from goalloc_cli.trace.exectrace_survey import survey
from goalloc_cli.trace.exectrace_sweepers import find_sweepers, find_sweeps, follow_sweeps, new_sweeps
from goalloc_cli.trace.exectrace_types import read_types
from goalloc_cli.trace.exectrace_window import SPARE, Window
from goalloc_cli.trace.exectrace_wire import Wire

ROUNDS = 8
"""Most attempts at correcting the order of a generation."""
MOST_PAIRS = 1 << 16
"""Pairs of events in the wrong order that one attempt is told."""
MOST_SWEEPERS = 256
"""Goroutines that are known to sweep."""

Array = NDArray[np.int64]


class Decoded(NamedTuple):
    """A generation before its slots are looked for."""

    events: Events
    code: NDArray[np.uint8]
    order: NDArray[np.int32]
    """The first attempt at it."""
    stacks: tuple[int, int]
    """Functions and calls that are known then."""


class Reader:
    """A recording on its way into the window.

    While one generation is written, the next is decoded in a thread of its own.
    """

    def __init__(self, wire: Wire) -> None:
        """Raise TraceError for what no recording holds."""
        self.wire = wire
        self.survey = survey(wire)
        ms, ps, most = len(wire.m_ids), self.survey.ps, int(self.survey.events.max())
        self._streams = new_streams(ms)
        self._room: Events | None = new_events(most, ms)
        self._coming: Callable[[], Decoded] | None = None
        """Waits for the next generation, once it is being decoded."""
        self.types = read_types(wire)
        self.stacks = Stacks()
        self.known_stacks = self.stacks.known
        """Functions and calls of what has been read."""
        self._clock: Clock | None = Clock(ps, ms, most)
        self.window = Window(new_heap(self.survey), ms, min(int(self.survey.events.sum()), 2 * most + SPARE))
        self.cycles = Cycles()
        self.generation = 0
        """Generations that have been read."""
        self.times = [1 << 62, 0]
        """Of the first event and the last, in ticks."""
        self._late = new_late(self.survey.spans + 1, ms, ps)
        self._moves: Array = np.zeros((0, 3), np.int64)
        # Of Go 1.26 on, and of one P: others sweep at once, in an order of their own.
        self._next_sweeps = NextSweeps() if wire.release == "1.26" and ps == 1 else None
        self._sweeps = new_sweeps(self.survey.spans + 1)
        self._sweep = np.zeros(0, np.uint8)
        self._sweepers = np.zeros((MOST_SWEEPERS, 2), np.int64)
        self._sweeper_count = 0
        self._running = np.full(ms, -1, np.int64)
        self._owned = [False] * ps
        self._found: dict[str, NDArray[Any]] = {
            "row": np.empty(most, np.int32), "slot": np.empty(most, np.int16), "owner": np.empty(most, np.int32)
        }  # fmt: skip
        """Room for what the walk finds."""

    @property
    def whole(self) -> bool:
        """Whether the last generation has been read."""
        return self.generation == len(self.wire.generations)

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
        assert self._room is not None
        assert self._clock is not None
        name = self.wire.generations[generation]
        events = decode(self.wire, generation, self._streams, self._room)
        self.types.translate(events, name)
        self.stacks.translate(events.kind, events.b, self.wire.tables, name)
        code = code_events(events, name, self.wire.tables)
        swept_bytes(events)
        find_reclaims(events, code)
        self._clock.begin(events)
        return Decoded(events, code, self._clock.order(), self.stacks.known)

    def read(self, floor: int) -> None:
        """Read the next generation; `floor` is the first place of the window that can still be changed.

        Raises:
            TraceError: it is damaged.
        """
        begin = len(self.window)
        self._append()
        if len(self._sweep) < len(self.window):
            grown = np.zeros(len(self.window) + SPARE, np.uint8)
            grown[:begin] = self._sweep[:begin]
            self._sweep = grown
        name = self.wire.generations[self.generation - 1]
        find_cycles(self.cycles, self.window, begin, name, self.wire.tables)
        self._late, found = late_allocs(self._late, self.window, begin, floor, self.cycles)
        self._moves = np.concatenate([self._moves, found])
        if self.survey.ps > 1:
            highest_first = self.wire.release == "1.26"
            self.cycles.actions += idle_flushes(self.window, begin, self.cycles, self._owned, highest_first)
            rows = int(self.window.heap.used[0])
            find_sweeps(self.window.kind, self.window.row, self.window.owner, begin, rows, self._sweeps, self._sweep)
        if self._next_sweeps:
            self._next_sweeps.read(self.window, self.cycles.ends, self.whole)
        if not self.whole:
            following = self.generation
            self._coming = later(lambda: self._decode(following))

    def _append(self) -> None:
        """Put the next generation in order, and append it to the window."""
        assert self._clock is not None
        decoded = self._coming() if self._coming else self._decode(self.generation)
        self._coming = None
        events, code, self.known_stacks = decoded.events, decoded.code, decoded.stacks
        self._sweeper_count = int(
            find_sweepers(
                events.kind, events.a, events.b, events.m, code, self._running, self._sweepers, self._sweeper_count
            )
        )
        if len(events):
            self.times = [min(self.times[0], int(events.time.min())), max(self.times[1], int(events.time.max()))]
        order, found = self._ordered(decoded)
        columns: dict[str, NDArray[Any]] = {"code": code, "key": self._clock.key, **found}
        columns |= {column: getattr(events, column) for column in ("kind", "a", "b", "m", "p", "next_p")}
        self.generation += 1
        if self.whole:
            # Nothing is decoded any more: the memory of each column is free once it has been appended.
            self._room = self._clock = None
            self._found = {}
        del decoded, events, code, found
        self.window.append(columns, order)

    def _ordered(self, decoded: Decoded) -> tuple[NDArray[np.int32], dict[str, NDArray[Any]]]:
        """The order of a generation in which fewest events contradict each other, and what the walk found in it."""
        assert self._clock is not None
        events, clock, heap, release = decoded.events, self._clock, self.window.heap, self.wire.release
        before = copied(heap)
        columns = {name: column[: len(events)] for name, column in self._found.items()}
        pairs = np.zeros((MOST_PAIRS, 2), np.int64)

        def follow(order: NDArray[np.int32]) -> int:
            return int(
                walk(
                    events.kind, events.time, events.a, events.b, order, len(self.window), release == "1.26",
                    release == "1.23", SIZE_OF, PAGES_OF, heap, *columns.values(), pairs,
                )
            )  # fmt: skip

        best, wrong_in_best, orders = 0, -1, [decoded.order]
        for attempt in range(ROUNDS):
            if attempt:
                restore(heap, before)
                orders.append(clock.order())
            wrong = np.concatenate([clock.stuck, pairs[: follow(orders[attempt])]])
            if wrong_in_best < 0 or len(wrong) < wrong_in_best:
                best, wrong_in_best = attempt, len(wrong)
            if not len(wrong) or not clock.correct(wrong):
                break
        if best != len(orders) - 1:
            restore(heap, before)
            follow(orders[best])
        clock.end(best)
        return orders[best], columns

    def hold(self) -> int:
        """The place that what is written may not pass before the next generation is read."""
        return self._next_sweeps.hold if self._next_sweeps else len(self.window)

    def drop(self, until: int) -> int:
        """Forget the events before place `until`; return by how much all others move."""
        by = self.window.drop(until)
        self.cycles.move(by, until)
        follow_window(self._late, self.window, by, until)
        self._moves = self._moves[self._moves[:, 1] >= until] - np.array([by, by, 0])
        if self._next_sweeps:
            self._next_sweeps.follow_window(self.window, by, until)
        follow_sweeps(self._sweeps, self._sweep, self.window, by, until)
        return by
