"""phases: fill the heap, free most of it, fill it with another size: survivors hold their spans."""

# mypy: allow-untyped-defs

from __future__ import annotations

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.synth.mix import struct
from goalloc_cli.synth.plan import Plan, empty_slots
from goalloc_cli.synth.world import BATCH, CHECKPOINT, NONE, alloc_shape, below, free, go_on, put, record, table

SHAPES = (
    struct("main.Point", 32, pointers=False),
    struct("main.Item", 96),
    struct("main.Page", 512, pointers=False),
    struct("main.Record", 240),
    struct("main.Header", 1024, pointers=False),
    struct("main.Node", 48),
)
"""What the phases are filled with, one after another, then from the first on."""
FILL, FREE_MOST, DROP = 0, 1, 2
"""What is going on: objects are allocated, most of them freed, the survivors of an old phase dropped."""

PHASE = table(("number", "<i8"), ("doing", "<i8"), ("at", "<i8"))
"""The phase, what it is doing, and how many objects it has done that to."""


def plan(objects: int, freed: int, kept: int) -> Plan:
    names = [
        told for shape in SHAPES for told in (f"filled with {shape.type_name}", f"{freed} % of {shape.type_name} freed")
    ]
    state = (record(PHASE), empty_slots(kept, objects), freed)
    return Plan(phases, SHAPES, objects * kept, state, tuple(names))


@kernel
def phases(world, objects, phase, held, freed):
    """Write a batch of events. `held`: (kept, n) i8, the objects of the last phases, or NONE; `freed`: percent."""
    while world.n < BATCH:
        p = go_on(world)
        mine = held[phase.number % len(held)]
        if phase.at == len(mine):
            turn(world, phase)
            continue
        handle = mine[phase.at]
        if phase.doing == FILL:
            mine[phase.at] = alloc_shape(world, objects, p, phase.number % world.nshapes)
        elif handle != NONE and (phase.doing == DROP or below(world, 100) < freed):
            free(world, objects, handle)
            mine[phase.at] = NONE
        phase.at += 1


@inner
def turn(world, phase):
    """What the phase was doing is done; it does the next thing, or the next phase begins by making room."""
    name = 1 + 2 * (phase.number % world.nshapes)
    phase.at = 0
    if phase.doing == FILL:
        put(world, CHECKPOINT, world.p, 0, 0, name)
        phase.doing = FREE_MOST
    elif phase.doing == FREE_MOST:
        put(world, CHECKPOINT, world.p, 0, 0, name + 1)
        phase.number += 1
        phase.doing = DROP
    else:
        phase.doing = FILL
