"""One process of a machine compiles, and the others wait: compiling takes half a minute of a processor and 640 MiB."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable

from goalloc_cli.compiled.keeping import REACHED, cache_root, can_keep, compiled_folder, fingerprint

LOCK = "compiling.lock"


def compiled_once(name: str, work: Callable[[], object]) -> None:
    """Have all compiled that `work` needs, which is known by a name. Where nothing can be kept, each process compiles.

    The first process does the work under a lock, and leaves a mark with what it compiled; who finds the mark does nothing.
    """
    folder = compiled_folder("model")
    if not can_keep(folder):
        work()
        return
    all_of_it = hashlib.sha256(" ".join(fingerprint(each) for each in REACHED).encode()).hexdigest()[:16]
    mark = folder / f"{name}-{all_of_it}.done"
    if mark.exists():
        return
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError):  # no such locks here
            import fcntl

            lock = stack.enter_context((cache_root() / LOCK).open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists():
            work()
            mark.touch()
