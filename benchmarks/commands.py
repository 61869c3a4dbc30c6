"""Rows: the whole command, from its start to its end, on files; its memory; how both grow with the trace."""

from __future__ import annotations

import tempfile
from functools import partial

from benchmarks.bench import Bench
from benchmarks.measure import goalloc, seconds
from benchmarks.replays import run
from benchmarks.result import Result, Target, skipped
from goalloc_cli.importers.sniff import open_trace

MILLION = 10**6
MANY_LIVE = 10_000_000
LEAST_EVENTS = 1000


def whole_command(bench: Bench) -> list[Result]:
    """`goalloc replay FILE`, compiled."""
    return [replayed(bench, millions, limit) for millions, limit in ((5, 0.9), (20, 1.3), (100, 4.0))]


def replayed(bench: Bench, millions: int, limit: float) -> Result:
    count = bench.events(millions * MILLION)
    runs = 2 if millions > 50 else bench.runs
    path = bench.file(count)
    goalloc("replay", path, "-q")  # compiles, and has the file in memory
    used = goalloc("replay", path, "-q", runs=runs)
    return Result(
        f"goalloc replay, {count / MILLION:g} M events",
        used.seconds,
        "s",
        None if bench.quick else Target(limit, "s"),
        f"wall time, best of {runs}; {used.cpu_seconds:.2f} s of CPU; peak {used.peak_bytes / 2**20:.0f} MiB",
        {"cpu_seconds": used.cpu_seconds, "peak_bytes": used.peak_bytes},
    )


def peak_memory(bench: Bench) -> list[Result]:
    """It follows the live heap, not the length of the trace."""
    short, long = bench.events(100 * MILLION), bench.events(1000 * MILLION)
    limit = Target(260, "MiB")
    what = "peak memory of goalloc replay, {} M events, 200,000 live"
    at_short = goalloc("replay", bench.file(short), "-q").peak_bytes / 2**20
    found = [Result(what.format(f"{short // MILLION:,}"), at_short, "MiB", limit, "of the process (ru_maxrss)")]
    if not bench.long:
        return [*found, skipped(what.format(f"{long // MILLION:,}"), "--long measures it", limit)]
    at_long = goalloc("replay", bench.file(long), "-q").peak_bytes / 2**20
    same = Target(round(at_short * 1.02), "MiB")
    return [
        *found,
        Result(what.format(f"{long // MILLION:,}"), at_long, "MiB", same, "no more than the row above, within 2 %"),
    ]


def from_file(path: str) -> None:
    run(open_trace(path))


def cost_by_length(bench: Bench) -> list[Result]:
    """Nanoseconds for an event, decoding included, as traces grow."""
    lengths = [1, 5, 20, 100, *([1000] if bench.long else [])]
    cost: dict[int, float] = {}
    for millions in lengths:
        path = bench.file(bench.events(millions * MILLION))
        times = seconds(partial(from_file, path), 1 if millions >= 100 else bench.runs)
        cost[millions] = min(times.wall) / bench.events(millions * MILLION) * 1e9
    told = ", ".join(f"{bench.events(m * MILLION) / MILLION:g} M: {ns:.1f}" for m, ns in cost.items())
    spread = max(cost.values()) / min(cost.values()) - 1
    what = f"cost of an event, 1 M to {lengths[-1]:,} M events: spread"
    note = f"ns/event from a file: {told}" + ("" if bench.long else "; --long goes to 1,000 M")
    return [Result(what, 100 * spread, "%", None if bench.quick else Target(15, "%"), note, {"ns": cost})]


def state_of_live_objects(bench: Bench) -> list[Result]:
    """What the peak grows by when 10 million objects are alive in place of next to none."""
    live = bench.events(MANY_LIVE)
    many = goalloc("replay", bench.file(live * 5 // 2, "steady", live), "-q")
    few = goalloc("replay", bench.file(live * 5 // 2, "steady", LEAST_EVENTS), "-q")
    each = (many.peak_bytes - few.peak_bytes) / live
    note = f"peak {many.peak_bytes / 2**20:.0f} MiB less {few.peak_bytes / 2**20:.0f} MiB with {LEAST_EVENTS:,} live"
    return [Result(f"replay state of each of {live // MILLION} M live objects", each, "bytes", Target(40, "bytes"), note)]


def import_recording(bench: Bench) -> list[Result]:
    """An execution trace becomes events."""
    target = Target(8, "M events/s", at_least=True)
    what = "import of an execution trace"
    if bench.recording is None:
        return [skipped(what, "--recording FILE measures it", target)]
    recording = bench.recording
    events = sum(map(len, open_trace(recording).batches))  # compiles
    found = seconds(lambda: sum(map(len, open_trace(recording).batches)), bench.runs)
    note = f"{events:,} events, not written; {found.told(events)}"
    return [Result(what, events / min(found.wall) / 1e6, "M events/s", target, note, {"seconds": found.wall})]


def start_up(bench: Bench) -> list[Result]:
    """What a command takes before and beside its work."""
    small = bench.file(10_000)
    goalloc("replay", small, "-q")
    shown = goalloc("--help", runs=10)
    short = goalloc("replay", small, "-q", runs=bench.runs)
    with tempfile.TemporaryDirectory(dir=bench.folder) as empty:
        first = goalloc("replay", small, "-q", environ={"GOALLOC_CACHE": empty})
    return [
        Result("goalloc --help", shown.seconds, "s", Target(0.1, "s"), "best of 10"),
        Result("goalloc replay, 10,000 events, compiled", short.seconds, "s", Target(0.5, "s"), f"best of {bench.runs}"),
        Result("goalloc replay, first run ever", first.seconds, "s", Target(10, "s"), "an empty cache: it compiles"),
    ]
