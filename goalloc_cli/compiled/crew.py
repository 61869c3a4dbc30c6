"""Compiling on all cores: units are compiled by helpers, processes of their own, beside the kernel that calls them."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from goalloc_cli.compiled.units import Built, Part, unpacked

START = """
import sys
sys.path.insert(0, sys.argv[1])
import goalloc_cli
del sys.path[0]
from goalloc_cli.compiled.helper import main
main()
"""
"""A helper has the goalloc that runs here; all else it finds where Python looks for it, and never in the current folder."""
HELPER = [sys.executable, "-P", "-c", START, str(Path(__file__).parents[2])]
MOST_HELPERS = 3
"""Processes beside this one: each takes 300 MiB."""
WORTH = 4
"""Units for which a helper is worth its start, of most of a second."""


def build_all(parts: list[Part]) -> Iterator[tuple[Part, Built]]:
    """Compile all of these, the first one here. Helpers begin at the other end."""
    units, done = parts[1:], queue.SimpleQueue[tuple[Part, Built]]()
    crew = [threading.Thread(target=employ, args=(units, done), daemon=True) for _ in range(helpers(len(units)))]
    for each in crew:
        each.start()
    from goalloc_cli.compiled.building import build

    yield parts[0], build(parts[0])
    yield from ((unit, build(unit)) for unit in taken(units, 0))
    for each in crew:
        each.join()
    while not done.empty():
        yield done.get()
    yield from ((unit, build(unit)) for unit in taken(units, 0))  # what a helper gave back


def taken(units: list[Part], end: int) -> Iterator[Part]:
    """Take one unit after the other from an end of the list, as long as there are some; others take some, too."""
    with contextlib.suppress(IndexError):
        while True:
            yield units.pop(end)


def helpers(units: int) -> int:
    """How many processes are to help."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(0, min(cores - 1, MOST_HELPERS, units // WORTH))


def employ(units: list[Part], done: queue.SimpleQueue[tuple[Part, Built]]) -> None:
    """Have a helper compile units as long as there are some. One that it does not compile goes back."""
    try:
        helper = subprocess.Popen(HELPER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return  # nobody can be had: it is all done here
    with helper:
        for unit in taken(units, -1):
            try:
                done.put((unit, ask(helper, unit)))
            except (OSError, ValueError):
                units.append(unit)
                break
        assert helper.stdin is not None
        with contextlib.suppress(OSError):
            helper.stdin.close()


def ask(helper: subprocess.Popen[bytes], unit: Part) -> Built:
    """Have a helper compile a unit. Raise OSError or ValueError where it does not."""
    assert helper.stdin is not None and helper.stdout is not None
    helper.stdin.write(f"{unit.module} {unit.name}\n".encode())
    helper.stdin.flush()
    built = unpacked(helper.stdout.read(int(helper.stdout.readline())))
    if built is None:
        raise ValueError("a damaged answer")
    return built
