"""The state of the naive allocator, and spans: how they are made from pages and go back to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.choices import Pages
from tests.twin import lists
from tests.twin.pages import PageHeap
from tests.twin.releasing import Sleep
from tests.twin.runs import RunHeap
from tests.twin.sizeclasses import class_of, size_classes, slots_per_span


@dataclass(eq=False)
class Span:
    """A run of pages with equal slots (mheap.go, mspan)."""

    first_page: int
    npages: int
    spc: int
    elem_bytes: int
    nelems: int
    sweepgen: int
    addr: int
    free_index: int = 0
    alloc_count: int = 0
    alloc_bits: set[int] = field(default_factory=set)
    """Slots that were live at the last sweep."""
    marks: set[int] = field(default_factory=set)
    """Slots that survive the cycle that is marking, or the one whose sweep has not come to this span."""
    page_mark: bool = False
    """Whether the page reclaimer takes this span for one with live objects."""
    live: dict[int, int] = field(default_factory=dict)
    """Handles that live in a slot; more than one in a tiny block."""
    in_use: bool = True
    taken_before: int = 0
    """Slots that were in use when a P cached it."""

    def next_free(self) -> int | None:
        """The slot that the next allocation takes (mbitmap.go, nextFreeIndex)."""
        for slot in range(self.free_index, self.nelems):
            if slot not in self.alloc_bits:
                return slot
        return None

    def is_full(self) -> bool:
        """Whether every slot is in use."""
        return self.alloc_count == self.nelems


@dataclass
class MCache:
    """What a P holds: a span of each class, a tiny block, stacks."""

    alloc: dict[int, Span] = field(default_factory=dict)
    tiny: tuple[Span, int] | None = None
    tiny_offset: int = 0
    flush_gen: int = 0
    stacks: dict[int, list[int]] = field(default_factory=dict)
    """Free stacks by order, the last is the next to be taken."""


@dataclass
class MCentral:
    """Spans of one class that no P holds, as queues; the index sweepgen // 2 % 2 gives the swept one.

    Of the lists, which older releases have instead, `empty` also holds spans that a P has.
    """

    partial: tuple[list[Span], list[Span]] = field(default_factory=lambda: ([], []))
    full: tuple[list[Span], list[Span]] = field(default_factory=lambda: ([], []))
    nonempty: list[Span] = field(default_factory=list)
    empty: list[Span] = field(default_factory=list)


@dataclass
class StackSpan:
    """A manual span of goroutine stacks."""

    addr: int
    npages: int
    order: int
    """-1 for a stack that has the span to itself."""
    free: list[int] = field(default_factory=list)
    """Addresses of free pieces, the last is the next to be taken."""
    used: int = 0


class Heap:
    """Everything that mheap_, sweep, gcController and the Ps hold together."""

    def __init__(self, design: Design, nprocs: int) -> None:
        self.design = design
        self.nprocs = nprocs
        self.classes = size_classes(design)
        self.pages = PageHeap(design, nprocs) if design.pages == Pages.BITMAP else RunHeap(design, nprocs)
        self.spans: list[Span] = []
        self.objects: dict[int, tuple[Span, int] | None] = {}
        self.mcaches = [MCache() for _ in range(nprocs)]
        self.central = {spc: MCentral() for spc in range(2 * len(self.classes))}
        self.piles: tuple[list[Span], list[Span]] = ([], [])
        """Every heap span by the parity of its sweep, the one on top last; only where mcentrals have lists."""
        self.busy: dict[int, list[Span]] = {}
        """Large spans by length, where the reclaimer wants them so."""
        self.tiny_spc = 2 * class_of(self.classes, design.tiny_size) + 1 if design.tiny_size else -1

        self.sweepgen = 0
        self.marking = False
        self.drained = True  # Go: no sweep in the first cycle (mgc.go, gcinit)
        self.cursor = 0
        self.reclaim_index = 0
        self.reclaim_end = 0
        self.reclaim_credit = 0
        self.pages_in_use = 0
        self.pages_swept = 0
        self.pages_per_byte = 0.0
        self.live_basis = 0
        self.swept_basis = 0

        self.gogc = design.gogc
        self.heap_marked = 0
        self.last_marked = 0
        self.trigger_ratio = 7 / 8
        self.last_goal = 0
        self.scan_work = 0
        self.cons_mark = 0.0
        self.cons_mark_integral = 0.0
        self.pointer_bytes = 0
        """Bytes of live objects with pointers, as they were asked for."""
        self.sizes: dict[int, int] = {}
        """What each of those asked for."""
        self.last_inuse = 0
        self.sleep = Sleep()
        self.heap_live = 0
        self.goal = 0
        self.percent_goal = 0
        """By GOGC alone, with what unfinished sweeping demands and without."""
        self.percent_goal_swept = 0
        self.percent_trigger = 0
        self.limited = False
        """Whether the memory limit sets the goal."""
        self.shares: tuple[float, float, int, float, int] | None = None
        """Where the heap starts and ends cycles by itself: how far from what is marked to the goal; and how many bytes
        marking takes at least."""
        self.due = False
        self.asked_for = False
        self.end_at = self.ends_from = 0
        self.ended_at = 0
        """When the last cycle ended."""
        self.has_ended = False
        self.cycles: list[tuple[int, int]] = []
        """heapLive at the start and at the end of each cycle that the heap started."""
        self.trigger = 0
        self.workbuf_spans: list[int] = []

        self.heap_inuse = 0
        self.heap_alloc = 0
        self.mallocs = 0
        self.frees = 0
        self.tiny_allocs = 0
        self.stack_inuse = 0
        self.workbufs = 0

        self.stack_spans: dict[int, StackSpan] = {}
        self.stack_pool: dict[int, list[StackSpan]] = {}
        self.stack_parked: dict[int, list[StackSpan]] = {}
        self.stacks: dict[int, tuple[int, int]] = {}

    def swept_side(self) -> int:
        """Which queue of a pair holds swept spans."""
        return self.sweepgen // 2 % 2

    def unswept_side(self) -> int:
        """Which queue of a pair holds spans to be swept."""
        return 1 - self.swept_side()

    def push_swept(self, s: Span) -> None:
        """File a swept span under its class."""
        if lists.has_lists(self):
            return
        central = self.central[s.spc]
        queues = central.full if s.is_full() else central.partial
        queue = queues[self.swept_side()]
        queue.insert(0 if self.design.lifo_sets else len(queue), s)

    def needs_sweep(self, s: Span) -> bool:
        """Whether `s` may be swept by whoever finds it (mgcsweep.go, tryAcquire)."""
        return s.in_use and s.sweepgen == self.sweepgen - 2

    def new_span(self, p: int, npages: int, spc: int) -> Span:
        """A span of free slots; the caller has paid for it by sweeping (mheap.go, allocSpan, initSpan)."""
        page_size = self.design.page_size
        first = self.pages.alloc(p, npages)
        elem_bytes = self.classes[spc // 2][0]
        if spc // 2 == 0:
            elem_bytes, nelems = npages * page_size, 1
        else:
            nelems = slots_per_span(self.design, elem_bytes, npages, noscan=spc % 2 == 1)
        s = Span(first, npages, spc, elem_bytes, nelems, self.sweepgen, first * page_size)
        self.spans.append(s)
        self.heap_inuse += npages * page_size
        self.pages_in_use += npages
        self.pages.heap_inuse = self.heap_inuse
        if lists.has_lists(self):
            lists.add_new(self, s)
        return s

    def free_span(self, s: Span) -> None:
        """Give the pages of a span without live objects back."""
        if s.alloc_count != 0 or s.sweepgen != self.sweepgen:
            raise AssertionError(f"span {s.addr:#x} is freed with {s.alloc_count} objects")
        s.in_use = False
        self.spans.remove(s)
        self.pages.free(s.first_page, s.npages)
        self.heap_inuse -= s.npages * self.design.page_size
        self.pages_in_use -= s.npages
        self.pages.heap_inuse = self.heap_inuse
