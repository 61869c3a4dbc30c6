"""mcentral until Go 1.14: two lists of spans for each class, and one pile of spans to be swept for the whole heap.

Go's files, as of 1.14: mcentral.go, mgcsweep.go; as of 1.11: reclaim and reclaimList of mheap.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goalloc_cli.design.choices import Central, Reclaim

if TYPE_CHECKING:
    from tests.twin.heap import Heap, Span

LONGEST_LISTED = 127
"""Large spans of up to this many pages have a list for each length; all longer ones share one."""


def has_lists(h: Heap) -> bool:
    """Whether this heap's mcentrals are made of lists."""
    return h.design.central == Central.SPAN_LISTS


def add_new(h: Heap, s: Span) -> None:
    """Note a new span: it is swept in the next cycle; a small one is cached at once, a large one is busy."""
    h.piles[h.swept_side()].append(s)
    if s.spc > 1:
        h.central[s.spc].empty.append(s)
    elif h.design.reclaim == Reclaim.BUSY_LISTS:
        h.busy.setdefault(min(s.npages, LONGEST_LISTED + 1), []).append(s)


def first_usable(h: Heap, spc: int) -> tuple[Span, bool] | None:
    """The span that a refill takes, moved to the end of `empty`, and whether it is still to be swept."""
    central = h.central[spc]
    if central.nonempty:
        s = central.nonempty.pop(0)
    elif central.empty and h.needs_sweep(central.empty[0]):
        s = central.empty.pop(0)
    else:
        return None
    central.empty.append(s)
    return s, h.needs_sweep(s)


def uncache(h: Heap, s: Span) -> None:
    """A span with room left goes to the front of `nonempty`; a full one stays in `empty`."""
    if not s.is_full():
        h.central[s.spc].empty.remove(s)
        h.central[s.spc].nonempty.insert(0, s)


def after_sweep(h: Heap, s: Span, freed: int, was_full: bool, preserve: bool) -> bool:
    """File a span that was just swept; return whether it went back to the page heap (mcentral.go, freeSpan)."""
    central = h.central[s.spc]
    if freed and s.spc < 2:
        for spans in h.busy.values():
            if s in spans:
                spans.remove(s)
        h.free_span(s)
        return True
    if freed and not preserve:
        if was_full:
            central.empty.remove(s)
            central.nonempty.insert(0, s)
        if s.alloc_count == 0:
            central.nonempty.remove(s)
            h.free_span(s)
            return True
    h.piles[h.swept_side()].append(s)
    return False


def next_span_for_sweep(h: Heap) -> Span | None:
    """The top of the pile."""
    pile = h.piles[h.unswept_side()]
    return pile.pop() if pile else None
