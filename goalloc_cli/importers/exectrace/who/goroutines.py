"""Who allocates: the goroutine that each M runs, the function it began in, what made it, its user task and region.

Goroutines are told by GoCreate, whose two stacks name the function that a goroutine begins in and the place that makes it;
those that were there before, by their state, with the stack they wait at. Of one that ran all the time a stack tells,
by the outermost call. A goroutine is in the region that it began last, and in that region's task; without one, in the task
that it began last, or else in the one that its maker was in; once it has ended its task, in the one it was in before.
(Go: internal/trace/summary.go goes by regions alone.)
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.compiled.keyed import EMPTY, KEY, OWNER, find, remove
from goalloc_cli.importers.exectrace.infer.late import EFFECT, GO_RUNNING, STARTS, STOPS
from goalloc_cli.importers.exectrace.wire.decode import Ev

OBJECT_ALLOC, GC_END, GC_BEGIN, STW_BEGIN = int(Ev.OBJECT_ALLOC), int(Ev.GC_END), int(Ev.GC_BEGIN), int(Ev.STW_BEGIN)
GO_CREATE, GO_CREATE_BLOCKED, GO_CREATE_SYSCALL = int(Ev.GO_CREATE), int(Ev.GO_CREATE_BLOCKED), int(Ev.GO_CREATE_SYSCALL)
GO_DESTROY, GO_DESTROY_SYSCALL = int(Ev.GO_DESTROY), int(Ev.GO_DESTROY_SYSCALL)
GO_SWITCH_DESTROY, GO_STOP, GO_BLOCK = int(Ev.GO_SWITCH_DESTROY), int(Ev.GO_STOP), int(Ev.GO_BLOCK)
TASK_BEGIN, TASK_END = int(Ev.USER_TASK_BEGIN), int(Ev.USER_TASK_END)
REGION_BEGIN, REGION_END = int(Ev.USER_REGION_BEGIN), int(Ev.USER_REGION_END)
GO_SYSCALL = 3
"""State in a GoStatus event, beside GO_RUNNING (tracev2.GoStatus)."""

UNKNOWN, NOBODY = 0, 1
"""Kinds of goroutines: not known; none, the scheduler works."""
NONE, NOT_KNOWN, UNSEEN = -1, -2, -3
"""What an M runs: no goroutine; one that there was no room for; nothing that it has told of. That is no goroutine, too: Go
writes a goroutine's status before its first event (traceevent.go, eventWriter). NONE also ends a list of regions."""
STALE = np.iinfo(np.int32).max
"""In place of whom an M works for, where that is to be found anew."""

MOST_TEXTS = 1 << 20
MOST_KINDS = 1 << 22
UNTOLD = 1 << 10
"""Goroutines that nothing has told of and that run in a generation, as far as they are told apart."""
MOST_ASKED = 1 << 12
"""Stacks that are looked up for that, in a generation."""
ENOUGH = 4
"""Stacks of one goroutine that are looked up."""

GOROUTINE = np.dtype((np.record, [("id", "<i8"), ("task", "<i8"), ("kind", "<i4"), ("region", "<i4")]))
"""A goroutine, or a row that waits for one: then `region` is the next such row. `task` is the id of one, 0 for none."""
REGION = np.dtype((np.record, [("task", "<i8"), ("text", "<i4"), ("outer", "<i4")]))
"""A region under way, within another; or a row that waits for one."""

Array = NDArray[np.int64]


class State(NamedTuple):
    """What the walk keeps."""

    rows: NDArray[np.int64]
    """Table of `compiled.keyed`: the row of each goroutine."""
    goroutines: NDArray[np.void]
    tasks: NDArray[np.int64]
    """Table of `compiled.keyed`: the text of each task under way."""
    outer: NDArray[np.int64]
    """The same: the task, 0 for none, that the goroutine was in which began it."""
    regions: NDArray[np.void]
    whos: NDArray[np.int64]
    """Table of `compiled.keyed`: the number of each (kind, task, region) that allocated."""
    who: NDArray[np.int64]
    """(kind, text of the task, text of the region) by that number; number 0 is not known."""
    running: NDArray[np.int64]
    """Per M: the row of the goroutine that it runs, NONE, NOT_KNOWN, UNSEEN."""
    works_for: NDArray[np.int32]
    """Per M: -1 - whom it works for, or STALE."""
    told: NDArray[np.uint8]
    """Per kind of goroutines: how many stacks have told where they begin; ENOUGH where it is known."""
    asked: NDArray[np.int64]
    """(kind, stack) of goroutines of which nothing else tells where they began."""
    counts: NDArray[np.int64]
    """GOROUTINES, FREE_ROW, ROWS, REGIONS, FREE_REGION, WHOS, ASKED, KINDS, TASKS."""


GOROUTINES, FREE_ROW, ROWS, REGIONS, FREE_REGION, WHOS, ASKED, KINDS, TASKS = range(9)


@inner
def row_of(state, goroutine, kind):
    """The row of a goroutine, which is made if there is none; of a kind of its own, if its kind is not known.

    NOT_KNOWN where there is no room: there are more than the recording told of.
    """
    slot = find(state.rows, goroutine)
    if state.rows[slot, OWNER] != EMPTY:
        row = state.rows[slot, OWNER]
        if kind != UNKNOWN:
            state.goroutines[row].kind = kind
        return row
    counts = state.counts
    if 2 * counts[GOROUTINES] >= len(state.rows) or counts[GOROUTINES] >= len(state.goroutines):
        return np.int64(NOT_KNOWN)
    row = counts[FREE_ROW]
    if row != NONE:
        counts[FREE_ROW] = state.goroutines[row].region
    else:
        row = counts[ROWS]
        counts[ROWS] += 1
    if kind == UNKNOWN and counts[KINDS] < len(state.told):
        kind = counts[KINDS]
        counts[KINDS] += 1
    state.rows[slot, KEY], state.rows[slot, OWNER] = goroutine, row
    made = state.goroutines[row]
    made.id, made.kind, made.task, made.region = goroutine, kind, 0, NONE
    counts[GOROUTINES] += 1
    return row


@inner
def forget(state, row):
    """A goroutine has ended."""
    gone = state.goroutines[row]
    while gone.region != NONE:
        leave_region(state, row)
    remove(state.rows, find(state.rows, gone.id))
    gone.region = state.counts[FREE_ROW]
    state.counts[FREE_ROW] = row
    state.counts[GOROUTINES] -= 1


@inner
def enter_region(state, row, task, text):
    """A goroutine begins a region."""
    counts = state.counts
    at = counts[FREE_REGION]
    if at != NONE:
        counts[FREE_REGION] = state.regions[at].outer
    else:
        at = counts[REGIONS]
        counts[REGIONS] += 1
    region = state.regions[at]
    region.task, region.text, region.outer = task, text, state.goroutines[row].region
    state.goroutines[row].region = at


@inner
def leave_region(state, row):
    """A goroutine ends the region that it began last; that of one that began before the recording changes nothing."""
    at = state.goroutines[row].region
    if at == NONE:
        return
    state.goroutines[row].region = state.regions[at].outer
    state.regions[at].outer = state.counts[FREE_REGION]
    state.counts[FREE_REGION] = at


@inner
def task_of(state, row):
    """The id of the task that a goroutine is in, 0 for none."""
    at = state.goroutines[row].region
    if at != NONE and state.regions[at].task:
        return state.regions[at].task
    return state.goroutines[row].task


@inner
def who_is(state, row):
    """The number of (kind, task, region) of what an M runs."""
    kind, task, region = UNKNOWN, np.int64(0), np.int64(0)
    if row in (NONE, UNSEEN):
        kind = NOBODY
    elif row >= 0:
        kind = state.goroutines[row].kind
        if state.goroutines[row].region != NONE:
            region = np.int64(state.regions[state.goroutines[row].region].text)
        known = find(state.tasks, task_of(state, row))
        if state.tasks[known, OWNER] != EMPTY:
            task = state.tasks[known, OWNER]
    slot = find(state.whos, (np.int64(kind) * MOST_TEXTS + task) * MOST_TEXTS + region)
    if state.whos[slot, OWNER] != EMPTY:
        return state.whos[slot, OWNER]
    number = state.counts[WHOS]
    if number == len(state.who):
        return np.int64(0)
    state.counts[WHOS] += 1
    state.whos[slot, KEY], state.whos[slot, OWNER] = (np.int64(kind) * MOST_TEXTS + task) * MOST_TEXTS + region, number
    state.who[number, 0], state.who[number, 1], state.who[number, 2] = kind, task, region
    return number


@inner
def schedule(state, k, a, b, m):
    """Follow an event that says what an M runs, or makes a goroutine."""
    running = state.running
    before = running[m]
    if k in (GO_CREATE, GO_CREATE_BLOCKED):
        row = row_of(state, a, b)
        if before >= 0 and row >= 0:
            state.goroutines[row].task = task_of(state, before)
        return
    if k in (GO_DESTROY, GO_DESTROY_SYSCALL, GO_SWITCH_DESTROY) and before >= 0:
        forget(state, before)
    if EFFECT[k] == STARTS or k == GO_CREATE_SYSCALL:
        running[m] = row_of(state, a, UNKNOWN)
    elif EFFECT[k] == STOPS:
        running[m] = NONE
    elif b == GO_RUNNING or (b == GO_SYSCALL and before == UNSEEN):
        running[m] = row_of(state, a, UNKNOWN)
    state.works_for[m] = STALE


@inner
def follow_user(state, k, a, b, m):
    """Follow an event of a user task or region."""
    row = state.running[m]
    state.works_for[m] = STALE
    if k == TASK_BEGIN:
        slot = find(state.tasks, a)
        state.counts[TASKS] += state.tasks[slot, OWNER] == EMPTY
        state.tasks[slot, KEY], state.tasks[slot, OWNER] = a, b
        if row >= 0:
            slot = find(state.outer, a)
            state.outer[slot, KEY], state.outer[slot, OWNER] = a, max(state.goroutines[row].task, 0)
            state.goroutines[row].task = a
    elif k == TASK_END:
        slot = find(state.outer, a)
        if state.outer[slot, OWNER] != EMPTY:
            if row >= 0 and state.goroutines[row].task == a:
                state.goroutines[row].task = state.outer[slot, OWNER]
            remove(state.outer, slot)
        slot = find(state.tasks, a)
        if state.tasks[slot, OWNER] != EMPTY:
            remove(state.tasks, slot)
            state.counts[TASKS] -= 1
        for other in range(len(state.works_for)):
            state.works_for[other] = STALE
    elif row >= 0 and k == REGION_BEGIN:
        enter_region(state, row, a, b)
    elif row >= 0:
        leave_region(state, row)


@inner
def ask(state, stack, m):
    """Note the first stacks of a goroutine of a kind of its own: one may be missing in the tables."""
    row, at = state.running[m], state.counts[ASKED]
    if row >= 0 and stack > 0 and at < len(state.asked) and state.told[state.goroutines[row].kind] < ENOUGH:
        state.told[state.goroutines[row].kind] += 1
        state.asked[at, 0], state.asked[at, 1] = state.goroutines[row].kind, stack
        state.counts[ASKED] += 1


SCHEDULES = EFFECT != 0
SCHEDULES[[Ev.GO_CREATE, Ev.GO_CREATE_BLOCKED, Ev.GO_CREATE_SYSCALL]] = True
BRINGS = SCHEDULES & (EFFECT != STARTS) & (EFFECT != STOPS)
"""Events that a goroutine can be told of by first."""
HAS_STACK = np.zeros(256, np.bool_)
"""Events whose `b` is the stack of the goroutine that runs."""
HAS_STACK[[Ev.GO_STOP, Ev.GO_BLOCK, Ev.GC_BEGIN, Ev.STW_BEGIN]] = True


@kernel
def follow(kind, a, b, m, who, begin, state):
    """Write -1 - the number of who allocates to `who` at every alloc from place `begin` on; to `b`, at the end of every
    cycle, how many goroutines there are."""
    works_for = state.works_for
    for q in range(begin, len(kind)):
        k = kind[q]
        if k >= 128:
            if k == OBJECT_ALLOC:
                if works_for[m[q]] == STALE:
                    works_for[m[q]] = -1 - who_is(state, state.running[m[q]])
                who[q] = works_for[m[q]]
            continue
        if HAS_STACK[k]:
            ask(state, b[q], m[q])
        if SCHEDULES[k]:
            schedule(state, k, a[q], b[q], m[q])
        elif TASK_BEGIN <= k <= REGION_END:
            follow_user(state, k, a[q], b[q], m[q])
        elif k == GC_END:
            b[q] = state.counts[GOROUTINES]


@kernel
def enter(ids, kinds, state):
    """Enter goroutines with their kinds, as far as they are not known already."""
    for i in range(len(ids)):
        slot = find(state.rows, ids[i])
        if state.rows[slot, OWNER] == EMPTY:
            row_of(state, ids[i], kinds[i])
