"""A small valid input for every reader, made here: few bytes, so that each of them can be changed."""

from __future__ import annotations

import gzip
import io
import json

import msgpack
import numpy as np
import zstandard

from goalloc_cli.exporters import protobuf as pb
from goalloc_cli.importers.exectrace.wire.decode import Ev
from goalloc_cli.native.native import write_native
from goalloc_cli.report.forms.output import packed
from goalloc_cli.trace.event import BOUND, COLUMNS, NO_P, NOSCAN, Batch, Call, Function, Kind, Owner, TypeInfo
from goalloc_cli.trace.trace import Header

BASE = 0xC000000000
EVENTS = (
    (Kind.SNAP_RANGE, NO_P, 512, BASE >> 13, 0, 0),
    (Kind.SNAP_SPAN, 0, 1, BASE >> 13, 7, 0),
    (Kind.SNAP_OBJECT | NOSCAN, 0, 0, 24, 0, BASE),
    (Kind.SNAP_END, NO_P, 0, 0, 0, 0),
    (Kind.ALLOC, 0, 1, 24, 1, BASE + 0x2000),
    (Kind.ALLOC | NOSCAN | BOUND, 1, 2, 100, 0, BASE + 0x4000),
    (Kind.TINY, 0, 1, 3, 1, BASE + 0x2003),
    (Kind.STACK_ALLOC, 1, 0, 2048, 0, 0),
    (Kind.GC_START, 0, 0, 0, 1, 0),
    (Kind.FREE, NO_P, 2, 0, 0, 0),
    (Kind.GC_END, 0, 0, 0, 1, 0),
    (Kind.STACK_FREE, 1, 0, 0, 0, 0),
    (Kind.CHECKPOINT, 0, 0, 0, 1, 0),
    (Kind.TIME, NO_P, 0, 5_000_000, 0, 0),
)
"""kind, p, id, size, arg, addr."""


def native(codec: str = "none") -> bytes:
    """A goalloc trace of two chunks."""
    parts = EVENTS[:7], EVENTS[7:]
    batches = [
        Batch(**{name: np.array([row[i] for row in part], dtype) for i, (name, dtype) in enumerate(COLUMNS.items())},
              new_types=[TypeInfo("main.Node", 24, 16)] if part is parts[0] else [],
              new_names=["done"] if part is parts[1] else [])
        for part in parts
    ]  # fmt: skip
    stream = io.BytesIO()
    write_native(Header(gomaxprocs=2, knobs=(("gogc", 50),), notes=("A note.",)), batches, stream, codec)
    return stream.getvalue()


def native_stacks() -> bytes:
    """A goalloc trace whose allocations have call stacks and owners; the last is packed into the block of the first."""
    rows = (
        (Kind.WORKS_FOR, 0, 0, 0, 2, 0),
        (Kind.ALLOC | NOSCAN, 0, 0, 9, 1, 0),
        (Kind.ALLOC, 0, 1, 24, 0, 0),
        (Kind.TINY, 0, 0, 3, 1, 0),
        (Kind.FREE, 0, 1, 0, 0, 0),
    )
    whole = Batch(**{name: np.array([row[i] for row in rows], dtype) for i, (name, dtype) in enumerate(COLUMNS.items())},
                  new_types=[TypeInfo("string", 16, 8)], stack=np.array([0, 2, 1, 3, 0], np.uint32),
                  new_functions=[Function("main.main", "a.go"), Function("main.f", "b.go")],
                  new_calls=[Call(1, 9, 0), Call(2, 40, 1), Call(1, 12, 0)],
                  new_owners=[Owner(0, 0, "", "", 1), Owner(2, 3, "order", "pay", 0)])  # fmt: skip
    stream = io.BytesIO()
    write_native(Header(recorded="sizes and stacks", owners=True), [whole], stream, "none")
    return stream.getvalue()


# Execution traces


def uvarint(*numbers: int) -> bytes:
    """The numbers as encoding/binary writes them."""
    out = bytearray()
    for number in numbers:
        while number >= 0x80:
            out.append(number & 0x7F | 0x80)
            number >>= 7
        out.append(number)
    return bytes(out)


def event(kind: int, *arguments: int, after: int = 5) -> bytes:
    """One event, `after` so many ticks."""
    return bytes([kind]) + uvarint(after, *arguments)


def batch(data: bytes, m: int = 1, clock: int = 100, generation: int = 1, experiment: int = 0) -> bytes:
    """One batch of an execution trace."""
    kind = bytes([49, experiment]) if experiment else b"\x01"
    return kind + uvarint(generation, m, clock, len(data)) + data


def strings(*texts: str) -> bytes:
    """A table of strings, numbered from 1."""
    return b"\x04" + b"".join(b"\x05" + uvarint(i, len(t)) + t.encode() for i, t in enumerate(texts, 1))


def exectrace(release: str = "1.26") -> bytes:
    """A recording of two Ms: a snapshot, allocations, a stop for MemStats, and a whole GC cycle."""
    slot = 1024  # of page 1, in units of 8 bytes
    first = b"".join(
        (
            event(Ev.PROC_STATUS, 0, 1),
            event(Ev.GO_STATUS, 1, 1, 2),
            event(Ev.GO_STATUS_STACK, 4, 1, 4, 1),
            event(Ev.GO_CREATE, 9, 1, 1),
            event(Ev.USER_TASK_BEGIN, 5, 0, 3, 1),
            event(Ev.USER_REGION_BEGIN, 5, 4, 1),
            event(Ev.SPAN, 1, 1, 7 << 1),
            event(Ev.SPAN, 2, 4, 1),
            event(Ev.HEAP_OBJECT, slot, 1),
            event(Ev.STACK, 8, 12),
            event(Ev.HEAP_ALLOC, 8192),
            event(Ev.OBJECT_ALLOC, slot + 3, 1),
            event(Ev.SPAN_ALLOC, 6, 1, 5 << 1),
            event(Ev.OBJECT_ALLOC, 6 * 1024, 0),
            event(Ev.OBJECT_ALLOC, 6 * 1024 + 1, 0),
            event(Ev.STACK_ALLOC, 10, 12),
            event(Ev.STW_BEGIN, 1, 1),
            event(Ev.GC_BEGIN, 1, 1),
            event(Ev.PROCS_CHANGE, 2, 1),
            event(Ev.STW_END),
            event(Ev.STW_BEGIN, 2, 1),
            event(Ev.GC_END, 2),
            event(Ev.PROCS_CHANGE, 2, 1),
            event(Ev.STW_END),
            event(Ev.GC_SWEEP_BEGIN, 1),
            event(Ev.OBJECT_FREE, slot),
            event(Ev.GC_SWEEP_END, 8192, 8192),
            event(Ev.STACK_FREE, 10),
            event(Ev.USER_LOG, 1, 3, 4, 1),
            event(Ev.USER_REGION_END, 5, 4, 1),
            event(Ev.USER_TASK_END, 5, 1),
            event(Ev.STW_BEGIN, 5, 1),
            event(Ev.PROCS_CHANGE, 2, 1),
            event(Ev.STW_END),
            event(Ev.PROC_STOP),
        )
    )
    second = b"".join(
        (
            event(Ev.PROC_START, 1, 1),
            event(Ev.OBJECT_ALLOC, slot + 6, 1, after=200),
            event(Ev.SPAN_ALLOC, 7, 1, 0 << 1),
            event(Ev.OBJECT_ALLOC, 7 * 1024, 1),
            event(Ev.OBJECT_FREE, 7 * 1024),
            event(Ev.SPAN_FREE, 7),
        )
    )
    texts = ("GC sweep termination", "GC mark termination", "memstats", "done", "read mem stats", "runtime.GC")
    types = b"\x00" + uvarint(1, 0x4000, 24, 16, 9) + b"main.Node"
    frequency = uvarint(15_625_000)
    clock = b"\x33" + uvarint(1, 2, 3, 4)
    return b"".join(
        (
            f"go {release} trace\0\0\0".encode(),
            batch(b"\x08" + frequency if release == "1.23" else b"\x32\x08" + frequency + clock, m=(1 << 64) - 1),
            batch(first),
            batch(second, m=2, clock=110),
            batch(b"\x02\x03" + uvarint(1, 1, 0x1000, 6, 1, 10)),
            batch(strings(*texts)),
            batch(types, experiment=1),
            batch(b"\x01" + uvarint(BASE, 8192, 8, 2048), experiment=1),
            b"" if release != "1.26" else b"\x34",
        )
    )


# Texts


def allocfree() -> bytes:
    """The text of GODEBUG=allocfreetrace=1: three objects, one of which dies."""

    def alloc(addr: int, size: int, rest: str) -> str:
        return (
            f"tracealloc({addr:#x}, {size:#x}{rest})\ngoroutine 1 [running]:\n"
            f"runtime.mallocgc({size:#x}, 0x1, 0x1)\n\t/go/malloc.go:9 +0x1\nmain.f(...)\n\t/a/b.go:7 +0x2\n\n"
        )

    return (
        "program says hello\n"
        + alloc(BASE, 24, ", main.Node")
        + alloc(BASE + 0x2000, 16, "")
        + f"tracegc()\ngoroutine 2 [running]:\n\ntracefree({BASE:#x}, 0x18)\ngoroutine 3 [running]:\n\n"
        + alloc(BASE, 24, ", struct { a *int }")
    ).encode()


ROWS = (
    {"op": "header", "gomaxprocs": 2, "go": "1.26", "mood": ["good"]},
    {"op": "type", "name": "main.Node", "size": 24, "pointer_bytes": 16},
    {"op": "alloc", "id": 7, "size": 24, "pointers": True, "type": "main.Node", "p": 1},
    {"op": "alloc", "id": 8, "size": 100, "pointers": False, "addr": BASE},
    {"op": "alloc", "id": "x", "size": 1, "type": "\t=é"},
    {"op": "function", "name": "main.f", "file": "f.go"},
    {"op": "call", "function": 1, "line": 7, "caller": 0},
    {"op": "owner", "entry": 1, "creator": 1, "task": "order", "region": "pay", "runtime": False},
    {"op": "works_for", "arg": 1, "p": 1},
    {"op": "tiny", "id": 7, "size": 3, "stack": 1},
    {"op": "gc"},
    {"op": "realloc", "id": 8, "size": "0x30", "sise": 48.0},
    {"op": "free", "id": 8},
    {"op": "time", "ns": 1000},
    {"op": "checkpoint", "name": "done"},
)


def jsonl() -> bytes:
    """Rows as JSON Lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)


def csv() -> bytes:
    """Rows as CSV."""
    lines = (
        "op,id,size,pointers,p,type,name,ns,file,function,line,caller,stack",
        'header,,,,,,"{""gomaxprocs"":2}",',
        "type,,24,,,,main.Node,",
        "alloc,7,24,true,1,main.Node,,",
        'alloc,8,100,false,0,"map[string]""x",,',
        "alloc,abc,1,false,0,,,",
        "gc,,,,,,,",
        "function,,,,,,main.f,,f.go",
        "call,,,,,,,,,1,7,0",
        "alloc,9,8,false,0,,,,,,,,1",
        "realloc,9,0x10,false,0.0",
        "free,8,,,,,,",
        "time,,,,,,,1000",
        "checkpoint,,,,,,done,",
    )
    return "\r\n".join(lines).encode()


def rows() -> bytes:
    """Rows as msgpack: maps and arrays."""
    alloc = int(Kind.ALLOC)
    arrays = [[alloc, 0, 9, 64], ["free", 0, 9], [int(Kind.TIME), -1, 0, 2000], [alloc, 0, 9, 8, 0, 0, 1]]
    return b"".join(msgpack.packb(row) for row in [*ROWS, *arrays])


def malloclab() -> bytes:
    """A trace of the malloc lab."""
    return b"20000\n3\n5\n1\na 0 512\na 1 128\nr 0 640\nf 1\nf 0\n"


def addrlog() -> bytes:
    """An address log."""
    lines = (
        {"first_free": f"{BASE + 0x8000:#x}", "go": "1.19", "base": f"{BASE:#x}", "gogc": "100", "gomaxprocs": 1},
        {"op": "warm", "addr": f"{BASE + 0x2000:#x}", "size": 24, "scan": True},
        {"op": "alloc", "id": 0, "size": 24, "scan": True, "addr": f"{BASE + 0x8000:#x}"},
        {"op": "setgc", "percent": 50},
        {"op": "gc"},
        {"op": "free", "id": 0},
    )
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)


def gctrace() -> bytes:
    """Lines of GODEBUG=gctrace=2,scavtrace=1."""
    return (
        b"hello\n"
        b"gc 1 @0.012s 2%: 0.026+0.39+0.10 ms clock, 0.20+0.1/0.5/0.2+0.8 ms cpu, 4->5->1 MB, 5 MB goal, 0 MB stacks, "
        b"0 MB globals, 8 P\n"
        b"scav 8 KiB work (bg), 0 KiB work (eager), 5792 KiB now, 14% util\n"
        b"scan: class 48B 3+4+5=12 objs\n"
        b"gc 2 @0.020s 1%: 0.1+0.2+0.3 ms clock, 1+2/3/4+5 ms cpu, 9->9->9 MB, 10 MB goal, 8 P (forced)\n"
        b"scvg3: inuse: 426, idle: 17, sys: 444, released: 5, consumed: 439 (MB)\n"
        b"pacer: assist ratio=0.5 (scan 14 MB in 58->68 MB) workers=0+0.25\n"
        b"pacer: 27% CPU (25 exp.) for 10582016+3800+190058 B work (5365890 B exp.) in 61165720 B -> 71028888 B "
        b"(\xe2\x88\x86goal -831450, cons/mark 1.2)\n"
    )


def memstats() -> bytes:
    """The tail of /debug/pprof/heap?debug=1, and a short smaps behind it."""
    return (
        b"heap profile: 1: 64 [2: 96] @ heap/1048576\n\n# runtime.MemStats\n# Alloc = 9233\n# TotalAlloc = 99999\n"
        b"# Sys = 217000\n# HeapAlloc = 9233\n# HeapSys = 200000\n# HeapIdle = 180000\n# HeapInuse = 20000\n"
        b"# HeapReleased = 150000\n# Stack = 16384 / 17000\n# NextGC = 4194304\n# NumGC = 7\n\n\n"
        b"00400000-00402000 r-xp 00000000 fe:00 3170516    /app\nRss:                  8 kB\nLazyFree:             0 kB\n"
        b"c000000000-c004000000 rw-p 00000000 00:00 0 \nRss:                 64 kB\nLazyFree:            16 kB\n"
    )


def scrape() -> bytes:
    """A scrape of a Prometheus endpoint."""
    return (
        b'go_info{version="go1.21.3"} 1\ngo_goroutines 7\ngo_memstats_heap_inuse_bytes 1.2582912e+07\n'
        b"go_memstats_heap_idle_bytes 1.87236352e+08\ngo_memstats_heap_released_bytes 1.5e+08\n"
        b"go_memory_classes_heap_objects_bytes 1.1e+07 1700000000000\nprocess_resident_memory_bytes 2.1e+08\n"
    )


def expvar() -> bytes:
    """/debug/vars."""
    sizes = '[{"Size":0,"Mallocs":0,"Frees":0},{"Size":16,"Mallocs":9,"Frees":2},{"Size":48,"Mallocs":3,"Frees":1}]'
    return (
        '{"cmdline":["app"],"memstats":{"Alloc":9233,"Sys":217000,"HeapAlloc":9233,"HeapSys":200000,"HeapIdle":180000,'
        f'"HeapInuse":20000,"HeapReleased":150000,"NextGC":4194304,"NumGC":7,"BySize":{sizes}}}}}\n'
    ).encode()


def saved() -> bytes:
    """A saved description of a trace: the document of `native`."""
    from goalloc_cli.analyses.describe import describe
    from goalloc_cli.native.native import read_native
    from goalloc_cli.report.documents.trace import trace_document

    return packed(trace_document(describe(read_native(io.BytesIO(native()), "tiny.msgpack"))))


def saved_gctrace() -> bytes:
    """A saved gctrace."""
    from goalloc_cli.analyses.pressure import pressure
    from goalloc_cli.host.source import Source
    from goalloc_cli.importers.gctrace.read import read_gctrace
    from goalloc_cli.report.documents.printed.gctrace import gctrace_document

    text = gctrace()
    source = Source("gc.txt", io.BufferedReader(io.BytesIO(text)), lambda: None, len(text), b"")  # type: ignore[type-var]
    found = read_gctrace(source)
    return packed(gctrace_document(found, pressure(found)))


def heapprofile() -> bytes:
    """A heap profile of two stacks, the second with an inlined call."""
    texts = ("", "inuse_objects", "count", "space", "bytes", "main.f", "main.main", "main.go")
    label = pb.raw(3, pb.number(1, 4) + pb.number(3, 48))
    lines = (pb.number(1, 1) + pb.number(2, 7), pb.number(1, 2) + pb.number(2, 300))
    return b"".join(
        [
            pb.raw(1, pb.number(1, 1) + pb.number(2, 2)),
            pb.raw(2, pb.packed(1, [1, 2]) + pb.packed(2, [3]) + label),
            pb.raw(2, pb.number(1, 1) + pb.number(2, 1) + label),
            pb.raw(4, pb.number(1, 1) + b"".join(pb.raw(4, line) for line in lines)),
            pb.raw(4, pb.number(1, 2) + pb.raw(4, lines[1])),
            *(pb.raw(5, pb.number(1, i) + pb.number(2, 4 + i) + pb.number(4, 7)) for i in (1, 2)),
            *(pb.text(6, text) for text in texts),
            pb.raw(11, pb.number(1, 3) + pb.number(2, 4)),
            pb.number(12, 1),
        ]
    )


SEEDS = {
    "native": lambda: [native(), native_stacks()],
    "exectrace": lambda: [exectrace(release) for release in ("1.26", "1.25", "1.23")],
    "allocfree": lambda: [allocfree()],
    "jsonl": lambda: [jsonl()],
    "csv": lambda: [csv()],
    "rows": lambda: [rows()],
    "malloclab": lambda: [malloclab()],
    "addrlog": lambda: [addrlog()],
    "gctrace": lambda: [gctrace()],
    "memstats": lambda: [memstats(), scrape(), expvar()],
    "heapprofile": lambda: [heapprofile()],
    "saved": lambda: [saved(), saved_gctrace()],
    "packed": lambda: [gzip.compress(jsonl(), mtime=0), zstandard.compress(rows()), native("zstd")],
}
"""Of each reader, its small inputs."""
