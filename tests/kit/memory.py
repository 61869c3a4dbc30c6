"""How much memory a step takes, in a process of its own: the most that a process ever had says nothing of one step."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable


def grown_bytes(work: Callable[[], object]) -> int:
    """How far the memory of a process that does this grows. Whatever has to be compiled for it should be by now."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            work()
            os.write(write, f"{(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10}".encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    assert told, "the work failed"
    return int(told)
