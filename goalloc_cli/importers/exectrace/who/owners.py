"""The owners of a recording: what the goroutines, tasks and regions that `goroutines` follows are called.

A goroutine is named by the stacks of its GoCreate: the function that it begins in and the place that makes it. One that was
there before, by the stack it waits at; one that ran all the time, by the outermost call of the first stack that it shows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.keyed import EMPTY, OWNER, empty_table, find, move_keys
from goalloc_cli.importers.exectrace.slots.window import Window
from goalloc_cli.importers.exectrace.who.goroutines import (
    ASKED,
    BRINGS,
    ENOUGH,
    FREE_REGION,
    FREE_ROW,
    GO_CREATE,
    GO_CREATE_BLOCKED,
    GOROUTINE,
    GOROUTINES,
    KINDS,
    MOST_ASKED,
    MOST_KINDS,
    MOST_TEXTS,
    NONE,
    REGION,
    REGION_BEGIN,
    REGION_END,
    REGIONS,
    ROWS,
    STALE,
    TASK_BEGIN,
    TASKS,
    UNKNOWN,
    UNSEEN,
    UNTOLD,
    WHOS,
    State,
    enter,
    follow,
)
from goalloc_cli.importers.exectrace.wire.asked import Stacks
from goalloc_cli.importers.exectrace.wire.decode import Events
from goalloc_cli.importers.exectrace.wire.tables import Tables
from goalloc_cli.trace.event import Owner
from goalloc_cli.trace.longer import longer
from goalloc_cli.trace.ranges import MAX_OWNERS

Array = NDArray[np.int64]

MAIN = 1
"""The main goroutine, of every program."""

RUNTIME = ("runtime.", "runtime/trace.")
"""How the functions begin that the runtime's and the tracer's own goroutines begin in, but for these:"""
FOR_THE_PROGRAM = ("runtime.main", "runtime.runfinq", "runtime.runFinalizers", "runtime.runCleanups", "runtime.cgocallback")
"""The runtime's goroutines that run the program's code: main, finalizers, cleanups, calls from C."""


def _power(n: int) -> int:
    """The slots of a table of `compiled.keyed` for n keys."""
    return 1 << max(10, (2 * n).bit_length())


class Owners:
    """All owners of a recording, numbered in the order in which they come."""

    def __init__(self, ms: int, stacks: Stacks) -> None:
        self.known: list[Owner] = []
        self.number = np.zeros(1, np.int64)
        """The owner of each (kind, task, region)."""
        self._stacks = stacks
        self._kinds = [(0, 0, 0), (0, 0, 1)]
        """(entry, creator, runtime) of each kind of goroutines; one that nothing tells of yet is of a kind of its own."""
        self._kind: dict[tuple[int, int, int], int] = {}
        self._texts = [""]
        self._text = {"": 0}
        self._owner: dict[Owner, int] = {Owner(0, 0, "", "", 0): 0}
        self._arrived: tuple[Array, Array] = (np.zeros(0, np.int64), np.zeros(0, np.int64))
        counts = np.zeros(9, np.int64)
        counts[[FREE_ROW, FREE_REGION]] = NONE
        counts[[WHOS, KINDS]] = 1, 2
        self._state = State(
            rows=empty_table(_power(0)), goroutines=np.zeros(0, GOROUTINE), tasks=empty_table(_power(0)),
            outer=empty_table(_power(0)), regions=np.zeros(0, REGION),
            whos=empty_table(_power(MAX_OWNERS)), who=np.zeros((MAX_OWNERS, 3), np.int64),
            running=np.full(ms, UNSEEN, np.int64), works_for=np.full(ms, STALE, np.int32),
            told=np.full(2, ENOUGH, np.uint8), asked=np.zeros((MOST_ASKED, 2), np.int64), counts=counts,
        )  # fmt: skip

    def translate(self, events: Events, tables: Tables, generation: int) -> None:
        """Make the stacks and texts of a generation's events kinds of goroutines and numbers of texts."""
        kind, b = events.kind, events.b
        made = np.flatnonzero((kind == GO_CREATE) | (kind == GO_CREATE_BLOCKED))
        stacks, which = np.unique(b[made], return_inverse=True)
        kinds = [self._kind_of(tables, generation, both >> 32, both & 0xFFFFFFFF) for both in stacks.tolist()]
        b[made] = np.array(kinds, np.int64)[which] if len(made) else 0
        named = np.flatnonzero((kind == TASK_BEGIN) | (kind == REGION_BEGIN) | (kind == REGION_END))
        names, which = np.unique(b[named], return_inverse=True)
        numbers = [self._text_number(tables.string(generation, name)) for name in names.tolist()]
        b[named] = np.array(numbers, np.int64)[which] if len(named) else 0
        there = events.goroutines
        stacks, which = np.unique(there[:, 1], return_inverse=True)
        kinds = [self._kind_of(tables, generation, stack, 0) for stack in stacks.tolist()]
        self._arrived = there[:, 0], np.array(kinds, np.int64)[which] if len(there) else there[:, 0]

    def follow(self, window: Window, begin: int, tables: Tables, generation: int) -> None:
        """Find who allocates from place `begin` of the window on, and write it where the handles will stand."""
        self._make_room(np.bincount(window.kind[begin:], minlength=256))
        state, counts = self._state, self._state.counts
        enter(*self._arrived, state)
        counts[ASKED] = 0
        follow(window.kind, window.a, window.b, window.m, window.handle, begin, state)
        self._kinds += [(0, 0, 0)] * (int(counts[KINDS]) - len(self._kinds))
        for number, stack in state.asked[: int(counts[ASKED])].tolist():
            if not self._kinds[number][0]:
                self._kinds[number] = self._kinds[self._kind_of(tables, generation, stack, 0)]
        self._name_main()
        self.number = np.array([self._number(*row) for row in state.who[: int(counts[WHOS])].tolist()])

    def _make_room(self, counts: Array) -> None:
        """Have room for what a generation can bring."""
        state, used = self._state, self._state.counts
        more = int(counts[BRINGS].sum()) + len(self._arrived[0]) + UNTOLD
        rows = int(used[GOROUTINES]) + more
        tasks, regions = int(used[TASKS] + counts[TASK_BEGIN]) + 1, int(used[REGIONS] + counts[REGION_BEGIN]) + 1
        told = np.array([entry > 0 or number < 2 or runtime for number, (entry, _by, runtime) in enumerate(self._kinds)])
        self._state = state._replace(
            told=longer(told.astype(np.uint8) * np.uint8(ENOUGH), min(len(told) + more, MOST_KINDS)),
            rows=_roomy(state.rows, rows), tasks=_roomy(state.tasks, tasks),
            outer=_roomy(state.outer, tasks), goroutines=_longer(state.goroutines, int(used[ROWS]) + more),
            regions=_longer(state.regions, regions),
        )  # fmt: skip

    def _kind_of(self, tables: Tables, generation: int, stack: int, creator: int) -> int:
        """The kind of the goroutines that begin where a stack does, and were made at another."""
        entry = self._stacks.outermost(tables, generation, stack)
        if not entry:
            return UNKNOWN
        name = self._stacks.functions[entry - 1].name
        runtime = int(name.startswith(RUNTIME) and not name.startswith(FOR_THE_PROGRAM))
        found = entry, self._stacks.number(tables, generation, creator) if creator else 0, runtime
        if found not in self._kind and len(self._kinds) < MOST_KINDS:
            self._kind[found] = len(self._kinds)
            self._kinds.append(found)
            self._state.counts[KINDS] += 1
        return self._kind.get(found, UNKNOWN)

    def _name_main(self) -> None:
        """The main goroutine is known, even if nothing told where it began."""
        state = self._state
        row = int(state.rows[int(find(state.rows, MAIN)), OWNER])
        if row != EMPTY and not self._kinds[kind := int(state.goroutines["kind"][row])][0]:
            self._kinds[kind] = self._stacks.function("main.main", ""), 0, 0

    def _text_number(self, text: str) -> int:
        if text not in self._text and len(self._texts) < MOST_TEXTS:
            self._text[text] = len(self._texts)
            self._texts.append(text)
        return self._text.get(text, 0)

    def _number(self, kind: int, task: int, region: int) -> int:
        """The number of an owner."""
        entry, creator, runtime = self._kinds[kind]
        owner = Owner(entry, creator, self._texts[task], self._texts[region], runtime)
        if owner not in self._owner:
            self.known.append(owner)
            self._owner[owner] = len(self.known)
        return self._owner[owner]


def _longer(table: NDArray[np.void], rows: int) -> NDArray[np.void]:
    """A table of at least so many rows."""
    return table if rows <= len(table) else longer(table, rows + rows // 8)


def _roomy(table: Array, keys: int) -> Array:
    """A table of `compiled.keyed` with room for so many keys."""
    if _power(keys) <= len(table):
        return table
    new = empty_table(_power(keys))
    move_keys(table, new)
    return new
