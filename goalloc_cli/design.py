"""The knobs of the allocator, each with its default and its reason, and the releases of Go as presets of them.

A `Design` is the only list of knobs: the compiled kernels get a record made from its fields, and `--set KNOB=VALUE`
reaches every one. No code asks which release it is; it asks for a behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Design:
    """How one allocator works. The defaults are Go 1.27 on linux/amd64."""

    # Size classes (Go: internal/runtime/gc/mksizeclasses.go; allocator.md 1.3).
    page_size: int = 8192
    """Bytes in a page of the heap, a power of two."""
    max_small_size: int = 32768
    """The largest size class."""
    align_16_from: int = 32
    """From this size on, classes are multiples of 16; 16 until Go 1.15, which therefore had no class of 24 bytes."""
    waste_limit: int = 8
    """A span may waste one part in this many at its tail."""

    # Small objects.
    malloc_header: int = 1
    """Pointerful small objects above `header_above` carry 8 bytes that name their type (Go 1.22+)."""
    header_above: int = 512
    """Size up to which the pointer bitmap of a span sits in the span itself (8 bytes x 8 x 8)."""
    inline_mark_bytes: int = 128
    """Bytes at the end of one-page spans of 16 to 512 byte slots for Green Tea's mark bits (Go 1.26+; 0 before)."""
    tiny_size: int = 16
    """Pointer-free objects below this share a block of it; 0 turns the tiny allocator off."""

    # mcentral.
    span_budget: int = 100
    """Full spans swept by one refill, less one, before it takes new memory: at most 1 % waste (mcentral.go, cacheSpan)."""

    # Pages.
    page_cache: int = 1
    """Each P keeps a block of 64 pages to itself (Go 1.14+)."""
    page_cache_limit: int = 16
    """Requests of this many pages and more bypass the page cache: a quarter of its 64 pages (mheap.go, allocSpan)."""
    idle_page_cache_flush: int = 1
    """The page cache of a P that is idle at the end of a cycle is given back (Go 1.21+)."""
    growth_pages: int = 512
    """The heap grows by multiples of this many pages: the page allocator's chunk, 4 MiB."""
    arena_pages: int = 8192
    """Address space is reserved by multiples of this many pages: 64 MiB."""
    heap_base: int = 0xC000000000
    """Address of the first arena, where the trace does not tell."""
    heap_padding_pages: int = 0
    """Pages at the start of the heap that are never used; Go 1.26+ draws 0 to 511 at random."""

    # Sweeping.
    background_batch: int = 10
    """Spans that the background sweeper sweeps in one turn before it yields (Go 1.20+; 1 before)."""
    background_turns: int = 1
    """Turns of the background sweeper between mark termination and the program's next step."""
    reclaim_chunk_pages: int = 512
    """The page reclaimer walks the heap in windows of this many pages (mheap.go, reclaim)."""

    # Pacing.
    gogc: int = 100
    """GOGC in percent; -1 is off. Without hints it sets how eagerly allocation sweeps; the recording sets when GC runs."""
    heap_minimum: int = 4 << 20
    """The heap goal is never below this, scaled by GOGC (mgcpacer.go, heapMinimum)."""
    globals_scan_bytes: int = 160 << 10
    """Pointer-bearing globals counted into the heap goal (Go 1.18+); a typical value of small programs."""
    gc_workbuf_spans: int = 1
    """Spans of 32 KiB that each mark phase takes for its work buffers, where the recording does not tell."""

    # Goroutine stacks.
    stack_min: int = 2048
    """The smallest stack (stack.go, stackMin)."""
    stack_span_bytes: int = 32768
    """Stacks below this are cut from spans of this size (stack.go, _StackCacheSize)."""
    stack_cache_bytes: int = 32768
    """A P's cache of free stacks of one size gives half of this back when it reaches it."""


GO_1_27 = Design()
GO_1_26 = replace(GO_1_27)
GO_1_25 = replace(GO_1_26, inline_mark_bytes=0)
GO_1_24 = replace(GO_1_25)
GO_1_23 = replace(GO_1_24)
GO_1_22 = replace(GO_1_23)

RELEASES: dict[str, Design] = {
    "1.22": GO_1_22,
    "1.23": GO_1_23,
    "1.24": GO_1_24,
    "1.25": GO_1_25,
    "1.26": GO_1_26,
    "1.27": GO_1_27,
}
"""Every release that is modelled, oldest first."""


class DesignError(ValueError):
    """A knob or release that does not exist, or a value that no allocator can have."""


def release(version: str) -> Design:
    """The design of Go `version` ("1.27", "go1.26.6").

    Raises:
        DesignError: the release is not modelled; the message lists those that are.
    """
    wanted = ".".join(version.removeprefix("go").split(".")[:2])
    if wanted not in RELEASES:
        raise DesignError(f"Go {version} is not modelled; there are {', '.join(RELEASES)}")
    return RELEASES[wanted]


def with_knob(design: Design, name: str, value: str) -> Design:
    """`design` with the knob `name` set to `value`, as `--set NAME=VALUE` gives it.

    Raises:
        DesignError: no such knob, or the value is not a whole number; the message lists the knobs.
    """
    knobs = [f.name for f in fields(Design)]
    if name not in knobs:
        raise DesignError(f"there is no knob {name!r}; there are {', '.join(knobs)}")
    try:
        number = int(value, 0)
    except ValueError:
        raise DesignError(f"knob {name}: {value!r} is not a whole number") from None
    return replace(design, **{name: number})
