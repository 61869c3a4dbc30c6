"""What one allocation did: the span, the slot, why that one, and who served it."""

from __future__ import annotations

from typing import Any

from goalloc_cli.analyses.explain import rules
from goalloc_cli.analyses.explain.moment import Change
from goalloc_cli.analyses.explain.rules import Request, many
from goalloc_cli.analyses.explain.slots import neighbours, slots_of
from goalloc_cli.analyses.replay import Run
from goalloc_cli.model.tables.heap import LOCK_LARGE, LOCK_PAGE_CACHE, LOCK_SMALL, LOCKS, NO_SPAN, NONE

Document = dict[str, Any]

MCACHE, TINY_BLOCK, NOTHING = "mcache", "tiny block", "nothing"


def explain_alloc(run: Run, change: Change, p: int, handle: int, asked: Request) -> Document:
    """The allocation of object `handle` by P, just made, as plain data and in steps.

    Args:
        run: the replay, just after the event.
        change: the moments before and after it.
    """
    steps = [flushed(change, p)]
    loc = int(run.tables.objects[handle]["loc"])
    if loc == NONE:
        return place(None, None, None, NOTHING, None) | {"steps": [f"{rules.path(asked, run.design).capitalize()}."]}
    s, slot = loc >> 16, loc & 0xFFFF
    span = run.heap.spans[s]
    address = int(span["start_addr"]) + slot * int(span["elem_size"])
    found = place(address, s_document(change, s), slot, served_by(change, p, asked), pages_from(change, asked))
    if found["served_by"] == TINY_BLOCK:
        offset = int(run.heap.mcaches[p].tiny_offset) - asked.size
        steps.append(f"P{p}'s current block of {asked.slot_bytes} B had room: the object lies {offset} B into it.")
        return found | {"offset": offset, "steps": [step for step in steps if step]}
    if asked.path == "large":
        steps += large(change, p, asked, s)
    else:
        steps += small(change, p, asked, s, run)
        slots = slots_of(run, s, slot)
        first, drawn = slots.drawn()
        steps.append(slots.why())
        found |= {
            "free_index": slots.free_index,
            "around": {"first_slot": first, "drawn": drawn, "neighbours": neighbours(run, s, slots)},
        }
    return found | {"steps": [step for step in steps if step]}


def place(address: int | None, span: Document | None, slot: int | None, served: str, pages: str | None) -> Document:
    """Where an object lies, and who provided for it."""
    return {"address": address, "span": span, "slot": slot, "served_by": served, "pages_from": pages}


def s_document(change: Change, s: int) -> Document:
    """A span after the event."""
    span = change.after.span(s)
    return {
        "base": span["start_addr"],
        "pages": span["npages"],
        "span_class": span["spc"],
        "slot_bytes": span["elem_size"],
        "slots": span["nelems"],
        "used_slots": span["alloc_count"],
    }


def served_by(change: Change, p: int, asked: Request) -> str:
    """Who served the allocation, in a word or three."""
    if change.stat("tiny_packed"):
        return TINY_BLOCK
    if asked.path == "large":
        return "new pages"
    if not change.refilled(p):
        return MCACHE
    served = change.served(asked.spc)
    if served["from_heap"]:
        return "new pages"
    source = next(name for name in ("from_partial_swept", "from_partial_unswept", "from_full_unswept") if served[name])
    return f"mcentral, {sources(change)[source]}"


def sources(change: Change) -> dict[str, str]:
    """What the places in an mcentral that serve refills are called."""
    if change.after.has_lists:
        return {
            "from_partial_swept": "list nonempty, swept",
            "from_partial_unswept": "list nonempty, swept on the way",
            "from_full_unswept": "list empty, swept on the way",
        }
    return {
        "from_partial_swept": "partial swept",
        "from_partial_unswept": "partial unswept",
        "from_full_unswept": "full unswept",
    }


def pages_from(change: Change, asked: Request) -> str | None:
    """Where new pages came from; None where none were taken."""
    if asked.path != "large" and not change.served(asked.spc)["from_heap"]:
        return None
    if change.stat("growths"):
        return "growth"
    return "page heap" if change.locks().get(LOCKS[LOCK_LARGE if asked.path == "large" else LOCK_SMALL]) else "page cache"


def flushed(change: Change, p: int) -> str:
    """The flush of P's mcache at its first allocation after a cycle, if that is what happened first."""
    if not change.mcache(p, "flushes"):
        return ""
    swept = change.swept().get("mcache flush", 0)
    told = f"{many(swept, 'span')} in it had to be swept" if swept else "no span in it had to be swept"
    since = f"for the first time since GC cycle {change.after.gc['cycle']} ended"
    return f"P{p} allocates {since}: its mcache is flushed; {told}."


def small(change: Change, p: int, asked: Request, s: int, run: Run) -> list[str]:
    """The steps that lead to a slot of span s."""
    now = change.after.span(s)
    if not change.refilled(p):
        used = f"{now['alloc_count'] - 1:,} of {many(now['nelems'], 'slot')} taken before"
        return [f"P{p}'s mcache holds span {now['start_addr']:#x} of this class, {used}. No lock is needed."]
    return [old_span(change, p, asked), paid(change, run), *central(change, p, asked, s), *new_pages(change, p, asked, s)]


def old_span(change: Change, p: int, asked: Request) -> str:
    """What becomes of the span that P had."""
    old = change.before.cached(p, asked.spc)
    if old == NO_SPAN or change.mcache(p, "flushes"):
        return f"P{p} has no span of this class cached."
    was = change.before.span(old)
    where = "stays in mcentral's list `empty`" if change.after.has_lists else "goes to mcentral's full swept set"
    return f"P{p}'s span {was['start_addr']:#x} is full, {was['nelems']:,} of {many(was['nelems'], 'slot')}: it {where}."


def paid(change: Change, run: Run) -> str:
    """The sweep debt of the allocation."""
    if not change.before.gc["sweeping"]:
        return ""
    swept = change.swept().get("sweep debt", 0)
    told = " (as much as the recording tells)" if run.heap.gc.hinted and swept else ""
    return f"Sweep debt first: {many(swept, 'span')} to sweep in order{told}." if swept else "No sweep debt is due."


def central(change: Change, p: int, asked: Request, s: int) -> list[str]:
    """What mcentral had."""
    served = change.served(asked.spc)
    base = f"{change.after.span(s)['start_addr']:#x}"
    swept = served["swept_for_refill"]
    # What is known is the state before the event.
    holds = "held, before that flush," if change.mcache(p, "flushes") else "holds"
    if change.after.has_lists:
        nonempty = change.before.listed.get(asked.spc, (0, 0))[0]
        held = f"mcentral's list `nonempty` {holds} {many(nonempty, 'span')}"
    else:
        sets = change.before.in_sets(asked.spc)
        shown = ("partial swept", "partial unswept", "full unswept") if change.before.gc["sweeping"] else ("partial swept",)
        held = f"mcentral {holds} {', '.join(f'{sets[name]:,} {name}' for name in shown)}"
    if served["from_heap"]:
        tried = f"; {many(swept, 'span')} swept, none with a free slot" if swept else ""
        return [f"{held}{tried}: a new span is needed."]
    was, now = change.before.span(s), change.after.span(s)
    if not swept:
        room = f"{now['nelems'] - now['alloc_count'] + 1:,} of {many(now['nelems'], 'slot')} free"
        return [f"{held}: span {base} is taken, {room}, no sweep needed."]
    freed = was["alloc_count"] - now["alloc_count"] + 1
    last = "its sweep" if swept == 1 else f"{many(swept, 'span')} swept, the last of them"
    return [f"{held}: span {base} is taken; {last} freed {freed:,} of {many(now['nelems'], 'slot')}."]


def new_pages(change: Change, p: int, asked: Request, s: int) -> list[str]:
    """Where the pages of a new span came from."""
    source = pages_from(change, asked)
    if source is None:
        return []
    steps = [reclaimed(change)]
    span = change.after.span(s)
    taken = f"Taken: {many(span['npages'], 'page')} at {span['start_addr']:#x}"
    before, after = change.page_cache(p)
    if change.locks().get(LOCKS[LOCK_PAGE_CACHE]):
        filled = after + (span["npages"] if source == "page cache" else 0)
        told = f"it is filled with {many(filled, 'page')}" if filled else "no page is free to fill it with"
        steps.append(f"P{p}'s page cache is empty; under the heap lock {told}.")
    elif before and source != "page cache" and asked.path != "large":
        steps.append(f"P{p}'s page cache holds {many(before, 'page')}, but not so many in a row.")
    if source == "page cache":
        return [*steps, f"{taken}, from P{p}'s page cache, without the heap lock; {after:,} left."]
    if source == "growth":
        grown = change.after.end_page - change.before.end_page
        steps.append(f"No run of free pages is long enough: the heap grows by {many(grown, 'page')}.")
    return [*steps, f"{taken}, from the page heap, under the heap lock."]


def reclaimed(change: Change) -> str:
    """What the page reclaimer did first."""
    swept = change.swept().get("page reclaimer", 0)
    if swept:
        freed = many(change.spans_freed(), "span")
        return f"The page reclaimer sweeps {many(swept, 'span')} first; {freed} given back on the way."
    if change.locks().get("page reclaimer"):
        return "The page reclaimer walks the heap first, and finds no span that it may sweep."
    return ""


def large(change: Change, p: int, asked: Request, s: int) -> list[str]:
    """The steps that lead to a large object's span."""
    debt = change.swept().get("sweep debt", 0)
    paid_debt = f"Sweep debt first: {many(debt, 'span')} to sweep in order." if debt else ""
    what = f"{asked.size:,} B take {many(asked.npages, 'page')}, a span of their own."
    return [what, paid_debt, *new_pages(change, p, asked, s)]
