"""Free pages go back to the OS: which ones, and what asks for it at once (mgcscavenge.go; allocSpan of mheap.go)."""

from __future__ import annotations

from dataclasses import dataclass

from goalloc_cli.design.allocator import Design
from goalloc_cli.design.choices import GrowthScavenge, ScavengeIndex
from goalloc_cli.design.memory import NO_LIMIT

CHUNK = 512
"""Pages in a chunk of the bitmap."""
WORD = 64
"""A search begins at the top of the word that it is told to begin in."""
ALL = 1 << 62


@dataclass
class Density:
    """What the scavenger knows of a chunk."""

    generation: int = 0
    before: int = 0
    """Pages in use when `generation` began, if it was touched since."""
    has_free: bool = False


@dataclass
class Sleep:
    """The state of the goroutine. The times are nanoseconds."""

    until: int | None = None
    """None: parked."""
    since: int = 0
    worked: int = 0
    ratio: float = 0.001
    error: float = 0.0
    last_check: int = 0
    limit_goal: int | None = None


class Releasing:
    """The part of a page heap that gives pages back. The pages are `allocated` and `scavenged`, from `base` on."""

    design: Design
    base: int
    allocated: list[bool]
    scavenged: list[bool]

    def begin_releasing(self) -> None:
        """Before any page."""
        self.chunks: dict[int, Density] = {}
        self.generation = 0
        self.cursor: int | None = None
        self.force_cursor: int | None = None
        self.raised = self.force_raised = False
        self.free_high: int | None = None
        self.released_low: int | None = None
        self.retained_goal = ALL
        self.grown = 0
        """Bytes that the allocation under way grew the heap by."""
        self.heap_inuse = 0
        """Bytes of heap spans; they count towards what a heap should keep."""
        self.spans = 0
        self.most_spans = 0
        """Spans of any kind, now and at most: each of the most has a record."""
        self.released_by = dict.fromkeys(("background", "growth", "limit", "forced", "idle"), 0)
        self.now = 0

    # What others ask for.

    def backed(self) -> int:
        """Bytes of free pages that memory backs; those in page caches are among them."""
        raise NotImplementedError

    def retained(self) -> int:
        """Bytes of heap spans and of free pages that memory backs."""
        return self.heap_inuse + self.backed()

    def over_goal(self, grown: int, retained: int) -> int:
        """Bytes that a growth brings the heap above its goal by, at most the growth itself."""
        return max(0, min(grown, retained + grown - self.retained_goal))

    def assist(self, taken: int, taken_released: int) -> None:
        """`taken` pages are about to become a span, some of them released; make up for it."""
        page_size = self.design.page_size
        grown, self.grown = self.grown, 0
        wanted, cause = 0, "growth"
        if self.design.memory_limit != NO_LIMIT:
            wanted = self.mapped_ready() - self.design.memory_limit
            cause = "limit" if wanted > 0 else cause
        if grown:
            wanted = max(wanted, self.over_goal(grown, self.retained() + (taken - taken_released) * page_size))
        if wanted > 0:
            self.release(wanted, cause == "limit", cause)

    def mapped_ready(self) -> int:
        """All that the runtime has and did not give back."""
        d = self.design
        arenas = self.reserved // d.arena_pages
        records = self.most_spans * d.mspan_bytes + len(self.caches) * d.mcache_bytes + arenas * d.arena_metadata_bytes
        return (len(self.allocated) - self.released_pages()) * d.page_size + records + d.other_bytes

    def release(self, wanted: int, force: bool, cause: str) -> int:
        """Release so many bytes, or what there is; return how many."""
        done = 0
        while done < wanted:
            page = self.find(force)
            if page is None:
                break
            done += self.release_at(page, wanted - done)
        self.released_by[cause] += done
        return done

    def release_all(self) -> None:
        """debug.FreeOSMemory."""
        self.start_generation(cycle_swept=False)
        self.release(ALL, True, "forced")

    # Of the bitmap: where to look.

    def goes_down_only(self) -> bool:
        """Whether the cursor passes by each page once, until it is put back."""
        return self.design.scavenge_index in (ScavengeIndex.CURSOR, ScavengeIndex.GENERATIONS)

    def in_use(self, c: int) -> int:
        """Pages of chunk `c`, counted from the heap's base, that are not free in the bitmap."""
        return sum(self.allocated[c * CHUNK : (c + 1) * CHUNK])

    def before_change(self, first: int, npages: int) -> None:
        """Pages are about to be allocated or freed."""
        for c in range((first - self.base) // CHUNK, (first + npages - 1 - self.base) // CHUNK + 1):
            chunk = self.chunks.setdefault(c, Density())
            if chunk.generation != self.generation:
                chunk.generation, chunk.before = self.generation, self.in_use(c)

    def after_free(self, first: int, npages: int) -> None:
        """Pages were freed: there may be something to release."""
        last = first + npages - 1
        self.free_high = last if self.free_high is None else max(self.free_high, last)
        if self.force_cursor is None or self.force_cursor < last:
            self.force_cursor, self.force_raised = last, True
        for c in range((first - self.base) // CHUNK, (last - self.base) // CHUNK + 1):
            self.chunks[c].has_free = True

    def may_release(self, c: int, force: bool) -> bool:
        """Whether chunk `c` is to be looked at."""
        chunk = self.chunks.get(c, Density())
        in_use = self.in_use(c)
        if self.goes_down_only():
            return True
        if not chunk.has_free or in_use == CHUNK:
            return False
        if force or self.design.scavenge_index == ScavengeIndex.MARKED:
            return True
        was_dense = chunk.generation == self.generation and chunk.before >= self.design.dense_pages
        return in_use < self.design.dense_pages and not was_dense

    def find(self, force: bool) -> int | None:
        """The highest page to look at."""
        forced = force or self.design.scavenge_index == ScavengeIndex.MARKED
        if self.goes_down_only():
            return self.cursor
        cursor = self.force_cursor if forced else self.cursor
        if cursor is None:
            return None
        start = (cursor - self.base) // CHUNK
        found = next((c for c in range(start, -1, -1) if self.may_release(c, force)), None)
        if found == start:
            return cursor
        # A mark that the cursor was raised keeps it from being cleared, until it has found something (atomicOffAddr).
        if found is None and (self.force_raised if forced else self.raised):
            return None
        cursor = None if found is None else self.base + (found + 1) * CHUNK - 1
        if forced:
            self.force_cursor, self.force_raised = cursor, False
        else:
            self.cursor, self.raised = cursor, False
        return cursor

    def release_at(self, page: int, wanted: int) -> int:
        """Release the highest run in the chunk of `page`, from its word down: so many bytes, or whole huge pages."""
        page_size = self.design.page_size
        bottom = self.base + (page - self.base) // CHUNK * CHUNK
        top = page // WORD * WORD + WORD - 1
        candidates = [i for i in range(top, bottom - 1, -1) if self.is_backed(i)]
        if not candidates:
            self.found_nothing(page)
            return 0
        last = candidates[0]
        first = last
        while first > bottom and self.is_backed(first - 1):
            first -= 1
        start = max(first, last + 1 - round_up(wanted, page_size) // page_size)
        huge = self.design.huge_page_bytes // page_size
        if huge > 1 and round_up(start, huge) <= last + 1 and start // huge * huge >= first:
            start = start // huge * huge
        for i in range(start, last + 1):
            self.scavenged[i - self.base] = True
        if self.goes_down_only():
            self.cursor = start - 1 if start > self.base else None
            self.released_low = start if self.released_low is None else min(self.released_low, start)
        return (last + 1 - start) * page_size

    def is_backed(self, page: int) -> bool:
        """Whether the page is free in the bitmap, and memory backs it."""
        i = page - self.base
        return i < len(self.allocated) and not self.allocated[i] and not self.scavenged[i]

    def found_nothing(self, page: int) -> None:
        """The chunk of `page` is done with."""
        c = (page - self.base) // CHUNK
        self.chunks.setdefault(c, Density(self.generation, self.in_use(c))).has_free = False
        if self.goes_down_only():
            self.cursor = self.base + c * CHUNK - 1 if c else None

    # Generations.

    def next_generation(self) -> None:
        """A cycle's marking ended (nextGen)."""
        if self.design.scavenge_index != ScavengeIndex.DENSITY:
            return
        self.generation += 1
        if self.free_high is not None and (self.cursor is None or self.cursor < self.free_high):
            self.cursor, self.raised = self.free_high, True
        self.free_high = None

    def start_generation(self, cycle_swept: bool) -> None:
        """A cycle is swept, or everything is to be released (scavengeStartGen; in Go 1.14 resetScavengeAddr)."""
        end = self.base + len(self.allocated)
        if not self.allocated:
            return
        if self.design.scavenge_index == ScavengeIndex.CURSOR and not cycle_swept:
            self.cursor = end - 1
        if self.design.scavenge_index == ScavengeIndex.GENERATIONS:
            below = end if self.released_low is None else min(end, self.released_low)
            highest = max(below - 1, -1 if self.free_high is None else self.free_high)
            self.cursor = highest if highest >= self.base else None
            self.free_high = self.released_low = None

    # Growth.

    def note_growth(self, npages: int) -> None:
        """The heap is about to grow: release now, or with the allocation that it is for."""
        if self.design.growth_scavenge != GrowthScavenge.GOAL:
            return
        grown = npages * self.design.page_size
        if self.design.growth_scavenge_last:
            self.grown += grown
        else:
            self.release(self.over_goal(grown, self.retained()), False, "growth")


def round_up(n: int, multiple: int) -> int:
    """The smallest multiple that is not below `n`."""
    return (n + multiple - 1) // multiple * multiple
