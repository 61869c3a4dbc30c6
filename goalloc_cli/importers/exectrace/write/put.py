"""One event of the trace, and what P holds which span as it is written."""

# mypy: allow-untyped-defs
# (Kernels are typed by what they are called with.)

from __future__ import annotations

from goalloc_cli.compiled.jit import bare
from goalloc_cli.importers.exectrace.infer.late import CLASSES
from goalloc_cli.trace.event import Kind

MCACHE_FLUSH = int(Kind.MCACHE_FLUSH)


@bare
def put(out, st, kind, p, handle, size, arg, addr):
    """Write one event."""
    event = out[st.count]
    event.kind, event.p, event.id, event.size, event.arg, event.addr = kind, p, handle, size, arg, addr
    st.count += 1


@bare
def uncache(held, p, spc):
    """Note that P `p` no longer holds spans of class `spc` and below."""
    for k in range(p * CLASSES, p * CLASSES + spc + 1):
        if held.current[k] >= 0:
            held.cached_by[held.current[k]] = -1
            held.current[k] = -1


@bare
def flush_once(out, st, held, p):
    """Flush the mcache of P `p` if it was not yet in this cycle (mcache.go, prepareForSweep)."""
    if held.flushed[p] != st.ends:
        put(out, st, MCACHE_FLUSH, p, 0, 0, 0, 0)
        held.flushed[p] = st.ends
        uncache(held, p, CLASSES - 1)
