"""What a program asked for, as far as a slot and a type tell.

A recording names the slot and the type, for a slice or array the type of the element; never the size asked for. If the
type alone needs exactly this slot, one value of it was asked for. Otherwise only a bound is known: the largest request
that gets this slot.

Go: runtime/malloc.go, mallocgc (which request gets which slot), runtime/mbitmap.go (malloc headers).
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from goalloc_cli.compiled.jit import kernel
from goalloc_cli.design.gosizes import HEADER_ABOVE, HEADER_BYTES, LARGEST_SMALL, PAGE, TINY_BYTES, TINY_SPC
from goalloc_cli.trace.event import BOUND


@kernel
def request(spc, slot_bytes, npages, type_bytes, slot_of):
    """The size asked for, and the flag BOUND where it is only the largest that it can have been.

    Args:
        spc: span class.
        slot_bytes: size of the slot; of the whole span for a large object.
        npages: pages of the span.
        type_bytes: size of the type, 0 where it is not known.
    """
    if spc == TINY_SPC:
        return TINY_BYTES, 0 if type_bytes == TINY_BYTES else BOUND
    scan = spc & 1 == 0
    if spc <= 1:
        if type_bytes > LARGEST_SMALL and (type_bytes + PAGE - 1) // PAGE == npages:
            return type_bytes, 0
        return npages * PAGE, BOUND
    header = HEADER_BYTES if scan and slot_bytes > HEADER_ABOVE else 0
    if 0 < type_bytes <= LARGEST_SMALL:
        own = HEADER_BYTES if scan and type_bytes > HEADER_ABOVE else 0
        if own == header and slot_of[(type_bytes + own + 7) // 8] == slot_bytes:
            return type_bytes, 0
    return min(slot_bytes - header, LARGEST_SMALL), BOUND
