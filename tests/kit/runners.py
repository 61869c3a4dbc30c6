"""Both allocators behind one door, so that a test can be run on each.

A runner has `run(text, design)`; what it returns has the addresses by name and, as `heap`, the readable state
that `tests.twin.Naive` has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from goalloc_cli.design.allocator import Design
from goalloc_cli.trace.event import Kind
from tests.kit.kernels import Kernels
from tests.kit.story import Story, story
from tests.twin import Naive

HEAP_BASE = Design().heap_base
"""The first byte of the heap."""


@dataclass
class Result:
    """What a story came to."""

    heap: Any
    """Spans, caches and counters at the end, with the names of `Naive`."""
    told: Story
    addr: dict[str, int] = field(default_factory=dict)
    """Where each object and stack was put."""

    def page(self, name: str) -> int:
        """The page that `name` starts in, counted from the heap's base."""
        return (self.addr[name] - HEAP_BASE) // 8192

    def span_start(self, name: str) -> int:
        """The first byte of the span that `name` is in."""
        return max(row[0] for row in self.heap.spans() if row[0] <= self.addr[name])


class Runner:
    """Runs stories on one of the two."""

    def __init__(self, name: str, implementation: type) -> None:
        self.name = name
        self.implementation = implementation

    def run(self, text: str, design: Design) -> Result:
        """The result of the events of `text`."""
        told = story(text)
        nprocs = 1 + max((event[1] for event in told.events), default=0)
        heap = self.implementation(design, nprocs)
        result = Result(heap, told)
        names = {
            False: {handle: name for name, handle in told.objects.items()},
            True: {handle: name for name, handle in told.stacks.items()},
        }
        for kind, p, handle, size, arg in told.events:
            addr = heap.apply(kind, p, handle, size, arg)
            if addr is not None:
                result.addr[names[kind == Kind.STACK_ALLOC][handle]] = addr
        return result


IMPLEMENTATIONS = [Runner("naive", Naive), Runner("kernels", Kernels)]
"""Every allocator that the examples are run on."""
