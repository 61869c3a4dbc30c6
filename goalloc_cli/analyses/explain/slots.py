"""One span's slots: which are in use, which are free, and why an allocation took the one that it took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from goalloc_cli.analyses.replay import Run
from goalloc_cli.model.tables.objects import LABEL_SHIFT, OBJECT_LIVE

WINDOW = 24
"""Slots that are drawn to either side of one."""
NEAR = 3
"""Slots that are named to either side of one."""


@dataclass(frozen=True)
class Slots:
    """The slots of one span, just after one of them was taken."""

    nelems: int
    slot: int
    survived: list[bool]
    """Slot by slot, whether the last sweep found it in use (Go: allocBits)."""
    live: list[bool]

    @property
    def free_index(self) -> int:
        """Where Go's search for a free slot began: behind the last slot that was handed out since the sweep."""
        below = [j for j in range(self.slot) if not self.survived[j]]
        return below[-1] + 1 if below else 0

    def is_used(self, j: int) -> bool:
        """Whether slot j holds an object, live or not yet swept; below the one just taken all do."""
        return j <= self.slot or self.survived[j]

    def state(self, j: int) -> str:
        """What slot j holds."""
        if j == self.slot:
            return "this"
        if not self.is_used(j):
            return "free"
        return "live" if self.live[j] else "dead"

    def drawn(self) -> tuple[int, str]:
        """The slots around the one just taken, as a line of signs; and the number of the first."""
        first = max(self.slot - WINDOW, 0)
        signs = {"this": "@", "free": ".", "live": "#", "dead": "x"}
        return first, "".join(signs[self.state(j)] for j in range(first, min(self.slot + WINDOW + 1, self.nelems)))

    def why(self) -> str:
        """Why this slot, in a sentence."""
        start, end = self.free_index, self.slot
        if start == end:
            return f"Slot {end}: freeindex stood there, and it is free."
        kept = f"slot {start} holds an object" if end - start == 1 else f"slots {start} to {end - 1} hold objects"
        found = f"{kept} that the last sweep found in use"
        return f"Slot {end}: freeindex stood at {start}, but {found}; {end} is the first free one."


def slots_of(run: Run, s: int, slot: int) -> Slots:
    """The slots of span row s, of which `slot` was just taken."""
    span = run.heap.spans[s]
    words, first, nelems = int(span["nwords"]), int(span["bits"]), int(span["nelems"])
    found, live = (bits(run.heap.bits[first + w : first + w + words], nelems) for w in (0, words))
    return Slots(nelems, slot, found, live)


def bits(words: np.ndarray, count: int) -> list[bool]:
    """The first `count` bits of some words, lowest first."""
    return [bool(int(words[j >> 6]) >> (j & 63) & 1) for j in range(count)]


def neighbours(run: Run, s: int, slots: Slots) -> list[dict[str, object]]:
    """The slots next to the one just taken, and which objects live in them."""
    near = [j for j in range(slots.slot - NEAR, slots.slot + NEAR + 1) if 0 <= j < slots.nelems and j != slots.slot]
    objects = run.tables.objects
    here = np.flatnonzero((objects["loc"] >> 16 == s) & (objects["label"] & OBJECT_LIVE > 0))
    lives = {int(objects["loc"][handle]) & 0xFFFF: int(handle) for handle in here}
    found: list[dict[str, object]] = []
    for j in near:
        handle = lives.get(j)
        type_id = int(objects["label"][handle]) >> LABEL_SHIFT if handle is not None else 0
        name = run.types[type_id].name if type_id < len(run.types) else ""
        found.append({"slot": j, "state": slots.state(j), "object": handle, "type": name or None})
    return found
