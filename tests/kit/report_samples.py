"""A made-up replay for the tests of reports: small, without a model, and every ledger in it adds up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from goalloc_cli.design.releases import GO_1_27
from goalloc_cli.results.outcome import (
    ARENA,
    CENTRAL,
    CLASS,
    LEDGER,
    MARK,
    MCACHE,
    SAMPLE,
    SPAN,
    Checkpoint,
    External,
    Large,
    Outcome,
    PinRow,
    Place,
    Reason,
    Tiny,
)
from goalloc_cli.trace.trace import Header

PAGE = 8192
MIB = 1 << 20
BASE = 0xC000000000

SMALL_CLASSES = (
    # spc, elem_size, npages, nelems, spans
    (5, 16, 1, 504, 40),
    (9, 48, 1, 168, 90),
    (10, 48, 1, 165, 310),
    (20, 128, 1, 62, 120),
    (64, 1024, 1, 8, 200),
    (88, 4096, 1, 2, 75),
)


def header(**changes: Any) -> Header:
    """A recording of Go 1.27 with hints, whose sizes are known."""
    known = Header(go_version="1.27", gomaxprocs=4, source="execution trace", hints=True, witnesses=True, heap_base=BASE)
    return replace(known, **changes)


def outcome(**changes: Any) -> Outcome:
    """A replay of a web server, 21 GC cycles, its peak in the thirteenth."""
    spans, classes = heap()
    made = Outcome(
        trace_name="web.msgpack",
        header=header(),
        design=GO_1_27,
        design_name="go1.27",
        events={"alloc": 4_310_220, "free": 4_100_115, "tiny": 301_122, "gc_end": 21, "sweep_count": 1904},
        hints={"sweep_count": 1904, "manual_alloc": 310},
        seconds=0.5,
        names=["", "warm"],
        samples=timeline(),
        peak=timeline()[13],
        memstats=memstats(52 * MIB, 61 * MIB),
        checkpoints=[Checkpoint("warm", memstats(30 * MIB, 33 * MIB))],
        classes=classes,
        spans=spans,
        pins=[
            PinRow("net/http.http2clientConnReadLoop", 31, 31 * PAGE, 31 * 48),
            PinRow("", 12, 12 * PAGE, 12 * 128),
        ],
        mcaches=rows(MCACHE, [(p, 900 + p, 21, 75_000 + p, 6, 40_960, 12, 16_384) for p in range(4)]),
        central=rows(CENTRAL, [(s[0], 3, 20, 1, 5, 200, 90, 12, 40, 130) for s in SMALL_CLASSES]),
        arenas=rows(ARENA, [(BASE, 8192, 6900, 64, 400, 828), (BASE + 64 * MIB, 4096, 909, 0, 87, 3100)]),
        external=External(460, 33, 120, 12, 2, (10, 9, 6, 4, 2, 1, 1)),
        large=Large(12, 3 * MIB, 41_000, 90, 78, 20 * MIB),
        tiny=Tiny(120_500, 8_100, 301_122, 40_400),
        locks={"large object": 12, "small span": 1_400, "span freed": 900},
        sweep={"background": 9_001, "allocating": 1_904},
        marks=rows(MARK, [(s[0], s[1], n, n * s[1], n * s[1] - n, 9 * n, 9 * n * s[1], 9 * n * s[1] - 9 * n)
                          for s, n in zip(SMALL_CLASSES, (900, 4_000, 30_000, 2_000, 800, 60), strict=True)]),
    )  # fmt: skip
    return replace(made, **changes)


def memstats(heap_alloc: int, heap_inuse: int) -> dict[str, object]:
    return {
        "HeapAlloc": heap_alloc,
        "HeapInuse": heap_inuse,
        "HeapIdle": MIB,
        "HeapReleased": 0,
        "StackInuse": 65536,
        "HeapObjects": 1200,
        "Mallocs": 2000,
        "Frees": 800,
        "BySize": [{"Size": 16, "Mallocs": 9, "Frees": 2}],
    }


def rows(dtype: np.dtype[Any], values: list[tuple[int, ...]]) -> np.ndarray:
    return np.array(values, dtype)


def heap() -> tuple[np.ndarray, np.ndarray]:
    """SPAN rows and the CLASS rows that sum them up."""
    random = np.random.default_rng(11890)
    spans: list[tuple[int, ...]] = []
    classes: list[tuple[int, ...]] = []
    page = 0
    for spc, elem_size, npages, nelems, count in SMALL_CLASSES:
        live = np.minimum(random.integers(0, 2 * nelems, count), nelems)
        used = np.minimum(live + random.integers(0, 3, count), nelems)
        ages = random.integers(0, 22, count)
        for i in range(count):
            place = Place.MCACHE if i < 4 else Place.FULL_SWEPT if used[i] == nelems else Place.PARTIAL_SWEPT
            pin = 0 if live[i] else -1
            spans.append(
                (
                    BASE + page * PAGE,
                    npages,
                    spc,
                    elem_size,
                    nelems,
                    int(used[i]),
                    int(live[i]),
                    int(ages[i]),
                    place,
                    pin,
                )
            )
            page += npages
        alive, slots = int(live.sum()), count * nelems
        tail = count * (npages * PAGE - nelems * elem_size)
        classes.append(
            (spc, elem_size, npages, nelems, count, count * npages * PAGE, slots, int(used.sum()), alive,
             alive * (elem_size - 5), 0, 40 * slots, 40 * slots - alive, 3 * count, 2 * count,
             int(ages.min()), int(np.median(ages)), int(ages.max()), int(ages.sum()),
             tail, 0, (slots - alive) * elem_size, alive * 5)
        )  # fmt: skip
    spans.append((BASE + page * PAGE, 32, 1, 0, 1, 1, 1, 4, Place.LARGE, 7))
    classes.append((1, 0, 32, 1, 1, 32 * PAGE, 1, 1, 1, 260_000, 0, 90, 89, 90, 89, 4, 4, 4, 4, 0, 0, 0, 2144))
    return rows(SPAN, spans), rows(CLASS, sorted(classes))


def timeline() -> np.ndarray:
    """START, 21 GCs with a checkpoint after the fifth, END; the heap is largest at sample 13."""
    samples = np.zeros(24, SAMPLE)
    samples["reason"] = Reason.GC
    samples["reason"][[0, 6, 23]] = Reason.START, Reason.CHECKPOINT, Reason.END
    samples["name"][6] = 1
    for i, s in enumerate(samples):
        s["event"], s["time_ns"] = i * 380_000, i * 41_000_000
        s["num_gc"] = min(i, 21) if i < 6 else min(i - 1, 21)
        scale = (1 + i if i <= 13 else 27 - i) * 1_000_003
        fill_ledger(s, scale)
        s["heap_alloc"] = s["heap_inuse"] - s["free_slots"] - s["free_slots_cached"] - s["tail_waste"] - s["span_metadata"]
        s["heap_released"], s["heap_idle"] = 9 * MIB + i, 20 * MIB + 3 * i
        s["heap_sys"] = s["heap_inuse"] + s["heap_idle"]
        s["page_cache_bytes"] = 48 * PAGE
        s["stack_inuse"], s["heap_objects"] = 11 * 32768, scale // 90
        s["mallocs"], s["frees"] = 200_000 * i + scale // 90, 200_000 * i
        s["total_alloc"], s["next_gc"] = 80 * (1 + i) * 1_000_003, 2 * s["heap_alloc"]
        s["spans"] = s["heap_inuse"] // PAGE
    return samples


def fill_ledger(sample: np.void, scale: int) -> None:
    parts = dict(zip(LEDGER, (40, 1, 4, 0.04, 0.1, 0.3, 0.6, 2, 0.5, 0.7, 11, 0), strict=True))
    for name, part in parts.items():
        sample[name] = int(part * scale / 10)
    sample["heap_inuse"] = sum(int(sample[name]) for name in LEDGER)


def bounded() -> Outcome:
    """The same replay of a recording that names slots, not requests."""
    samples = timeline()
    samples["bound_slot_bytes"] = samples["requested"] // 3
    samples["bound_rounding"] = samples["requested"] // 20
    return outcome(
        header=header(sizes="slot", notes=("2 duplicate batches were dropped.",)),
        samples=samples,
        peak=samples[13],
    )


def hostile() -> Outcome:
    """The same replay; its names try to steer terminals, spreadsheets and Markdown."""
    names = ("=cmd|' /C calc'!A0", "\x1b[31mred\x1b[0m", "a|b<script>", "@x", "back\u202ewards", "日本語.型")
    return outcome(
        trace_name="-\x1b]0;owned\x07",
        pins=[PinRow(name, 3, 3 * PAGE, 100) for name in names],
        header=header(notes=("note with [bold]markup[/bold] and \x07 bell",)),
    )


def empty() -> Outcome:
    """A replay of nothing."""
    none = {dtype: np.zeros(0, dtype) for dtype in (CLASS, SPAN, MCACHE, CENTRAL, ARENA)}
    start = np.zeros(1, SAMPLE)
    return outcome(
        header=header(hints=False), events={}, hints={}, seconds=0.0, samples=start, peak=start, memstats={},
        checkpoints=[], classes=none[CLASS], spans=none[SPAN], pins=[], mcaches=none[MCACHE],
        central=none[CENTRAL], arenas=none[ARENA], external=External(), large=Large(), tiny=Tiny(),
        locks={}, sweep={}, marks=np.zeros(0, MARK),
    )  # fmt: skip
