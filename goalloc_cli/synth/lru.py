"""lru: a cache of entries with a key, a value and a place in the order of use."""

# mypy: allow-untyped-defs

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.synth.mix import Shape, struct
from goalloc_cli.synth.plan import Plan, empty_slots
from goalloc_cli.synth.world import BATCH, NONE, alloc_any, alloc_shape, draw, free, go_on, record, table

ENTRY, KEY, FIRST_VALUE = 0, 1, 2
"""Numbers of the shapes; values are drawn from those behind them, which alone have weights."""
OWN = (struct("main.entry", 64, weight=0), Shape("uint8", 16, 40, pointers=False, weight=0))
VALUES = (
    Shape("uint8", 64, 512, pointers=False, weight=6),
    Shape("uint8", 513, 4096, pointers=False, weight=1),
    struct("main.Document", 160, weight=3),
)

CACHE = table(("entries", "<i8"), ("newest", "<i8"), ("oldest", "<i8"), ("keys", "<i8"))
"""`entries` are in use; `newest` to `oldest` are linked in the order of use."""


def plan(entries: int, keys: int, mix: tuple[Shape, ...] = VALUES) -> Plan:
    cache = record(CACHE)
    cache.keys = keys
    cache.newest = cache.oldest = NONE
    of_key = np.full(keys, NONE, np.int32)
    links = np.zeros((entries, 3), np.int32)
    return Plan(lru, (*OWN, *mix), 3 * entries + 1, (cache, of_key, links, empty_slots(entries, 3)))


@kernel
def lru(world, objects, cache, of_key, links, held):
    """Write a batch of events.

    Args:
        cache: CACHE record.
        of_key: i4 entry by key, or NONE.
        links: (n, 3) i4 by entry: the next newer, the next older, its key.
        held: (n, 3) i8 by entry: its objects.
    """
    while world.n < BATCH:
        p = go_on(world)
        key = popular(world, cache.keys)
        entry = of_key[key]
        if entry != NONE:
            unlink(cache, links, entry)
            link(cache, links, entry)
            free(world, objects, alloc_any(world, objects, p))  # the reply
            continue
        if cache.entries < len(held):
            entry = cache.entries
            cache.entries += 1
        else:
            entry = cache.oldest
            of_key[links[entry, 2]] = NONE
            unlink(cache, links, entry)
            for i in range(3):
                free(world, objects, held[entry, i])
        of_key[key] = entry
        links[entry, 2] = key
        link(cache, links, entry)
        held[entry, 0] = alloc_shape(world, objects, p, ENTRY)
        held[entry, 1] = alloc_shape(world, objects, p, KEY)
        held[entry, 2] = alloc_any(world, objects, p)


@inner
def popular(world, keys):
    """A random key. The lower its number, the more often it comes: a fifth of the keys makes 58 % of the requests."""
    part = draw(world) / 4294967296.0
    return np.int64(keys * (part * part * part))


@inner
def unlink(cache, links, entry):
    """Take an entry out of the order of use."""
    newer, older = links[entry, 0], links[entry, 1]
    if newer != NONE:
        links[newer, 1] = older
    else:
        cache.newest = older
    if older != NONE:
        links[older, 0] = newer
    else:
        cache.oldest = newer


@inner
def link(cache, links, entry):
    """The entry is the one used last."""
    links[entry, 0] = NONE
    links[entry, 1] = cache.newest
    if cache.newest != NONE:
        links[cache.newest, 0] = entry
    else:
        cache.oldest = entry
    cache.newest = entry
