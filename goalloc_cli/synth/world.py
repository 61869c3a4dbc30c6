"""The world that a workload writes its events into: handles, random numbers, time and the pace of collections."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner
from goalloc_cli.design.gosizes import HEADER_ABOVE, HEADER_BYTES, LARGEST_SMALL, PAGE, SLOT_OF
from goalloc_cli.trace.event import BATCH as BATCH_EVENTS
from goalloc_cli.trace.event import NO_P as NO_PROC
from goalloc_cli.trace.event import Kind

BATCH = int(BATCH_EVENTS)
STEP = 256
"""Most events that one step of a workload writes."""
ROOM = BATCH + STEP

# Event kinds and flags (trace/event.py, Kind), as kernels see them.
ALLOC, FREE = int(Kind.ALLOC), int(Kind.FREE)
STACK_ALLOC, STACK_FREE = int(Kind.STACK_ALLOC), int(Kind.STACK_FREE)
GC_START, GC_END = int(Kind.GC_START), int(Kind.GC_END)
CHECKPOINT, TIME, WORKS_FOR = int(Kind.CHECKPOINT), int(Kind.TIME), int(Kind.WORKS_FOR)
NOSCAN = 0x40
NO_P = int(NO_PROC)
TINY_SIZE = 16
"""Pointer-free objects below this share blocks."""

HEAP_MINIMUM = 4 << 20
"""The heap goal is never below this, scaled by GOGC (Go: mgcpacer.go, heapMinimum)."""
EVENTS_PER_TIME = 1024
"""Events between two TIME events."""
LEAST_NS, NS_RANGE = 20, 81
"""An event takes 20 to 100 nanoseconds."""
LEAST_MARK, MOST_MARK, OBJECTS_PER_MARK = 16, 4096, 32
"""Events between GC_START and GC_END: one for so many live objects, within these bounds."""
STEPS_PER_P = 64
"""Steps, on average, that a P runs before another takes over."""
NONE = -1

MAX_SHAPES = 256


def table(*columns: Any) -> np.dtype[np.void]:
    """A row type. Refuses columns that a NumPy attribute would hide when kernels run uncompiled."""
    if hidden := [column[0] for column in columns if hasattr(np.recarray, column[0])]:
        raise TypeError(f"column {hidden[0]!r} is an attribute of NumPy arrays; choose another name")
    return np.dtype(list(columns), align=True)


SHAPE = table(
    ("least", "<i8"),
    ("step", "<i8"),
    ("steps", "<i8"),
    ("flag", "<i8"),
    ("type_id", "<i8"),
    ("chance", "<i8"),
    ("other", "<i8"),
)
"""What may be allocated: `least` plus a multiple of `step` bytes, below `steps` of them. `chance` (of 2**32) and `other`
choose among shapes in one draw (Walker's alias method)."""

WORLD = table(
    # Chance.
    ("random", "<u8"),
    ("nshapes", "<i8"),
    ("shapes", SHAPE, (MAX_SHAPES,)),
    # Time, and who runs.
    ("time_ns", "<i8"),
    ("timed", "<i8"),  # events before the last TIME
    ("p", "<i8"),
    ("procs", "<i8"),
    ("owners", "<i8"),  # kinds of goroutines; 0: nobody tells
    # Handles: those given out so far, and the last one freed.
    ("handles", "<i8"),
    ("free_handle", "<i8"),
    # The heap in bytes of slots, and the collector.
    ("live", "<i8"),
    ("live_bytes", "<i8"),
    ("heap_live", "<i8"),
    ("goal", "<i8"),
    ("gogc", "<i8"),
    ("marking", "<i8"),
    ("marked", "<i8"),
    ("mark_ends", "<i8"),
    ("slot_of", "<i8", (len(SLOT_OF),)),
    # Events: those handed on, and those in the columns.
    ("before", "<i8"),
    ("n", "<i8"),
    ("out_kind", "u1", (ROOM,)),
    ("out_p", "<u2", (ROOM,)),
    ("out_id", "<u4", (ROOM,)),
    ("out_size", "<i8", (ROOM,)),
    ("out_arg", "<u4", (ROOM,)),
)


def new_world(name: str, seed: int, procs: int, gogc: int, owners: int = 0) -> np.record:
    """A world without events, objects or shapes."""
    world = record(WORLD)
    world.random = random_start(name, seed)
    world.procs, world.gogc, world.owners = procs, gogc, owners
    world.goal = HEAP_MINIMUM * gogc // 100
    world.free_handle = NONE
    world.slot_of[:] = SLOT_OF
    return world


def record(kind: np.dtype[np.void]) -> np.record:
    """A record of zeros, whose columns are its attributes."""
    made: np.record = np.zeros(1, kind).view(np.recarray)[0]
    return made


def random_start(name: str, seed: int) -> np.uint64:
    """Where the random numbers of a workload start: any seed will do, and none gives 0, where xorshift would stay."""
    digest = hashlib.sha256(f"goalloc synth {name} {seed}".encode()).digest()
    return np.uint64(int.from_bytes(digest[:8], "little") | 1)


def handles(most: int) -> NDArray[np.int64]:
    """What is known of each handle: the slot's bytes while it is in use, then the handle that was freed before it."""
    return np.zeros(most, np.int64)


# Chance.


@inner
def draw(world):
    """The next 32 random bits. (Marsaglia's xorshift64, upper half)"""
    x = world.random
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    world.random = x
    return np.int64(x >> np.uint64(32))


@inner
def below(world, n):
    """A random number from 0 to n - 1; n is below 2**31."""
    return (draw(world) * n) >> 32


@inner
def chosen_shape(world):
    """The number of a random shape, by its weight."""
    at = below(world, world.nshapes)
    return at if draw(world) < world.shapes[at].chance else world.shapes[at].other


# Events.


@inner
def put(world, kind, p, handle, size, arg):
    """Write an event."""
    n = world.n
    world.out_kind[n] = kind
    world.out_p[n] = p
    world.out_id[n] = handle
    world.out_size[n] = size
    world.out_arg[n] = arg
    world.n = n + 1


@inner
def slot_bytes(world, size, flags):
    """Bytes that the heap grows by for a request. (Go: malloc.go; tiny objects share a block, without gaps here)"""
    if flags == NOSCAN and size < TINY_SIZE:
        return size
    header = HEADER_BYTES if flags != NOSCAN and size > HEADER_ABOVE else 0
    if size > LARGEST_SMALL:
        return (size + PAGE - 1) // PAGE * PAGE
    return world.slot_of[(size + header + 7) >> 3]


@inner
def alloc(world, objects, p, size, flags, type_id):
    """An object is allocated by P; return its handle, the one freed last if there is any."""
    handle = world.free_handle
    if handle != NONE:
        world.free_handle = objects[handle]
    else:
        handle = world.handles
        world.handles += 1
    slot = slot_bytes(world, size, flags)
    objects[handle] = slot
    world.live += 1
    world.live_bytes += slot
    world.heap_live += slot
    put(world, ALLOC | flags, p, handle, size, type_id)
    return handle


@inner
def alloc_shape(world, objects, p, shape):
    """An object of the shape of that number is allocated by P; return its handle."""
    row = world.shapes[shape]
    size = row.least + row.step * below(world, row.steps)
    return alloc(world, objects, p, size, row.flag, row.type_id)


@inner
def alloc_any(world, objects, p):
    """An object of a random shape is allocated by P; return its handle."""
    return alloc_shape(world, objects, p, chosen_shape(world))


@inner
def free(world, objects, handle):
    """The object is dead from here on; its handle is the next to be used again."""
    world.live -= 1
    world.live_bytes -= objects[handle]
    objects[handle] = world.free_handle
    world.free_handle = handle
    put(world, FREE, NO_P, handle, 0, 0)


# Between two steps.


@inner
def go_on(world):
    """Between two steps: time passes, a P takes over, a collection starts or ends. Return the P that is to go on."""
    if world.before + world.n - world.timed >= EVENTS_PER_TIME:
        tell_time(world)
    if world.marking:
        if world.before + world.n >= world.mark_ends:
            gc_end(world)
    elif world.heap_live >= world.goal:
        gc_start(world)
    if world.before + world.n == 0:
        for p in range(world.procs):
            work(world, p)
    if below(world, STEPS_PER_P) == 0:
        world.p = below(world, world.procs)
        work(world, world.p)
    return world.p


@inner
def work(world, p):
    """A P works for goroutines of a random kind, if there are any."""
    if world.owners:
        put(world, WORKS_FOR, p, 0, 0, 1 + below(world, world.owners))


@inner
def tell_time(world):
    """Write the time; the events since the last one took 20 to 100 ns each."""
    now = world.before + world.n
    world.time_ns += (now - world.timed) * (LEAST_NS + below(world, NS_RANGE))
    world.timed = now
    put(world, TIME, NO_P, 0, world.time_ns, 0)


@inner
def gc_start(world):
    """The heap has reached its goal: marking starts."""
    tell_time(world)
    put(world, GC_START, world.p, 0, 0, 0)
    world.marking = 1
    world.marked = world.heap_live - world.live_bytes
    world.mark_ends = world.before + world.n + min(MOST_MARK, LEAST_MARK + world.live // OBJECTS_PER_MARK)


@inner
def gc_end(world):
    """Mark termination: what was alive at the start, or was allocated since, is marked; it sets the next goal."""
    tell_time(world)
    put(world, GC_END, world.p, 0, 0, 0)
    world.marking = 0
    world.heap_live -= world.marked
    world.goal = max(world.heap_live + world.heap_live * world.gogc // 100, HEAP_MINIMUM * world.gogc // 100)
