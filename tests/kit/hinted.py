"""A small heap whose sweeps a recording tells, event by event."""

from __future__ import annotations

from goalloc_cli.design.releases import release
from goalloc_cli.trace.event import NO_P, NOSCAN, Kind
from tests.kit.kernels import Kernels

BYTES = 1024
SLOTS = 8
"""In a span of objects of BYTES."""
SPC = 65
BACKGROUND, OTHER, PAYER, ALONE = 0, 2, 3, 5
"""Sweepers, as SWEEP_TO names them."""


class Recording:
    """A heap whose sweeps a recording tells; three full spans of P 0, a, b and c, and d, which it has begun."""

    def __init__(self, dead_in_a: int, dead_in_b: int, nprocs: int = 2, cycles: int = 1) -> None:
        self.heap = Kernels(release("1.27"), nprocs)
        self.heap.heap.gc.hinted = 1
        for _ in range(cycles - 1):
            self.apply(Kind.GC_START, 0)
            self.apply(Kind.GC_END, 0)
        self.handles = 100
        self.base = self.alloc(0, 0)
        for handle in range(1, 3 * SLOTS + 1):
            self.alloc(0, handle)
        for handle in [*range(dead_in_a), *range(SLOTS, SLOTS + dead_in_b)]:
            self.apply(Kind.FREE, NO_P, handle)
        self.apply(Kind.GC_START, nprocs - 1)
        self.apply(Kind.GC_END, nprocs - 1)

    def apply(self, kind: Kind, p: int, handle: int = 0, size: int = 0, arg: int = 0) -> int | None:
        return self.heap.apply(kind, p, handle, size, arg)

    def alloc(self, p: int, handle: int) -> int:
        address = self.heap.apply(Kind.ALLOC | NOSCAN, p, handle, BYTES, 0)
        assert address is not None
        return address

    def take_d(self) -> None:
        """P 0 flushes its mcache; P 1 takes d and fills it: nothing that is swept waits any more."""
        self.apply(Kind.MCACHE_FLUSH, 0)
        for handle in range(80, 80 + SLOTS - 1):
            self.alloc(1, handle)

    def span_of_next(self, p: int) -> str:
        """Which of the two spans the next allocation of a P comes from, or "new"."""
        self.handles += 1
        page = (self.alloc(p, self.handles) - self.base) // 8192
        return {0: "a", 1: "b"}.get(page, "new")


    def ready(self) -> list[str]:
        """The swept spans with a free slot, in order."""
        return self.named(self.heap.central(SPC)[0])

    def full(self) -> list[str]:
        """The swept spans without one, in order."""
        return self.named(self.heap.central(SPC)[2])

    def waiting(self) -> list[str]:
        """The spans that wait to be swept, in order."""
        _, partial, _, full = self.heap.central(SPC)
        return self.named(full + partial)

    def named(self, starts: list[int]) -> list[str]:
        """The letters of spans by their addresses."""
        return ["abcd"[(start - self.base) // 8192] for start in starts]


A, B, C = 0, SLOTS, 2 * SLOTS
"""An object of each span; those of a and b are the first that die."""
