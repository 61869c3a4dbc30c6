"""One process of a machine compiles, and the others wait: compiling takes half a minute of a processor and 640 MiB."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable

from goalloc_cli.compiled.keeping import REACHED, can_keep, compiled_folder, fingerprint, reached


def compiled_once(name: str, work: Callable[[], object]) -> None:
    """Have all compiled that `work` needs, which is known by a name. Where nothing can be kept, each process compiles.

    The first process does the work under a lock, and leaves a mark of what it compiled; who finds the mark does nothing.
    """
    folder = compiled_folder("model")
    if not can_keep(folder):
        work()
        return
    mark = folder / f"{name}-{state_of_sources()}.done"
    if mark.exists():
        return
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError):  # no such locks here
            import fcntl

            lock = stack.enter_context(mark.with_suffix(".lock").open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists():
            work()
            with contextlib.suppress(OSError):  # the disk is full: the next one does it again
                mark.touch()


def state_of_sources() -> str:
    """Of all sources of kernels: what is in them, and what numba goes by beside that, their places and times."""
    state = hashlib.sha256()
    for folder in REACHED:
        state.update(fingerprint(folder).encode())
        for path in reached(folder):
            state.update(f"{path} {path.stat().st_mtime_ns}".encode())
    return state.hexdigest()[:16]
