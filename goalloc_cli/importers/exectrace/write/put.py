"""One event of the trace, and what P holds which span as it is written."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from goalloc_cli.compiled.jit import inner
from goalloc_cli.importers.exectrace.infer.late import CLASSES
from goalloc_cli.trace.event import Kind

MCACHE_FLUSH = int(Kind.MCACHE_FLUSH)


@inner
def put(out, st, kind, p, handle, size, arg, addr):
    """Write one event."""
    at = st.count
    out.kind[at], out.p[at], out.id[at] = kind, p, handle
    out.size[at], out.arg[at], out.addr[at] = size, arg, addr
    st.count += 1


@inner
def uncache(held, p, spc):
    """Note that P `p` no longer holds spans of class `spc` and below."""
    for k in range(p * CLASSES, p * CLASSES + spc + 1):
        if held.current[k] >= 0:
            held.cached_by[held.current[k]] = -1
            held.current[k] = -1


@inner
def flush_once(out, st, held, p):
    """Flush the mcache of P `p` if it was not yet in this cycle (mcache.go, prepareForSweep)."""
    if held.flushed[p] != st.ends:
        put(out, st, MCACHE_FLUSH, p, 0, 0, 0, 0)
        held.flushed[p] = st.ends
        uncache(held, p, CLASSES - 1)
