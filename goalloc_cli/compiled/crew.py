"""Compiling on all cores: units are compiled by helpers, processes of their own, beside the kernel that calls them; those of
kernels that will be called, too, while this process compiles others.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
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
Keep = Callable[[Part, Built], None]


class Crew:
    """What helpers are to compile, and what they have under way. They go on while the process does something else."""

    def __init__(self) -> None:
        self.wanted: list[Part] = []
        """What a kernel needs that is compiled now: this process takes from the front, and helpers from the end."""
        self.later: list[Part] = []
        """What will be needed, for helpers alone."""
        self.needed: set[Part] = set()
        """What is waited for."""
        self.given_up: set[Part] = set()
        """What a helper did not compile: no other is asked before it is needed."""
        self.under_way: set[Part] = set()
        self.employed = 0
        self.changed = threading.Condition()

    def build_all(self, parts: list[Part], later: list[Part], is_kept: Callable[[Part], bool], keep: Keep) -> None:
        """Compile a kernel, the first of these, unless a helper has it under way; and the units that it needs, the others.

        Args:
            later: what will be needed; it need not be there when this returns.
            is_kept: whether a part is compiled.
            keep: takes in what is compiled, from any thread.
        """
        with self.changed:
            # A helper keeps what it has compiled, and has it under way no longer after that.
            self.wanted = [part for part in parts if part not in self.under_way and not is_kept(part)]
            here = [self.wanted.pop(0)] if self.wanted[:1] == parts[:1] else []
            not_later = {*self.under_way, *self.given_up, *parts}
            self.later = [part for part in later if part not in not_later and not is_kept(part)]
            self.needed = set(parts)
            more = helpers(len(self.wanted) + len(self.later)) - self.employed
            self.employed += max(0, more)
            for _ in range(more):
                threading.Thread(target=employ, args=(self, keep), daemon=True).start()
        from goalloc_cli.compiled.building import build

        while True:
            for part in here:
                keep(part, build(part))
            with self.changed:
                while not self.wanted and self.under_way & self.needed:
                    self.changed.wait()
                if not self.wanted:
                    return
                here = [self.wanted.pop(0)]

    def taken(self) -> Iterator[Part]:
        """Take one part after the other, for a helper, as long as there are some."""
        while True:
            with self.changed:
                waiting = self.wanted or self.later
                if not waiting:
                    return
                part = waiting.pop()
                self.under_way.add(part)
            yield part

    def end(self, part: Part, is_done: bool) -> None:
        """A helper has done with a part; if it is not done, it goes back where it is needed."""
        with self.changed:
            self.under_way.remove(part)
            if not is_done and part in self.needed:
                self.wanted.append(part)
            elif not is_done:
                self.given_up.add(part)
            self.changed.notify_all()

    def leave(self) -> None:
        """A helper ends."""
        with self.changed:
            self.employed -= 1
            self.changed.notify_all()


def helpers(units: int) -> int:
    """How many processes are to help."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(0, min(cores - 1, MOST_HELPERS, units // WORTH))


def employ(crew: Crew, keep: Keep) -> None:
    """Have a helper compile as long as there is something. What it does not compile goes back."""
    try:
        helper = subprocess.Popen(HELPER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        crew.leave()
        return  # nobody can be had: it is all done here
    with helper:
        for part in crew.taken():
            is_done = False
            try:
                keep(part, ask(helper, part))
                is_done = True
            except (OSError, ValueError):
                break
            finally:
                crew.end(part, is_done)
        crew.leave()
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


crew = Crew()
"""The one of this process."""
