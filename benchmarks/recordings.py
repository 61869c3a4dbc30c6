"""Rows: what a recording costs to import, against Go's own reader that only iterates over it; and to verify."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from benchmarks import goreader
from benchmarks.bench import Bench
from benchmarks.measure import GOALLOC, Used, command, goalloc
from benchmarks.result import Result, Target, skipped

LARGE_BYTES = 50 << 20
"""Recordings beyond this may cost less for each event: the start of Python no longer counts."""


def imported(bench: Bench) -> list[Result]:
    """CPU and peak memory of `goalloc import`, in turns with Go's reader."""
    what = "import: CPU against Go's reader"
    if bench.recording is None:
        return [skipped(what, "--recording FILE measures it")]
    recording, output = bench.recording, str(bench.folder / "imported.msgpack")
    size = Path(recording).stat().st_size
    target = Target(1.5 if size > LARGE_BYTES else 2, "x")
    line = ("import", recording, "-o", output, "--force", "-q")
    goalloc(*line)  # compiles
    program = goreader.build(bench)
    ours: list[Used] = []
    theirs: list[Used] = []
    for _ in range(bench.runs):
        ours.append(command(*GOALLOC, *line))
        if not isinstance(program, str):
            theirs.append(command(str(program), recording, environ={"GOMAXPROCS": "1"}))
    cpu, peak = min(used.cpu_seconds for used in ours), min(used.peak_bytes for used in ours)
    memory = Result(
        "import: peak memory", peak / 2**20, "MiB", Target(300, "MiB"), f"{size / 1e6:.0f} MB; of the process (ru_maxrss)"
    )
    if isinstance(program, str):
        return [skipped(what, program, target), memory]
    of_go = min(used.cpu_seconds for used in theirs)
    how = f"{size / 1e6:.0f} MB: {cpu:.2f} s, Go {of_go:.2f} s; least of {len(ours)}, by turns"
    details = {"import_cpu_seconds": [u.cpu_seconds for u in ours], "go_cpu_seconds": [u.cpu_seconds for u in theirs]}
    return [Result(what, cpu / of_go, "x", target, how, details), memory]


def verified(bench: Bench) -> list[Result]:
    """Events per second of `goalloc verify`, its start left out: as it reports them itself."""
    what, target = "verify", Target(8, "M events/s", at_least=True)
    if bench.recording is None:
        return [skipped(what, "--recording FILE measures it", target)]
    output = bench.folder / "verdict.json"
    line = ("verify", bench.recording, "--format", "json", "-o", str(output), "--force", "-q")
    goalloc(*line)  # compiles
    speeds = []
    for _ in range(bench.runs):
        goalloc(*line)
        told = json.loads(output.read_text())
        speeds.append(told["events"] / told["seconds"] / 1e6)
    return [Result(what, max(speeds), "M events/s", target, f"best of {len(speeds)}", {"events_per_second": speeds})]


def first_runs(bench: Bench) -> list[Result]:
    """What the first import and the first verify take with an empty cache."""
    found = []
    for verb, limit in (("import", 6), ("verify", 8)):
        what, target = f"goalloc {verb}, first run ever", Target(limit, "s")
        if bench.recording is None:
            found.append(skipped(what, "--recording FILE measures it", target))
            continue
        output = ("-o", str(bench.folder / f"first-{verb}"), "--force", "-q")
        with tempfile.TemporaryDirectory(dir=bench.folder) as empty:
            used = goalloc(verb, bench.recording, *output, environ={"GOALLOC_CACHE": empty})
        note = f"an empty cache: it compiles; {used.cpu_seconds:.1f} s of CPU, {os.cpu_count()} cores"
        found.append(Result(what, used.seconds, "s", target, note))
    return found

