"""Measures commands in processes of their own, and calls in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
LAUNCHER = Path(__file__).parent / "launcher.py"
AS_INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Installed packages have their modules' bytecode: without it every start takes 0.2 s longer."""
GOALLOC = (sys.executable, "-m", "goalloc_cli")


@dataclass(frozen=True)
class Used:
    """What a command took."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def command(*args: str, environ: dict[str, str] | None = None) -> Used:
    """Run a command without input, its output thrown away; raise RuntimeError if it fails."""
    told = subprocess.run(
        [sys.executable, "-I", "-S", str(LAUNCHER), *args],
        cwd=ROOT,
        env={**AS_INSTALLED, **(environ or {})},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    found = json.loads(told)
    if found.pop("code"):
        raise RuntimeError(f"{' '.join(args)}: failed")
    return Used(**found)


def goalloc(*args: str, runs: int = 1, environ: dict[str, str] | None = None) -> Used:
    """The least that the command took of each, in several runs."""
    PULSE.feel()
    found = [command(*GOALLOC, *args, environ=environ) for _ in range(runs)]
    return Used(
        min(used.seconds for used in found),
        min(used.cpu_seconds for used in found),
        min(used.peak_bytes for used in found),
    )


@dataclass
class Times:
    """How long each of several calls took, on the wall and of the CPU."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def of(self, work: Callable[[], object]) -> None:
        """Make one call more."""
        PULSE.feel()
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        self.cpu.append(time.process_time() - cpu)
        self.wall.append(time.perf_counter() - wall)

    def told(self, events: int) -> str:
        """Nanoseconds for each of so many events."""
        best, worst, cpu = (s / events * 1e9 for s in (min(self.wall), max(self.wall), min(self.cpu)))
        return f"{best:.1f} ns/event, CPU {cpu:.1f}; best of {len(self.wall)}, worst {worst:.1f}"


def seconds(work: Callable[[], object], runs: int) -> Times:
    """How long several calls took."""
    found = Times()
    for _ in range(runs):
        found.of(work)
    return found


class Pulse:
    """A fixed piece of work, done again and again between measurements: how its time varies is the noise of the machine."""

    def __init__(self) -> None:
        self.at = np.random.default_rng(1).integers(0, 1 << 21, 1 << 20)
        self.times: list[float] = []

    def feel(self) -> None:
        start = time.perf_counter()
        np.arange(1 << 21).take(self.at).sum()
        self.times.append(time.perf_counter() - start)

    def __str__(self) -> str:
        if not self.times:
            return "not felt"
        middle, worst = (float(np.quantile(self.times, q)) / min(self.times) for q in (0.5, 1.0))
        return f"a fixed piece of work took {middle:.2f} times its least time at the median, {worst:.2f} times at worst"


PULSE = Pulse()
