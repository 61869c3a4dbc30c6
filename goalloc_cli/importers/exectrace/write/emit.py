"""The events of a recording, in order and without addresses, as events of a trace.

The kernel here walks the merged order once and writes a batch at each call. What it decides is small: handles, the
program's view of death (an object dies when the cycle that frees it starts), and the hints that only the order of
events tells.
"""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

import numpy as np

from goalloc_cli.compiled.jit import inner, kernel
from goalloc_cli.design.gosizes import PAGE
from goalloc_cli.importers.common.handles import give_handle, take_handle
from goalloc_cli.importers.exectrace.infer.cycles import Act, Code
from goalloc_cli.importers.exectrace.infer.late import CLASSES, EFFECT, goroutine_after
from goalloc_cli.importers.exectrace.infer.sweepers import (
    BACKGROUND,
    EXPLICIT,
)
from goalloc_cli.importers.exectrace.slots.sizes import request
from goalloc_cli.importers.exectrace.who.marking import ASSISTS, WORKS
from goalloc_cli.importers.exectrace.who.marking import BITS as MARKING_BITS
from goalloc_cli.importers.exectrace.wire.asked import STACK_AT, TYPE_BITS, TYPE_MASK, asked_size
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.importers.exectrace.write.put import flush_once, put, uncache
from goalloc_cli.importers.exectrace.write.sweeps import put_sweep_hint
from goalloc_cli.trace.event import BOUND, NO_P, NOSCAN, Kind
from goalloc_cli.trace.ranges import MAX_BYTES

TIME_STEP_NS = 1_000_000
"""A TIME event comes at least this often in a trace's own time."""
BACKGROUND_SPANS, GC_SPANS = 10, 1
"""Spans swept between two yields (mgcsweep.go, bgsweep; mgc.go, GC)."""
ALLOC, FREE, TINY, K_TIME = int(Kind.ALLOC), int(Kind.FREE), int(Kind.TINY), int(Kind.TIME)
K_STACK_ALLOC, K_STACK_FREE = int(Kind.STACK_ALLOC), int(Kind.STACK_FREE)
K_GC_START, K_GC_END, K_FLUSH = int(Kind.GC_START), int(Kind.GC_END), int(Kind.FLUSH)
SWEEP_TO, SWEEP_COUNT, SWEEP_DRAINED = int(Kind.SWEEP_TO), int(Kind.SWEEP_COUNT), int(Kind.SWEEP_DRAINED)
K_SWEEP_CREDIT, K_RECLAIM_BYTES = int(Kind.SWEEP_CREDIT), int(Kind.RECLAIM_BYTES)
K_SWEEP_PAID, K_SWEPT_NEXT = int(Kind.SWEEP_PAID), int(Kind.SWEPT_NEXT)
K_HEAP_GOAL, K_SCAVENGE, FREE_OS_MEMORY = int(Kind.HEAP_GOAL), int(Kind.SCAVENGE), int(Kind.FREE_OS_MEMORY)
MCACHE_FLUSH, PAGE_CACHE_FLUSH, K_CHECKPOINT = int(Kind.MCACHE_FLUSH), int(Kind.PAGE_CACHE_FLUSH), int(Kind.CHECKPOINT)
WORKS_FOR, K_GOROUTINES, K_GC_CPU = int(Kind.WORKS_FOR), int(Kind.GOROUTINES), int(Kind.GC_CPU)
MANUAL_ALLOC, MANUAL_FREE, SAW_HEAP_LIVE = int(Kind.MANUAL_ALLOC), int(Kind.MANUAL_FREE), int(Kind.SAW_HEAP_LIVE)
SAW_SPAN_ALLOC, SAW_SPAN_FREE = int(Kind.SAW_SPAN_ALLOC), int(Kind.SAW_SPAN_FREE)
PROC_START, GO_STOP, GO_BLOCK, STW_END = int(Ev.PROC_START), int(Ev.GO_STOP), int(Ev.GO_BLOCK), int(Ev.STW_END)
GC_SWEEP_BEGIN, GC_SWEEP_END, GC_END = int(Ev.GC_SWEEP_BEGIN), int(Ev.GC_SWEEP_END), int(Ev.GC_END)
HEAP_ALLOC, SPAN_ALLOC, SPAN_FREE = int(Ev.HEAP_ALLOC), int(Ev.SPAN_ALLOC), int(Ev.SPAN_FREE)
HEAP_GOAL, GC_BEGIN, USER_LOG, STW_BEGIN = int(Ev.HEAP_GOAL), int(Ev.GC_BEGIN), int(Ev.USER_LOG), int(Ev.STW_BEGIN)
OBJECT_ALLOC, OBJECT_FREE = int(Ev.OBJECT_ALLOC), int(Ev.OBJECT_FREE)
STACK_ALLOC, STACK_FREE = int(Ev.STACK_ALLOC), int(Ev.STACK_FREE)
LATE_ALLOC, GC_START, FLUSH = int(Act.LATE_ALLOC), int(Act.GC_START), int(Act.FLUSH)
CHECKPOINT, IDLE_FLUSH, SWEPT_NEXT = int(Act.CHECKPOINT), int(Act.IDLE_FLUSH), int(Act.SWEPT_NEXT)
SWEPT_ALL, GONE = int(Act.SWEPT_ALL), int(Act.GONE)
CREDIT, RECLAIM = int(Code.SWEEP_CREDIT), int(Code.SWEEP_RECLAIM)
YIELD_BACKGROUND, YIELD_GC, DRAINED = int(Code.YIELD_BACKGROUND), int(Code.YIELD_GC), int(Code.DRAINED)
END_STOPPED = int(Code.END_STOPPED)
SCAVENGED, SCAVENGED_NOTHING, GC_FREE_OS = int(Code.SCAVENGED), int(Code.SCAVENGED_NOTHING), int(Code.GC_FREE_OS)

SILENT = np.zeros(256, np.bool_)
"""Events that change nothing here. (A call of `control` costs 300 ns: what it gets is passed by value.)"""
SILENT[[Ev.PROC_STOP, Ev.PROC_STEAL, Ev.PROC_STATUS, Ev.PROCS_CHANGE, Ev.GO_SYSCALL_BEGIN, Ev.USER_LOG, Ev.STW_BEGIN]] = True
SILENT[[Ev.GO_CREATE, Ev.GO_CREATE_BLOCKED, Ev.GO_CREATE_SYSCALL, Ev.USER_TASK_BEGIN, Ev.USER_TASK_END]] = True
SILENT[[Ev.USER_REGION_BEGIN, Ev.USER_REGION_END]] = True


@inner
def put_time(out, st, ns, step):
    """Write the time, if it is `step` later than the last one written."""
    if ns - st.last_ns >= step:
        put(out, st, K_TIME, NO_P, 0, ns, 0, 0)
        st.last_ns = ns


@inner
def numbered(st, held, u):
    """The number of type `u` in the trace, given at its first use."""
    if u == 0:
        return np.int64(0)
    if held.number[u] < 0:
        st.types += 1
        held.number[u] = st.types
        held.fresh[st.new_types] = u
        st.new_types += 1
    return held.number[u]


@inner
def put_owner(out, st, src, held, owner, p):
    """Write for whom P works, if that is another than before."""
    at = p if p != NO_P else len(held.works_for) - 1
    if held.works_for[at] != owner:
        held.works_for[at] = owner
        put(out, st, WORKS_FOR, p, 0, 0, owner, 0)


@inner
def put_alloc(out, st, src, held, i, p, several_ps, base_addr):
    """Write the alloc of event `i` by P `p`."""
    r = src.row[i]
    span = src.spans[r]
    u = src.b[i] & TYPE_MASK
    told = src.b[i] >> TYPE_BITS != 0
    arg = numbered(st, held, u)
    noscan = NOSCAN if span.spc & 1 else 0
    put_owner(out, st, src, held, src.owners[-1 - held.handle[i]] if held.handle[i] < 0 else 0, p)
    if src.owner[i] != i:
        size = asked_size(src.b[i], span.spc, span.npages) if told else src.type_bytes[u]
        known = 0 < size < 16
        out.stack[st.count] = src.b[i] >> STACK_AT
        put(out, st, TINY if known else TINY | BOUND, p, held.handle[src.owner[i]],
            size if known else 0, arg, base_addr + src.a[i] * 8)  # fmt: skip
        return
    size, bound = request(span.spc, span.size, span.npages, src.type_bytes[u], src.slot_of)
    if told:
        size, bound = asked_size(src.b[i], span.spc, span.npages), 0
    if p != NO_P and span.spc > 1:
        if several_ps and st.ends:
            flush_once(out, st, held, p)
        at = p * CLASSES + span.spc
        if held.current[at] != r:
            if held.current[at] >= 0:
                held.cached_by[held.current[at]] = -1
            held.current[at] = r
            held.cached_by[r] = p
    handle = take_handle(held.low, held.middle, held.top)
    held.handle[i] = handle
    held.told[handle] = 0
    # The stack is the alloc's: a flush of P's mcache may stand before it.
    out.stack[st.count] = src.b[i] >> STACK_AT
    put(out, st, ALLOC | noscan | bound, p, handle, size, arg, base_addr + span.base * PAGE + src.slot[i] * span.size)


@inner
def gather_dead(st, src, held):
    """Collect the handles of what the starting cycle will free."""
    count = 0
    if st.cycle < len(src.ends) - 1:
        for i in range(src.ends[st.cycle], src.ends[st.cycle + 1]):
            if src.kind[i] == OBJECT_FREE and src.owner[i] >= 0:
                if held.handle[src.owner[i]] >= 0:
                    held.dying[count] = held.handle[src.owner[i]]
                    count += 1
                else:
                    st.unborn += 1
    st.free_next, st.free_end = 0, count


@inner
def put_span_free(out, st, src, held, r, p, base_addr):
    """Write that span `r` was given back."""
    if src.spans[r].spc >= 0:
        put(out, st, SAW_SPAN_FREE, p, 0, 0, 0, base_addr + src.spans[r].base * PAGE)
        if held.cached_by[r] >= 0:
            held.current[held.cached_by[r] * CLASSES + src.spans[r].spc] = -1
            held.cached_by[r] = -1
    elif held.span_handle[r] >= 0:
        put(out, st, MANUAL_FREE, p, held.span_handle[r], 0, 0, base_addr + src.spans[r].base * PAGE)
        give_handle(held.span_low, held.span_middle, held.span_top, held.span_handle[r])
        held.span_handle[r] = -1


@inner
def put_span_alloc(out, st, src, held, i, p, several_ps, base_addr):
    """Write that the span of event `i` was made; first, that those are gone that stood there (Go 1.23 loses frees)."""
    r = src.row[i]
    span = src.spans[r]
    lost = src.lost_by[r]
    while lost >= 0:
        put_span_free(out, st, src, held, lost, p, base_addr)
        lost = src.lost_next[lost]
    if span.spc >= 0:
        if p != NO_P and several_ps and st.ends:
            flush_once(out, st, held, p)
        put(out, st, SAW_SPAN_ALLOC, p, 0, span.npages, span.spc, base_addr + span.base * PAGE)
        return
    handle = take_handle(held.span_low, held.span_middle, held.span_top)
    held.span_handle[r] = handle
    put(out, st, MANUAL_ALLOC, p, handle, span.npages, 0 if span.stacks else 1, base_addr + span.base * PAGE)


@inner
def put_stack(out, st, src, held, i, p, base_addr):
    """Write an alloc or free of a goroutine stack; a stack that was not seen before cannot be freed."""
    at = src.a[i]
    known = 0 <= at < len(held.stack_at)
    handle = held.stack_at[at] - 1 if known else -1
    if handle >= 0:
        put(out, st, K_STACK_FREE, p, handle, 0, 0, base_addr + at * 2048)
        give_handle(held.stack_low, held.stack_middle, held.stack_top, handle)
        held.stack_at[at] = 0
    elif src.kind[i] == STACK_FREE:
        st.unknown_stacks += 1
    if src.kind[i] == STACK_ALLOC and known and 0 < src.b[i] < 48:
        handle = take_handle(held.stack_low, held.stack_middle, held.stack_top)
        held.stack_at[at] = handle + 1
        put(out, st, K_STACK_ALLOC, p, handle, 1 << (src.b[i] - 1), 0, base_addr + at * 2048)


@inner
def put_flush(out, st, held, p):
    """Write that the mcaches of all Ps were flushed."""
    put(out, st, K_FLUSH, p, 0, 0, 0, 0)
    for q in range(len(held.flushed)):
        held.flushed[q] = st.ends
        uncache(held, q, CLASSES - 1)


@inner
def act(out, st, src, held, ns, several_ps, base_addr):
    """Do the next action."""
    what, value = src.actions[st.act, 1], src.actions[st.act, 2]
    p = src.actions[st.act, 3] if src.actions[st.act, 3] >= 0 else NO_P
    st.act += 1
    if what == LATE_ALLOC:
        put_alloc(out, st, src, held, value, p, several_ps, base_addr)
    elif what == GC_START:
        put_time(out, st, ns, 1)
        put(out, st, K_GC_START, p, 0, 0, value, 0)
        st.cycle += 1
    elif what == FLUSH:
        put_flush(out, st, held, p)
    elif what == CHECKPOINT:
        put_time(out, st, ns, 1)
        put(out, st, K_CHECKPOINT, p, 0, 0, value + 1, 0)
    elif what == IDLE_FLUSH:
        put(out, st, PAGE_CACHE_FLUSH, value, 0, 0, 0, 0)
    elif what == SWEPT_NEXT and held.handle[value] >= 0:
        put(out, st, K_SWEPT_NEXT, NO_P, held.handle[value], 0, 0, 0)
    elif what == SWEPT_ALL:
        put(out, st, SWEEP_DRAINED, p, 0, 0, 0, 0)
    elif what == GONE:
        put(out, st, MCACHE_FLUSH, value, 0, 0, 0, 0)
        put(out, st, PAGE_CACHE_FLUSH, value, 0, 0, 0, 0)
        uncache(held, value, CLASSES - 1)


@inner
def control(out, st, src, held, i, ns, several_ps):
    """Follow an event of the scheduler or the collector."""
    k, m = src.kind[i], src.m[i]
    p = src.p[i] if src.p[i] >= 0 else NO_P
    if k == HEAP_ALLOC:
        put(out, st, SAW_HEAP_LIVE, p, 0, src.a[i], 0, 0)
        return
    if k == HEAP_GOAL:
        # With GOGC=off Go 1.24 reckons goals beyond any address: there is none.
        put(out, st, K_HEAP_GOAL, p, 0, src.a[i] if 0 <= src.a[i] <= MAX_BYTES else 0, 0, 0)
        return
    if k == GC_SWEEP_BEGIN:
        held.context[m] = src.code[i]
        if src.code[i] == CREDIT and p != NO_P:
            if not several_ps:
                put(out, st, K_SWEEP_CREDIT, p, 0, src.b[i], 0, 0)
            elif st.ends:
                flush_once(out, st, held, p)
        elif src.code[i] == RECLAIM:
            put(out, st, K_RECLAIM_BYTES, p, 0, src.b[i], 0, 0)
    elif k == GC_SWEEP_END:
        if several_ps and held.context[m] == CREDIT and p != NO_P:
            put(out, st, K_SWEEP_PAID, p, 0, src.a[i], 0, 0)
        held.context[m] = 0
    elif k == GC_END:
        put_time(out, st, ns, 1)
        put(out, st, K_GOROUTINES, NO_P, 0, src.b[i], 0, 0)
        put(out, st, K_GC_CPU, NO_P, 0, 1000 * (src.a[i] >> MARKING_BITS), WORKS, 0)
        put(out, st, K_GC_CPU, NO_P, 0, 1000 * (src.a[i] & ((1 << MARKING_BITS) - 1)), ASSISTS, 0)
        put(out, st, K_GC_END, p, 0, 0, src.explicit[st.ends], 0)
        st.ends += 1
        st.stop_m = m
        if src.code[i] == END_STOPPED:
            put_flush(out, st, held, p)
            st.stop_m = -1
        if p != NO_P:
            held.flushed[p] = st.ends
            uncache(held, p, CLASSES - 1)
    elif k == STW_END and st.stop_m == m:
        st.stop_m = -1
    elif k == PROC_START and several_ps and st.ends:
        flush_once(out, st, held, src.a[i])
    elif k == GO_STOP and not several_ps and src.code[i] == YIELD_BACKGROUND:
        put(out, st, SWEEP_COUNT, p, 0, BACKGROUND_SPANS, BACKGROUND, 0)
    elif k == GO_STOP and not several_ps and src.code[i] == YIELD_GC:
        put(out, st, SWEEP_COUNT, p, 0, GC_SPANS, EXPLICIT, 0)
    elif k == GO_BLOCK and src.code[i] == DRAINED:
        put(out, st, SWEEP_DRAINED, p, 0, 0, 0, 0)
    elif k == GO_BLOCK and (src.code[i] == SCAVENGED or src.code[i] == SCAVENGED_NOTHING):
        put(out, st, K_SCAVENGE, p, 0, 0, src.code[i] == SCAVENGED, 0)
    elif k == GC_BEGIN and src.code[i] == GC_FREE_OS:
        st.freeing, st.freeing_from = held.goroutine[m], st.ends
    held.goroutine[m] = goroutine_after(k, src.a[i], src.b[i], held.goroutine[m])


@inner
def put_free_os(out, st, src, held, i):
    """Write that debug.FreeOSMemory released everything, before the first that its goroutine does after the cycle.

    Until then it sweeps, or yields to others that do.
    """
    if st.ends == st.freeing_from or held.goroutine[src.m[i]] != st.freeing:
        return
    if src.kind[i] in (OBJECT_ALLOC, USER_LOG, STW_BEGIN, GO_BLOCK):
        put(out, st, FREE_OS_MEMORY, src.p[i] if src.p[i] >= 0 else NO_P, 0, 0, 0, 0)
        st.freeing = -1


@kernel
def emit(out, st, src, held, until, room, several_ps, base_addr, first_key, ns_per_tick):
    """Write events until `room` are written, place `until` is reached, or `dying` is to be sorted (`free_next` is 0)."""
    while st.count < room and (st.q < until or st.free_next < st.free_end):
        if st.free_next < st.free_end:
            put(out, st, FREE, NO_P, held.dying[st.free_next], 0, 0, 0)
            held.told[held.dying[st.free_next]] = 1
            st.free_next += 1
            continue
        i = st.q
        ns = max(st.last_ns, np.int64((src.key[i] - first_key) * ns_per_tick))
        if st.act < len(src.actions) and src.actions[st.act, 0] == st.q:
            if src.actions[st.act, 1] == GC_START and st.free_end == 0:
                gather_dead(st, src, held)
                if st.free_end:
                    return
            st.free_next, st.free_end = 0, 0
            act(out, st, src, held, ns, several_ps, base_addr)
            continue
        st.q += 1
        if st.freeing >= 0:
            put_free_os(out, st, src, held, i)
        k = src.kind[i]
        if k < 128:
            if EFFECT[k] and (src.code[i] == 0 or (several_ps and k == GO_STOP)):
                held.goroutine[src.m[i]] = goroutine_after(k, src.a[i], src.b[i], held.goroutine[src.m[i]])
                continue
            if SILENT[k] or (k == PROC_START and held.flushed[src.a[i]] == st.ends):
                continue
            control(out, st, src, held, i, ns, several_ps)
            continue
        put_time(out, st, ns, TIME_STEP_NS)
        p = src.p[i] if src.p[i] >= 0 else NO_P
        if k == OBJECT_ALLOC:
            if src.owner[i] >= 0 and not src.late[i]:
                put_alloc(out, st, src, held, i, p, several_ps, base_addr)
        elif k == OBJECT_FREE:
            if src.owner[i] >= 0 and held.handle[src.owner[i]] >= 0:
                handle = held.handle[src.owner[i]]
                if not held.told[handle]:
                    # It came after the start of the cycle that freed it: events were lost, or stand in a wrong order.
                    put(out, st, FREE, NO_P, handle, 0, 0, 0)
                put_sweep_hint(out, st, src, held, i, handle, several_ps)
                give_handle(held.low, held.middle, held.top, handle)
                held.handle[src.owner[i]] = -1
        elif k == SPAN_ALLOC:
            if src.row[i] >= 0:
                put_span_alloc(out, st, src, held, i, p, several_ps, base_addr)
        elif k == SPAN_FREE:
            if src.row[i] >= 0:
                put_span_free(out, st, src, held, src.row[i], p, base_addr)
        elif k in (STACK_ALLOC, STACK_FREE):
            put_stack(out, st, src, held, i, p, base_addr)
