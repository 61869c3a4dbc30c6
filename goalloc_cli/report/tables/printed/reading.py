"""The answer to "where is the rest?", in two sentences: what costs most, and what would help."""

from __future__ import annotations

from typing import Any

from goalloc_cli.report.units import iec, percent, plural

Document = dict[str, Any]

RECORD = "goalloc record -o app.msgpack -- ./app, then goalloc replay app.msgpack --report spans"


def sentences(document: Document) -> str:
    """What costs most, and what would help."""
    found = document["reading"]
    if found is None and not all(check["holds"] for check in document["checks"]):
        return "These numbers contradict each other, so what costs most cannot be said: are they of one moment?"
    if found is None:
        return "These numbers do not tell where the memory is: print HeapInuse, HeapIdle, HeapReleased and Sys too."
    cost, helps = SENTENCES[found["cause"]](found["facts"])
    size = f"{iec(found['bytes'])}, {part(found)}"
    return f"The largest cost is {cost.replace('SIZE', size)}. {helps}."


def part(found: Document) -> str:
    """How much of the whole that is."""
    whole = "the RSS" if found["of"] == "RSS" else "what Go has and has not given back"
    if found["share"] > 1 and found["facts"]["untouched"]:
        return f"which is more than {whole}, since {iec(found['facts']['untouched'] or 0)} of Go's memory was never touched"
    return f"{percent(found['share'])} of {whole}"


def live(facts: Document) -> tuple[str, str]:
    return (
        f"what the program holds: live objects in HeapAlloc, SIZE{marked(facts)}",
        f"A GC more often, FreeOSMemory and GOMEMLIMIT free none of it; who lives there: {RECORD}",
    )


def marked(facts: Document) -> str:
    if facts["marked"] is None:
        return ""
    if facts["marked_from"] == "live":
        return f" (the last GC found {iec(facts['marked'])} alive)"
    return f" (by its goal, the last GC found {iec(facts['marked'])} alive, if GOGC is 100)"


def objects(facts: Document) -> tuple[str, str]:
    return (
        "objects, living and dead since the last GC: HeapAlloc, SIZE",
        f"How much of it lives, NextGC or /gc/heap/live:bytes would tell; else {RECORD}",
    )


def garbage(facts: Document) -> tuple[str, str]:
    return (
        f"garbage that waits for the next GC, at NextGC, {iec(facts['next_gc'] or 0)}: SIZE of HeapAlloc{marked(facts)}",
        "A lower GOGC, or a GOMEMLIMIT, trades processor time for it; who allocates so much: "
        "goalloc record --full -o app.msgpack -- go test -bench ., then goalloc stats app.msgpack --report sites",
    )


def no_gc(facts: Document) -> tuple[str, str]:
    cycles = facts["num_gc"]
    so_far = "" if cycles is None else f" ({plural(cycles, 'GC') + ' so far' if cycles else 'none so far'})"
    return (
        f"what has died, and what lives, under GOGC=off: no GC runs by itself{so_far}, and HeapAlloc keeps SIZE",
        "Give it a GOMEMLIMIT, or a GOGC: then a GC frees what is dead, and the scavenger gives it back",
    )


def unused(facts: Document) -> tuple[str, str]:
    return (
        "free slots in spans, HeapInuse - HeapAlloc, SIZE: survivors hold each span, and no other size class can use it",
        f"No GC and no FreeOSMemory helps while they live; which types hold the spans: {RECORD}",
    )


def free(facts: Document) -> tuple[str, str]:
    told = ""
    if facts["gogc_off"]:
        told = "; under GOGC=off the scavenger in the background has no goal, and gives nothing back"
    elif facts["next_gc"]:
        told = f"; what is above NextGC, {iec(facts['next_gc'])}, it gives back bit by bit"
    return (
        f"free pages that Go keeps for what comes, HeapIdle - HeapReleased, SIZE{told}",
        "debug.FreeOSMemory() gives them back once, a GOMEMLIMIT above what lives keeps them few; when they were "
        "last in use: goalloc record, then goalloc replay --report released",
    )


def dead_stacks(facts: Document) -> tuple[str, str]:
    count = facts["goroutines"]
    now = "" if count is None else f"; {living(count)} now"
    return (
        "free pages that were stacks of goroutines, HeapIdle - HeapReleased, SIZE: all objects ever together, TotalAlloc, "
        f"are {iec(facts['total_alloc'])}, so it was stacks that filled them{now}",
        "A bound on how many goroutines run at once, or shallower calls, helps for good; debug.FreeOSMemory() gives the "
        "pages back once; how deep they were: goalloc record, then goalloc stats --report stacks",
    )


def idle(facts: Document) -> tuple[str, str]:
    return (
        "idle pages of the heap, HeapIdle, SIZE",
        "How much of that is given back already, HeapReleased tells, which the dump has not: print it too",
    )


def living(goroutines: int) -> str:
    return f"{plural(goroutines, 'goroutine')} {'lives' if goroutines == 1 else 'live'}"


def stacks(facts: Document) -> tuple[str, str]:
    count = facts["goroutines"]
    if facts["dead_stacks"]:
        never = ", and none has run yet" if facts["num_gc"] == 0 else ""
        return (
            f"stacks of goroutines that have ended: StackInuse, SIZE, while {living(count)}; the next GC "
            f"frees them{never}",
            "A GC helps now (runtime.GC), and a bound on how many goroutines run at once helps for good; "
            "if a living one is that deep, goalloc record, then goalloc stats --report stacks shows it",
        )
    each = f", {iec(facts['stacks'] // count)} for each of {plural(count, 'goroutine')}" if count else ""
    return (
        f"goroutine stacks, StackInuse, SIZE{each}",
        "Fewer goroutines, or shallower ones, help; those that have ended keep theirs until the next GC. How many live: "
        "/debug/pprof/goroutine?debug=1; how deep: goalloc record, then goalloc stats --report stacks",
    )


def runtime(facts: Document) -> tuple[str, str]:
    return (
        "what the runtime needs for itself (spans, GC bits and queues, profiling), SIZE",
        "It follows the largest heap that there was, and does not shrink: a smaller peak helps, see where it is: "
        "goalloc record, then goalloc replay",
    )


def not_told(facts: Document) -> tuple[str, str]:
    return (
        "in what the numbers do not tell apart, SIZE of Sys",
        "Print HeapInuse, HeapIdle, HeapReleased and StackInuse too, or take /debug/pprof/heap?debug=1",
    )


def lazy(facts: Document) -> tuple[str, str]:
    guess = ""
    if facts.get("guessed"):
        guess = f" (about HeapReleased, {iec(facts['released'] or 0)}: the mark of it; LazyFree in --smaps would prove it)"
    return (
        f"memory that Go has given back, and that the RSS still counts, SIZE{guess}: under MADV_FREE the system takes it "
        "when it runs short",
        "It is no leak, and no GC changes it: with GODEBUG=madvdontneed=1, the default since Go 1.16, RSS falls at once",
    )


def lazy_or_outside(facts: Document) -> tuple[str, str]:
    return (
        f"beyond what Go has: SIZE. Up to HeapReleased, {iec(facts['released'] or 0)}, it can be memory given back under "
        "MADV_FREE (Go 1.12 to 1.15); the rest is cgo, mmap, files and the binary",
        "--smaps /proc/PID/smaps tells which (LazyFree, and every kind of mapping), --go VERSION whether it can be that",
    )


def outside(facts: Document) -> tuple[str, str]:
    near = facts.get("near_released")
    but = f"; only with GODEBUG=madvdontneed=0 it could be HeapReleased, {iec(near)}" if near else ""
    return (
        f"memory that is not Go's, SIZE: C's (cgo), mmap, files, the binary{but}",
        "No GC and no GOMEMLIMIT frees it; --smaps /proc/PID/smaps tells which of them it is",
    )


def c_heap(facts: Document) -> tuple[str, str]:
    return (
        "memory that C's malloc holds (cgo), SIZE, which MemStats does not count",
        "No GC and no GOMEMLIMIT frees it: look for C.malloc and C.CString without C.free, and for caches of C libraries, "
        "with a tool for C such as heaptrack; recordings of goalloc do not see it",
    )


def nameless(facts: Document) -> tuple[str, str]:
    return (
        "anonymous memory that is more than Go's can be, SIZE: mmap by the program or a C library, C's large mallocs, "
        "or stacks of threads",
        "No GC and no GOMEMLIMIT frees it; strace -f -e trace=mmap shows who asks for it",
    )


def file(facts: Document) -> tuple[str, str]:
    return (
        "files that are mapped, SIZE: the system takes their pages back when it needs them",
        "Map less of them at a time, or let RSS count them: nothing of it is Go's",
    )


def binary(facts: Document) -> tuple[str, str]:
    return (
        "the program itself: the binary and its libraries, SIZE",
        "Nothing needs to be done; go build -ldflags=-s and fewer dependencies make it smaller",
    )


def more(facts: Document) -> tuple[str, str]:
    return (
        "beyond what Go has, SIZE: the numbers are of another moment than the smaps, or the system has made huge pages of "
        "what was given back",
        "Take both at once; if it stays, GODEBUG and transparent_hugepage=madvise decide",
    )


SENTENCES = {
    "live": live,
    "objects": objects,
    "garbage": garbage,
    "no_gc": no_gc,
    "unused": unused,
    "free": free,
    "dead_stacks": dead_stacks,
    "idle": idle,
    "stacks": stacks,
    "runtime": runtime,
    "not_told": not_told,
    "lazy": lazy,
    "lazy_or_outside": lazy_or_outside,
    "outside": outside,
    "more": more,
    "c_heap": c_heap,
    "nameless": nameless,
    "file": file,
    "files": file,
    "binary": binary,
    "library": binary,
}
"""By the cause that `analyses.memstats.reading` found."""
