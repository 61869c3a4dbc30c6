"""What differs between the heap profiles of Go's releases."""

from __future__ import annotations

from goalloc_cli.design.releases import RELEASES

LAST_WITHOUT_CALLER = "1.25"


def lacks_caller(version: str) -> bool:
    """Whether the heap profile of Go `version` leaves out who called mallocgc: the runtime, but also reflect.unsafe_New.

    (runtime/mprof.go, mProf_Malloc skips one call more than are the profiler's and the allocator's own.)
    """
    known, wanted = [*RELEASES], ".".join(version.split(".")[:2])
    return wanted in known and known.index(wanted) <= known.index(LAST_WITHOUT_CALLER)
