"""The compiled model with the readable names of `tests.twin.Naive`, so that the two can be held against each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.choices import Central
from goalloc_cli.model.books.series import new_series
from goalloc_cli.model.loop import begin, replay_batch, sample_heap
from goalloc_cli.model.tables.columns import Columns, Handles
from goalloc_cli.model.tables.faults import FAULTS
from goalloc_cli.model.tables.heap import FULL, NO_SPAN, NONE, OBJECT, PARTIAL, SPAN_IN_USE
from goalloc_cli.model.tables.newheap import new_heap
from goalloc_cli.results.outcome import SAMPLE
from goalloc_cli.trace.event import KIND_MASK, NO_P, NOSCAN, Kind
from goalloc_cli.trace.trace import Header

DTYPES = (np.uint8, np.uint16, np.uint32, np.int64, np.uint32)
HANDLES = 1 << 16
NO_SERIES = new_series()


class Kernels:
    """One heap and its Ps, driven one event at a time."""

    def __init__(self, design: Design, nprocs: int, shares: tuple[float, float, int, float, int] | None = None) -> None:
        """With `shares` the heap starts and ends cycles by itself: so far from what is marked to the goal,
        and marking takes so many bytes, lasts until so many times the goal, and so many nanoseconds."""
        self.heap = new_heap(design, nprocs)
        if shares is not None:
            self.heap.paced.on = 1
            paced = self.heap.paced
            paced.trigger_share, paced.end_share, paced.end_bytes, paced.end_goals, paced.end_ns = shares
        begin(self.heap)
        self.objects = np.zeros(HANDLES, OBJECT)
        self.stacks = np.zeros((HANDLES, 2), np.int64)
        self.manual_spans = np.zeros(HANDLES, np.int64)
        self.cursor = np.zeros(1, np.int64)

    @classmethod
    def of(cls, design: Design, header: Header) -> Kernels:
        """The heap in which a replay of a recording begins."""
        kernels = cls(design, header.gomaxprocs)
        kernels.heap = new_heap(design, header.gomaxprocs, header.heap_base)
        kernels.heap.gc.placed, kernels.heap.gc.hinted = 1, int(header.hints)
        begin(kernels.heap)
        return kernels

    def apply(self, kind: int, p: int, id: int, size: int, arg: int) -> int | None:
        """Do one event; return the address that it chose, if it chose one."""
        replay_batch(
            self.heap,
            Handles(self.objects, self.stacks, self.manual_spans, self.cursor),
            Columns(*(np.array([value], dtype) for value, dtype in zip((kind, p, id, size, arg), DTYPES, strict=True))),
            0,
            NO_SERIES,
        )
        if self.heap.fault:
            raise AssertionError(FAULTS[int(self.heap.fault)])
        if kind & KIND_MASK == Kind.ALLOC:
            tiny = kind & NOSCAN and 0 < size < self.heap.knobs.tiny_size
            return self.address(id) + (self.tiny_offset(p, id, size) if tiny else 0)
        if kind == Kind.STACK_ALLOC:
            return int(self.heap.base_addr) + int(self.stacks[id, 0]) * int(self.heap.knobs.stack_min)
        return None

    def tiny_offset(self, p: int, id: int, size: int) -> int:
        """Where in its block the tiny object just allocated begins: a block that did not become the current one is new."""
        cache = self.heap.mcaches[0 if p == NO_P else p]
        if int(self.objects[id]["loc"]) != int(cache.tiny_span) << 16 | int(cache.tiny_slot):
            return 0
        return int(cache.tiny_offset) - size

    def address(self, id: int) -> int:
        """Where the slot of object `id` begins; 0 for an object without size."""
        loc = int(self.objects[id]["loc"])
        if loc == NONE:
            return 0
        span = self.heap.spans[loc >> 16]
        return int(span["start_addr"]) + (loc & 0xFFFF) * int(span["elem_size"])

    def spans(self) -> list[tuple[int, int, int, int, int, int]]:
        """Every heap span, by address: start, pages, span class, used slots, next free slot, sweepgen less the heap's."""
        rows = self.heap.spans[1 : self.heap.span_rows]
        rows = rows[rows["state"] == SPAN_IN_USE]
        sweepgen = int(self.heap.gc.sweepgen)
        return sorted(
            (
                int(r["start_addr"]),
                int(r["npages"]),
                int(r["spc"]),
                int(r["alloc_count"]),
                self.next_slot(r),
                int(r["sweepgen"]) - sweepgen,
            )
            for r in rows
        )

    def next_slot(self, span: np.void) -> int:
        """The slot that the span would hand out next; nelems where it is full."""
        nelems = int(span["nelems"])
        if span["spc"] < 2:
            return 1
        cache, word = int(span["alloc_cache"]), int(span["alloc_word"])
        while not cache:
            word += 1
            if word >= span["nwords"]:
                return nelems
            bits = int(self.heap.bits[int(span["bits"]) + word])
            left = min(64, nelems - 64 * word)
            cache = ~bits & ((1 << left) - 1)
        return 64 * word + (cache & -cache).bit_length() - 1

    def start(self, s: int) -> int:
        """The address of span row s."""
        return int(self.heap.spans[s]["start_addr"])

    def mcache(self, p: int) -> dict[int, int]:
        """Span class -> address of the span that `p` holds."""
        alloc = self.heap.mcaches[p].alloc
        return {spc: self.start(s) for spc, s in enumerate(alloc) if s != NO_SPAN}

    def central(self, spc: int) -> tuple[list[int], list[int], list[int], list[int]]:
        """Addresses of the spans that are partial swept, partial unswept, full swept, full unswept, in order."""
        if self.heap.knobs.central == Central.SPAN_LISTS:
            row = self.heap.central[spc]
            return self.linked(row.nonempty), self.linked(row.empty), [], []
        swept = int(self.heap.gc.parity)
        return (
            self.queue(spc, PARTIAL, swept),
            self.queue(spc, PARTIAL, 1 - swept),
            self.queue(spc, FULL, swept),
            self.queue(spc, FULL, 1 - swept),
        )

    def linked(self, spans: np.record) -> list[int]:
        """Addresses of the spans in a list."""
        out = []
        s = int(spans.first)
        while s != NO_SPAN:
            out.append(self.start(s))
            s = int(self.heap.spans[s]["next"])
        return out

    def piles(self) -> tuple[list[int], list[int]]:
        """Addresses of the spans on the sweep stacks: for the next sweep, and of those to be swept in this one."""
        swept, unswept = int(self.heap.gc.parity), 1 - int(self.heap.gc.parity)
        return self.pile(swept, 0), self.pile(unswept, 2)

    def pile(self, parity: int, behind: int) -> list[int]:
        """Addresses of the spans on a sweep stack, the top first; of those to be swept in this cycle only what is left."""
        out = []
        n = int(self.heap.sweep_stacks[parity])
        while n != NONE:
            s = int(self.heap.nodes[n]["span"])
            if not behind or self.heap.spans[s]["sweepgen"] == int(self.heap.gc.sweepgen) - behind:
                out.append(self.start(s))
            n = int(self.heap.nodes[n]["next"])
        return out

    def queue(self, spc: int, fill: int, parity: int) -> list[int]:
        """Addresses of the spans in a queue; of an unswept one without what the reclaimer swept meanwhile."""
        wanted = int(self.heap.gc.sweepgen) - (0 if parity == self.heap.gc.parity else 2)
        n = int(self.heap.central[spc]["head"][fill, parity])
        out = []
        while n != NONE:
            s = int(self.heap.nodes[n]["span"])
            span = self.heap.spans[s]
            if span["sweepgen"] == wanted and span["spc"] == spc:
                out.append(self.start(s))
            n = int(self.heap.nodes[n]["next"])
        return out

    def tiny(self, p: int) -> tuple[int, int]:
        """Address of the tiny block of `p` and the offset of its free rest; (0, 0) without one."""
        cache = self.heap.mcaches[p]
        if cache.tiny_span == NO_SPAN:
            return 0, 0
        return self.start(cache.tiny_span) + 16 * int(cache.tiny_slot), int(cache.tiny_offset)

    def page_cache(self, p: int) -> tuple[int, int, int]:
        """First page of the block of `p`, mask of its free pages, of those the released; zeros if empty."""
        cache = self.heap.mcaches[p]
        if not int(cache.page_cache_bits):
            return 0, 0, 0
        return int(cache.page_cache_base) + self.base_page, int(cache.page_cache_bits), int(cache.page_cache_scav)

    @property
    def base_page(self) -> int:
        """The heap's first page, counted from address 0."""
        return int(self.heap.base_addr) >> int(self.heap.knobs.page_shift)

    def free_pages(self) -> list[int]:
        """Every page that is free and in no page cache."""
        first, end, base = int(self.heap.first_page), int(self.heap.end_page), self.base_page
        words = self.heap.allocated_bits[: (end + 63) // 64].tolist()
        return [base + page for page in range(first, end) if not words[page // 64] >> (page % 64) & 1]

    def stack_cache(self, p: int) -> dict[int, list[int]]:
        """Order -> addresses of the free stacks that `p` holds, the next to be taken last."""
        out = {}
        for order, first in enumerate(self.heap.mcaches[p].stack_list):
            pieces = []
            piece = int(first)
            while piece != NONE:
                pieces.append(int(self.heap.base_addr) + piece * int(self.heap.knobs.stack_min))
                piece = int(self.heap.stack_next[piece])
            if pieces:
                out[order] = pieces[::-1]
        return out

    def sample(self) -> np.void:
        """A SAMPLE row of the heap as it is now."""
        row = np.zeros(1, SAMPLE).view(np.recarray)  # its fields are attributes where kernels run uncompiled
        sample_heap(self.heap, row[0])
        return row[0]

    def counters(self, names: Sequence[str]) -> dict[str, int]:
        """Several counters, from one sample."""
        row = self.sample()
        told = {*SAMPLE.names} - {"retained_goal"}  # 0 there where nothing is to be given back
        packed = {"mallocs": self.tiny_allocs, "frees": self.tiny_allocs}
        return {n: int(row[n]) - packed.get(n, 0) if n in told else getattr(self, n) for n in names}

    @property
    def tiny_allocs(self) -> int:
        """Tiny requests that were packed in an open block."""
        return int(self.heap.stats.tiny_packed)

    @property
    def mallocs(self) -> int:
        """Slots ever taken; tiny requests that were packed are not in it."""
        return int(self.sample()["mallocs"]) - self.tiny_allocs

    @property
    def frees(self) -> int:
        """Slots ever swept free; tiny requests that were packed are not in it."""
        return int(self.sample()["frees"]) - self.tiny_allocs

    @property
    def workbufs(self) -> int:
        """Bytes of work-buffer spans."""
        return int(self.heap.stats.workbufs)

    @property
    def released_by(self) -> list[int]:
        """Bytes ever released, by cause."""
        return self.heap.scavenge.released_by.tolist()

    @property
    def retained_goal(self) -> int:
        """What the heap should keep."""
        return int(self.heap.gc.retained_goal)

    @property
    def pages_in_use(self) -> int:
        """Pages of heap spans."""
        return int(self.heap.gc.pages_in_use)

    @property
    def pages_swept(self) -> int:
        """Pages of the spans swept in this cycle."""
        return int(self.heap.gc.pages_swept)

    @property
    def growths(self) -> list[int]:
        """How often the heap grew, and how often though as many pages were free."""
        return [int(self.heap.stats.growths), int(self.heap.stats.blocked_growths)]

    @property
    def trigger(self) -> int:
        """The heap_live at which a cycle would start."""
        return int(self.heap.gc.trigger)

    def __getattr__(self, name: str) -> int:
        """Every other counter is a field of SAMPLE: heap_inuse, heap_live, next_gc, ..."""
        if name not in SAMPLE.names:
            raise AttributeError(name)
        return int(self.sample()[name])
