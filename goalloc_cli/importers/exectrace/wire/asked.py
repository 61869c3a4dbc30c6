"""What a mended runtime says of each allocation: the size asked for, and the call stack.

A message stands before the event of an allocation (`recording/mend.py`, `described`): its task is the size, its key begins
with "goalloc", its value is empty. Both are of one M, so nothing stands between them. What it says travels with the
allocation in the column `b`, above the type:

| bits     | hold |
|----------|------|
| 0 to 23  | the type |
| 24       | 1: a message stood before it |
| 25 to 40 | the size modulo 65,536: an object of a span of its own is less than a page smaller than that |
| 41 to 62 | the stack |
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.importers.common.calls import CallTable
from goalloc_cli.importers.exectrace.wire.tables import Tables

TYPE_BITS, SIZE_BITS, STACK_BITS = 24, 16, 22
SIZE_AT = TYPE_BITS + 1
STACK_AT = SIZE_AT + SIZE_BITS
TYPE_MASK, SIZE_MASK, STACK_MASK = (1 << TYPE_BITS) - 1, (1 << SIZE_BITS) - 1, (1 << STACK_BITS) - 1
TOLD = 1 << TYPE_BITS
KEY = b"goalloc "
"""How the key of such a message begins; the release follows."""
HIDDEN = ("runtime.traceLocker.", "runtime.postMallocgcDebug", "runtime.mallocgc")
"""Calls at the top of a stack that say nothing of the program."""
RUNTIME_MAIN = "runtime.main"
"""What calls main.main, and is on the stacks of a full recording only."""
OBJECT_ALLOC = 132
PAGE = 8192


def all_instances(name: str) -> str:
    """A generic function whatever its types, as a recording that is not full has it (symtab.go, funcNameForPrint)."""
    before, bracket, behind = name.partition("[")
    return f"{before}[...]{behind.rpartition(']')[2]}" if bracket and "]" in behind else name


@inner
def asked(size, stack):
    """What the column `b` holds above the type for a message; a stack beyond all numbers is not known."""
    return TOLD | (size & SIZE_MASK) << SIZE_AT | (stack if 0 <= stack <= STACK_MASK else 0) << STACK_AT


@inner
def asked_size(b, spc, npages):
    """The size asked for, of an object in a slot of span class `spc` or, where that is 0 or 1, in `npages` of its own."""
    size = b >> SIZE_AT & SIZE_MASK
    return size if spc > 1 else npages * PAGE - ((npages * PAGE - size) & SIZE_MASK)


@kernel
def mark_stacks(kind, b, used):
    """Mark the stacks that the allocations of a generation have; return their number."""
    count = 0
    for i in range(len(kind)):
        if kind[i] == OBJECT_ALLOC and b[i] >> STACK_AT:
            count += not used[b[i] >> STACK_AT]
            used[b[i] >> STACK_AT] = True
    return count


@kernel
def map_stacks(kind, b, number):
    """Replace the ids of stacks by their numbers in the trace."""
    below = (np.int64(1) << STACK_AT) - 1
    for i in range(len(kind)):
        if kind[i] == OBJECT_ALLOC and b[i] >> STACK_AT:
            b[i] = (b[i] & below) | number[b[i] >> STACK_AT] << STACK_AT


class Stacks(CallTable):
    """All stacks of a recording."""

    def __init__(self) -> None:
        super().__init__()
        self._by_pcs: dict[bytes, int] = {}
        self._used = np.zeros(0, np.bool_)
        self.are_told = False
        """Whether allocations have stacks."""

    @property
    def known(self) -> tuple[int, int]:
        """How many functions and calls there are so far."""
        return len(self.functions), len(self.calls)

    def translate(self, kind: NDArray[np.uint8], b: NDArray[np.int64], tables: Tables, generation: int) -> None:
        """Make the ids of a generation's stacks numbers."""
        if not len(self._used):
            self._used = np.zeros(STACK_MASK + 1, np.bool_)
        if not mark_stacks(kind, b, self._used):
            return
        self.are_told = True
        used = np.flatnonzero(self._used)
        number = np.zeros(int(used[-1]) + 1, np.int64)
        for stack in used.tolist():
            number[stack] = self.number(tables, generation, stack)
        self._used[used] = False
        map_stacks(kind, b, number)

    def outermost(self, tables: Tables, generation: int, stack: int) -> int:
        """The number of the function that a stack begins with; 0: there is no such stack."""
        text = partial(tables.string, generation)
        frames = [(text(name), text(file)) for _pc, name, file, _line in tables.frames(generation, stack)[-2:].tolist()]
        if not frames:
            return 0
        name, file = frames[0] if frames[-1][0] == RUNTIME_MAIN else frames[-1]
        return self.function(all_instances(name), file)

    def number(self, tables: Tables, generation: int, stack: int) -> int:
        """The number of a stack. A process has one stack for the same PCs."""
        frames = tables.frames(generation, stack)
        pcs = frames[:, 0].tobytes()
        known = self._by_pcs.get(pcs)
        if known is None:
            known = self._by_pcs[pcs] = self._entered(tables, generation, frames.tolist())
        return known

    def _entered(self, tables: Tables, generation: int, frames: list[list[int]]) -> int:
        """The number of a stack of frames (PC, function, file, line), innermost first."""
        text = partial(tables.string, generation)
        named = [(text(name), text(file), line) for _pc, name, file, line in frames]
        while named and named[0][0].startswith(HIDDEN):
            del named[0]
        number = self.stack(named)
        return number if number <= STACK_MASK else 0
