"""generational: most objects die young; a few survive, and live for many collections."""

# mypy: allow-untyped-defs

from __future__ import annotations

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.synth.mix import OBJECTS, Shape
from goalloc_cli.synth.plan import Plan, empty_slots
from goalloc_cli.synth.world import BATCH, NONE, alloc_any, below, free, go_on, record, table

GENERATIONS = table(("survivors", "<i8"), ("old", "<i8"))
"""Percent of the young that grow old; how many old objects there are."""


def plan(live: int, young: int, survivors: int, mix: tuple[Shape, ...] = OBJECTS) -> Plan:
    nursery = max(live * young // 100, 1)
    old = max(live - nursery, 1)
    generations = record(GENERATIONS)
    generations.survivors = survivors
    return Plan(generational, mix, nursery + old + 1, (generations, empty_slots(nursery), empty_slots(old)))


@kernel
def generational(world, objects, generations, young, old):
    """Write a batch of events. `generations`: GENERATIONS record; `young`, `old`: i8 handles, or NONE."""
    while world.n < BATCH:
        p = go_on(world)
        at = below(world, len(young))
        leaves = young[at]
        if leaves == NONE:
            pass
        elif generations.old < len(old):  # the program starts: what it will work on all survives
            old[generations.old] = leaves
            generations.old += 1
        elif below(world, 100) < generations.survivors:
            replace_old(world, objects, old, leaves)
        else:
            free(world, objects, leaves)
        young[at] = alloc_any(world, objects, p)


@inner
def replace_old(world, objects, old, handle):
    """A young object takes the place of an old one, which dies."""
    at = below(world, len(old))
    free(world, objects, old[at])
    old[at] = handle
