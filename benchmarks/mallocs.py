"""Row: the same operations performed by allocators of C, which keep no books at all."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from benchmarks import realgo
from benchmarks.bench import Bench
from benchmarks.measure import Times
from benchmarks.replays import run
from benchmarks.result import Result, Target, skipped

SOURCE = Path(__file__).parent / "mallocs" / "main.c"
FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64")
LIBRARIES = [Path(folder, "libjemalloc.so.2") for folder in FOLDERS]
TARGET = Target(1.3, "x")
ROWS = {"blocks written to": ["touch"], "blocks not touched": []}


def against_malloc(bench: Bench) -> list[Result]:
    """How much longer the replay takes than jemalloc, in processor time, by turns."""
    compiler, library = shutil.which("cc"), next((path for path in LIBRARIES if path.exists()), None)
    if compiler is None or library is None:
        why = "no C compiler on the PATH" if compiler is None else "no jemalloc: apt-get install libjemalloc2"
        return [skipped(f"replay against jemalloc, {what}", why, TARGET) for what in ROWS]
    program = bench.folder / "mallocs-program"
    bits = [f"-D{name}={getattr(realgo, name)}" for name in ("SIZE_SHIFT", "NOSCAN_BIT", "DROP_BIT")]
    subprocess.run([compiler, "-O3", *bits, SOURCE, "-o", program], check=True)
    operations = realgo.export(bench)
    count = bench.in_memory().events or 0
    run(bench.in_memory())
    ours = Times()
    theirs: dict[str, list[float]] = {what: [] for what in ROWS}
    for _ in range(min(bench.runs, 3)):
        ours.of(lambda: run(bench.in_memory()))
        for what, words in ROWS.items():
            theirs[what].append(ns_per_operation(program, operations, library, words))
    ns = min(ours.cpu) / count * 1e9
    return [
        Result(
            f"replay against jemalloc, {what}",
            ns / min(theirs[what]),
            "x",
            TARGET,
            f"jemalloc {min(theirs[what]):.1f} ns, replay {ns:.1f} ns of CPU each; best of {len(ours.cpu)}, by turns",
            {"replay_cpu_seconds": ours.cpu, "jemalloc_ns": theirs[what]},
        )
        for what in ROWS
    ]


def ns_per_operation(program: Path, operations: Path, library: Path, words: list[str]) -> float:
    environ = {**os.environ, "LD_PRELOAD": str(library)}
    return float(subprocess.run([program, operations, *words], env=environ, capture_output=True, check=True).stdout)
