"""Runs a command and tells its time and peak memory, as JSON on the standard output.

A process of its own, and a small one: Linux counts what a parent held at the moment of the fork into the peak of its child.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(command: list[str]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1)]
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, used = os.wait4(child, 0)
    told = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * 1024,
        "code": os.waitstatus_to_exitcode(status),
    }
    print(json.dumps(told))


main(sys.argv[1:])
