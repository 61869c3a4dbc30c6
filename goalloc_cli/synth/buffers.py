"""buffers: large buffers, each with a small owner, replaced at random."""

# mypy: allow-untyped-defs

from __future__ import annotations

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.synth.mix import Shape, struct
from goalloc_cli.synth.plan import Plan, empty_slots
from goalloc_cli.synth.world import BATCH, NONE, alloc_any, alloc_shape, below, free, go_on

OWNER = 0
"""Number of the owner's shape; the buffers are drawn from those behind it."""
LEAST_KIB = 32
POINTERS_EACH = 4
"""One buffer in so many holds pointers."""


def plan(buffers: int, largest_kib: int) -> Plan:
    mix = (struct("main.Buffer", 56, 0), *shapes(largest_kib))
    return Plan(replace_buffers, mix, 2 * buffers, (empty_slots(buffers, 2),))


def shapes(largest_kib: int) -> tuple[Shape, ...]:
    """Each doubling of the size as often as the others."""
    found = []
    least = LEAST_KIB
    while least < largest_kib:
        most = min(2 * least, largest_kib)
        found.append(Shape("uint8", (least << 10) + 1, most << 10, 1, pointers=False, weight=POINTERS_EACH - 1))
        found.append(Shape("*main.Frame", (least << 10) + 8, most << 10, 8))
        least *= 2
    return tuple(found)


@kernel
def replace_buffers(world, objects, held):
    """Write a batch of events. `held`: (n, 2) i8, owner and buffer, or NONE."""
    while world.n < BATCH:
        p = go_on(world)
        at = below(world, len(held))
        if held[at, 0] != NONE:
            free(world, objects, held[at, 0])
            free(world, objects, held[at, 1])
        held[at, 0] = alloc_shape(world, objects, p, OWNER)
        held[at, 1] = alloc_any(world, objects, p)
