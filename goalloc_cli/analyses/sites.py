"""Which lines of a program allocate, as far as a trace has stacks: what each stack allocated, summed up by site."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np

from goalloc_cli.results.description import Site
from goalloc_cli.trace.event import KIND_MASK, Batch, Call, Function, Kind

OF_RUNTIME = ("runtime.", "internal/runtime/")
"""How functions begin that allocate for others: a site is the innermost call of none of them."""

MALLOC = "runtime.mallocgc"
"""Under it the runtime works for itself: an allocation may start a cycle, and that goroutines."""


class CallTree:
    """Functions and call stacks, and which call of a stack is the program's."""

    def __init__(self, functions: list[Function] | None = None, calls: list[Call] | None = None) -> None:
        self.functions = functions or [Function("", "")]
        self.calls = calls or [Call(0, 0, 0)]
        self.folders: set[PurePath] = set()
        """Where the runtime's files are: some functions there have names of other packages (internal/bytealg.MakeNoZero)."""

    def site_of(self, stack: int) -> int:
        """The innermost call outside of the runtime; where the runtime allocates for itself, the outermost of these."""
        at = stack
        while self.is_of_runtime(at) and self.calls[at].caller:
            caller = self.calls[at].caller
            if self.name(caller).startswith(MALLOC):
                return at
            at = caller
        return at

    def is_of_runtime(self, call: int) -> bool:
        """Whether the runtime made this call."""
        function = self.functions[self.calls[call].function]
        return function.name.startswith(OF_RUNTIME) or PurePath(function.file).parent in self.folders

    def name(self, call: int) -> str:
        """The function of a call."""
        return self.functions[self.calls[call].function].name


class SiteCounter(CallTree):
    """What each stack allocated, batch by batch."""

    def __init__(self) -> None:
        super().__init__()
        self.allocs = np.zeros(1, np.int64)
        self.alloc_bytes = np.zeros(1, np.int64)

    def add(self, batch: Batch) -> None:
        """Count a batch; one without stacks is of stack 0."""
        self.functions += batch.new_functions
        self.folders |= {PurePath(new.file).parent for new in batch.new_functions if new.name.startswith(OF_RUNTIME)}
        self.calls += batch.new_calls
        if batch.stack is None:
            return
        grown = len(self.calls) - len(self.allocs)
        self.allocs = np.concatenate([self.allocs, np.zeros(grown, np.int64)])
        self.alloc_bytes = np.concatenate([self.alloc_bytes, np.zeros(grown, np.int64)])
        kind = batch.kind & np.uint8(KIND_MASK)
        at = np.flatnonzero((kind == Kind.ALLOC) | (kind == Kind.TINY))
        stack = batch.stack[at]
        self.allocs += np.bincount(stack, minlength=len(self.calls))
        # Exact up to 2 ** 53 bytes.
        self.alloc_bytes += np.bincount(stack, weights=batch.size[at], minlength=len(self.calls)).astype(np.int64)

    def sites(self) -> list[Site]:
        """Every site, most bytes first."""
        counts: dict[tuple[int, int], list[int]] = {}
        for stack in np.flatnonzero(self.allocs).tolist():
            call = self.calls[self.site_of(stack)]
            found = counts.setdefault((call.function, call.line), [0, 0])
            found[0] += int(self.allocs[stack])
            found[1] += int(self.alloc_bytes[stack])
        rows = [
            Site(self.functions[function].name, self.functions[function].file, line, *found)
            for (function, line), found in counts.items()
            if function
        ]
        return sorted(rows, key=lambda site: (-site.alloc_bytes, site.function, site.line))
