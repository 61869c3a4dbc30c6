"""steady: a fixed number of live objects, one of them at random replaced each step."""

# mypy: allow-untyped-defs

from __future__ import annotations

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.synth.mix import OBJECTS, Shape
from goalloc_cli.synth.plan import Plan, empty_slots
from goalloc_cli.synth.world import BATCH, NONE, alloc_any, below, free, go_on


def plan(live: int, mix: tuple[Shape, ...] = OBJECTS) -> Plan:
    return Plan(steady, mix, live, (empty_slots(live),))


@kernel
def steady(world, objects, held):
    """Write a batch of events. `held`: i8 handles, or NONE."""
    while world.n < BATCH:
        p = go_on(world)
        at = world.handles
        if at == len(held):
            at = below(world, len(held))
        if held[at] != NONE:
            free(world, objects, held[at])
        held[at] = alloc_any(world, objects, p)
