"""One size: what the tables say of it, and what the model does with it in a heap of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from goalloc_cli.analyses.explain import rules
from goalloc_cli.analyses.explain.alloc import explain_alloc
from goalloc_cli.analyses.explain.moment import Change, look
from goalloc_cli.analyses.explain.rules import Request, many
from goalloc_cli.analyses.replay import Run
from goalloc_cli.design.allocator import Design
from goalloc_cli.model.tables.limits import PAGES
from goalloc_cli.trace.event import NOSCAN, Batch, Kind
from goalloc_cli.trace.trace import Header, Trace

Document = dict[str, Any]

LARGEST_PAGES = PAGES // 8
"""An object of so many pages and more is not played: four of them have to fit in the model's address space."""


def explain_size(design: Design, size: int, pointers: bool) -> Document:
    """What becomes of a request of `size` bytes: by the tables, by the rules, and played through the model."""
    asked = rules.request(design, size, not pointers)
    return {
        **rules.facts(asked, design),
        "path_text": rules.path(asked, design),
        "header_text": rules.header(asked, design),
        "metadata_text": rules.metadata(asked, design),
        "search": rules.search(asked, design),
        "played": Play(design, asked).scenes() if asked.path != "zero" else [],
    }


class Play:
    """A heap in which one P allocates objects of one size, and nothing else."""

    def __init__(self, design: Design, asked: Request) -> None:
        # The background sweeper never comes, so that what an allocation sweeps itself can be seen.
        self.design = replace(design, background_turns=0)
        self.asked = asked
        self.run = Run(Trace("", Header(), iter(())), self.design, placed=False, every="gc", check=False)
        self.made = 0

    def scenes(self) -> list[Document]:
        """What is worth seeing, in order."""
        scenes = [self.scene("The first of all")]
        if self.asked.path == "tiny":
            scenes.append(self.scene("The next one"))
        if self.asked.path == "large":
            if self.asked.npages < LARGEST_PAGES:
                scenes += [self.scene("The next one"), self.after_a_cycle([0], "the first has died")]
            return scenes
        self.fill()
        first = self.made
        scenes.append(self.scene("The span is full"))
        self.fill()
        # Every second slot: of tiny objects, all that share it.
        slot = self.run.tables.objects["loc"][:first] & 0xFFFF
        dead = np.flatnonzero(slot % 2 if first > 1 else slot == 0).tolist()
        scenes.append(self.after_a_cycle(dead, f"in the first span {len(dead):,} of {many(first, 'object')} died"))
        return scenes

    def scene(self, title: str) -> Document:
        """One allocation, and all that it does."""
        before = look(self.run.heap)
        self.alloc()
        change = Change(before, look(self.run.heap))
        told = explain_alloc(self.run, change, 0, self.made - 1, self.asked)
        inuse = {"before": before.stats["in_use"], "after": change.after.stats["in_use"]}
        return {"title": title, "object": self.made - 1, "heap_inuse": inuse, **told}

    def after_a_cycle(self, dead: list[int], died: str) -> Document:
        """One allocation after a collection before which some objects died, and of which nothing is swept yet."""
        self.feed(*((Kind.FREE, handle, 0) for handle in dead))
        self.feed((Kind.GC_START, 0, 0), (Kind.GC_END, 0, 0))
        return self.scene(f"After a GC cycle: {died}")

    def fill(self) -> None:
        """Use the P's span up."""
        while self.has_room():
            self.alloc()

    def has_room(self) -> bool:
        """Whether the P's span has a free slot, or its tiny block has room."""
        span = self.run.heap.spans[int(self.run.heap.mcaches[0].alloc[self.asked.spc])]
        return int(span["alloc_count"]) < int(span["nelems"]) or (self.asked.path == "tiny" and self.block_has_room())

    def block_has_room(self) -> bool:
        """Whether one more tiny object fits in the current block (malloc.py, malloc_tiny)."""
        size, offset = self.asked.size, int(self.run.heap.mcaches[0].tiny_offset)
        step = next(step for step in (8, 4, 2, 1) if size % step == 0)
        return -(-offset // step) * step + size <= self.asked.slot_bytes

    def alloc(self) -> None:
        """One more object."""
        self.feed((Kind.ALLOC | (NOSCAN if self.asked.noscan else 0), self.made, self.asked.size))
        self.made += 1

    def feed(self, *rows: tuple[int, int, int]) -> None:
        """Events, as kind, handle and size, by P 0."""
        kind, handle, size = zip(*rows, strict=True)
        zeros = np.zeros(len(rows), np.int64)
        self.run.feed(
            Batch(
                np.array(kind, np.uint8),
                zeros.astype(np.uint16),
                np.array(handle, np.uint32),
                np.array(size, np.int64),
                zeros.astype(np.uint32),
            )
        )
