"""The hints that tell who swept which span."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.importers.exectrace.infer.cycles import Code
from goalloc_cli.importers.exectrace.infer.sweepers import (
    ALONE,
    CLOSES,
    FLUSHED,
    OPENS,
    PAYER,
    is_for_refill,
    sweeper_of,
)
from goalloc_cli.importers.exectrace.write.put import put, uncache
from goalloc_cli.trace.event import NO_P, Kind

SWEEPS = 62
"""Numbers for sweeps that are under way at once."""
SWEEP_TO, MCACHE_FLUSH, K_REFILL = int(Kind.SWEEP_TO), int(Kind.MCACHE_FLUSH), int(Kind.REFILL)
K_SWEEP_RECLAIM, K_SWEEP_END = int(Kind.SWEEP_RECLAIM), int(Kind.SWEEP_END)
CREDIT, CACHE, RECLAIM = int(Code.SWEEP_CREDIT), int(Code.SWEEP_CACHE), int(Code.SWEEP_RECLAIM)


@inner
def put_sweep_hint(out, st, src, held, i, handle, several_ps):
    """Write who swept the span of the free `i`, at its first free in a cycle; and with several Ps, when that sweep ended."""
    r = src.row[i]
    if held.swept[r] != st.ends:
        held.swept[r] = st.ends
        held.sweep_number[r] = 0
        if several_ps and src.sweep[i] == OPENS and held.context[src.m[i]] != CACHE:
            st.sweeps += 1
            held.sweep_number[r] = 1 + st.sweeps % SWEEPS
        if several_ps or st.stop_m != src.m[i]:
            put_sweeper(out, st, src, held, i, handle, several_ps)
    elif src.sweep[i] == CLOSES and held.sweep_number[r]:
        put(out, st, K_SWEEP_END, NO_P, 0, held.sweep_number[r], 0, 0)


@inner
def put_sweeper(out, st, src, held, i, handle, several_ps):
    """Write who swept the span of the free `i`."""
    r, m = src.row[i], src.m[i]
    number = held.sweep_number[r]
    p = src.next_p[i] if src.next_p[i] >= 0 else NO_P
    holder = held.cached_by[r]
    if holder >= 0:
        put(out, st, MCACHE_FLUSH, holder, 0, 0, src.spans[r].spc, 0)
        uncache(held, holder, src.spans[r].spc)
        if several_ps:
            put(out, st, SWEEP_TO, p, handle, number, FLUSHED, 0)
    elif held.context[m] == RECLAIM:
        put(out, st, K_SWEEP_RECLAIM, p, handle, number, 1 if several_ps else 0, 0)
    elif held.context[m] == CACHE:
        if several_ps and p != NO_P:
            put(out, st, K_REFILL, p, 0, 0, src.spans[r].spc, 0)
    elif held.context[m] == CREDIT:
        put(out, st, SWEEP_TO, p, handle, number, PAYER, 0)
    else:
        sweeper = sweeper_of(src.sweepers, held.goroutine[m], src.kind, src.m, st.q, m, several_ps)
        if sweeper == ALONE and is_for_refill(src.kind, src.m, src.row, st.q, m, r):
            return
        put(out, st, SWEEP_TO, p, handle, number, sweeper, 0)
