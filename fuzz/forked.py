"""Tries inputs that lie in forked processes, so that one that crashes or hangs is found, kept and left behind.

    python -m fuzz.forked events --seconds 60 --from 0

Inputs are numbered, and made from their number: a number is all that has to be kept. With NUMBA_BOUNDSCHECK=1 an index out
of range is an error wherever it would lead.
"""

from __future__ import annotations

import argparse
import faulthandler
import mmap
import os
import random
import signal
import struct
import sys
import time
import traceback
import warnings

from fuzz.counts import HOME, LIES, add_count
from fuzz.doors import TRY, warm

BATCH = 250
"""Inputs for each process."""
LIMIT_SECONDS = 20.0
"""Of a processor, for one input: more than any takes."""
WAIT_SECONDS = 600
"""For one input, by the clock: however busy the machine is, what takes longer waits for something that does not come."""
STATE = struct.Struct("<qq")
"""What a process tells: the number of its input, and how many were broken so far."""
HANGS = {signal.SIGPROF: f"took more than {LIMIT_SECONDS:.0f} s", signal.SIGALRM: "waits for ever"}


def main() -> int:
    parser = argparse.ArgumentParser("python -m fuzz.forked", description=__doc__)
    parser.add_argument("kind", choices=LIES)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--inputs", type=int, default=1 << 62, help="at most")
    parser.add_argument("--from", type=int, default=None, dest="first", help="the first number; by default a random one")
    asked = parser.parse_args()
    first = random.SystemRandom().randrange(1 << 40) if asked.first is None else asked.first
    warnings.simplefilter("error")
    warm()
    return Runner(asked.kind).run(first, asked.inputs, asked.seconds)


class Runner:
    """Runs inputs of one kind, a batch in each process."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.told = mmap.mmap(-1, STATE.size)
        self.folder = HOME / "broken" / kind
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, first: int, inputs: int, seconds: float) -> int:
        """Try inputs from `first` on, as many and as long as asked for; return 1 where any broke."""
        began = time.monotonic()
        at, broken = first, 0
        while at < first + inputs and time.monotonic() - began < seconds:
            end = min(at + BATCH, first + inputs)
            reached, found, problem = self.batch(at, end, began + seconds)
            broken += found
            if problem:
                alone = self.batch(reached, reached + 1, began + seconds + LIMIT_SECONDS)[2]
                broken += 1
                told = f"{problem}{'' if alone else f', but only behind those from {at} on'}"
                print(f"{self.kind} {reached}: {told}", flush=True)
                (self.folder / f"{reached}.txt").write_text(told)
                reached += 1
            at = reached
        took = time.monotonic() - began
        checked = bool(os.environ.get("NUMBA_BOUNDSCHECK"))
        add_count("lied", self.kind, tried=at - first, broken=broken, seconds=round(took), checked=checked)
        print(f"{self.kind}: {at - first:,} inputs from {first} on in {took:.0f} s; {broken} broke it", flush=True)
        return int(broken > 0)

    def batch(self, at: int, end: int, until: float) -> tuple[int, int, str]:
        """Try inputs at .. end-1 in a process; return the first not tried, how many broke, and what became of that one."""
        STATE.pack_into(self.told, 0, at, 0)
        child = os.fork()
        if child == 0:
            faulthandler.enable()
            self.work(at, end, until)
        _, status = os.waitpid(child, 0)
        number, found = STATE.unpack_from(self.told)
        if not os.WIFSIGNALED(status):
            return number, found, ""
        by = signal.Signals(os.WTERMSIG(status))
        return number, found, HANGS.get(by, f"ended by {by.name}")

    def work(self, at: int, end: int, until: float) -> None:
        """What the process does; it does not return."""
        found = 0
        for number in range(at, end):
            STATE.pack_into(self.told, 0, number, found)
            if time.monotonic() > until:
                end = number
                break
            # Both end the process by themselves, also in compiled code.
            signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
            signal.alarm(WAIT_SECONDS)
            try:
                TRY[self.kind](random.Random(number))
            except BaseException:
                found += 1
                told = traceback.format_exc()
                (self.folder / f"{number}.txt").write_text(told)
                print(f"{self.kind} {number}: {told.splitlines()[-1]}", flush=True)
        STATE.pack_into(self.told, 0, end, found)
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
