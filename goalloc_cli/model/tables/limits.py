"""How much the model holds: the lengths of its tables, which GOALLOC_LIMITS changes before a start.

Lengths are part of the tables' types, so other limits are other compiled code. All tables are one record, which NumPy ends
at 2 GiB: raising one limit may ask for lowering another.
"""

from __future__ import annotations

import os

from goalloc_cli.errors import DesignError

VARIABLE = "GOALLOC_LIMITS"

DEFAULTS = {
    "pages": 1 << 23,
    "spans": 1 << 23,
    "slot_words": 80 << 20,
    "queue_places": 12 << 20,
    "runs": 1 << 20,
    "ps": 1024,
    "objects": 1 << 28,
}
"""pages: of address space; 64 GiB of 8 KiB pages. spans: rows, as many as there are pages. slot_words: words of 64 bits for
the slot bitmaps of all spans. queue_places: in the queues of all mcentrals. runs: of free pages, where the page heap keeps
any. ps: Go's own limit until 1.9. objects: the highest handle, hence the most that live at once."""

LEAST = {"pages": 1 << 15, "spans": 2, "slot_words": 2, "queue_places": 1, "runs": 2, "ps": 1, "objects": 1}
"""The heap grows by an arena, 8192 pages and more, at a time."""

ROW_BYTES = {"pages": 25, "spans": 128, "slot_words": 8, "queue_places": 8, "runs": 48, "ps": 1232, "objects": 0}
"""What one more of each adds to the record of all tables, at most."""
MOST_BYTES = (1 << 31) - (1 << 20)

CHUNK_PAGES = 512
"""Pages in a chunk of the page allocator, which keeps one summary for each."""


def read_limits(told: str) -> dict[str, int]:
    """Every limit, those in a text such as "pages=16777216,spans=4194304" changed; raise DesignError where it is none."""
    limits = dict(DEFAULTS)
    for part in filter(None, told.split(",")):
        name, _, number = part.partition("=")
        if name not in limits:
            raise DesignError(f"{VARIABLE}: there is no limit {name!r}; there are {', '.join(limits)}")
        if not number.isdecimal() or not LEAST[name] <= int(number) < 1 << 31:
            raise DesignError(f"{VARIABLE}: {part!r}: expected a number from {LEAST[name]} to {(1 << 31) - 1}")
        limits[name] = int(number)
    if limits["pages"] % CHUNK_PAGES:
        raise DesignError(f"{VARIABLE}: pages={limits['pages']} is no multiple of {CHUNK_PAGES}")
    if sum(limits[name] * ROW_BYTES[name] for name in limits) > MOST_BYTES:
        raise DesignError(f"{VARIABLE}: the tables take more than 2 GiB together; lower another limit (spans, slot_words)")
    return limits


CHOSEN = read_limits(os.environ.get(VARIABLE, ""))
PAGES, SPANS, SLOT_WORDS, QUEUE_NODES, RUNS, PS, OBJECTS = CHOSEN.values()


def full(name: str) -> str:
    """That a limit is reached, and what raises it."""
    return f"the model's limit of {CHOSEN[name]:,} {name} is reached; {VARIABLE}={name}={2 * CHOSEN[name]} raises it"
