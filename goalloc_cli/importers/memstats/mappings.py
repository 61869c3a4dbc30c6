"""Which kind of memory each mapping of a process is: by the name that Go or C gave it, by its file, by its place.

Go: runtime/set_vma_name_linux.go (since 1.25, where the kernel keeps names); runtime/malloc.go, mallocinit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

FIELDS = ("Rss", "LazyFree", "AnonHugePages", "Swap")

GO = "[anon: Go: "
HEAP_NAMES = re.compile(r"\[anon: Go: (?:heap|heap reservation|user arena chunk|used|unused)\]")
C_NAMES = re.compile(r"\[anon: ?(?:glibc|libc|scudo|jemalloc|partition_alloc)")
ARENA = 64 << 20
"""Bytes of Go's arenas, and their alignment, on 64-bit Linux (runtime/malloc.go, heapArenaBytes)."""
SHARED_FROM = 0x7E00_0000_0000
"""Where Linux puts mappings that ask for no place, on amd64: libraries, C's arenas of 64 MiB, thread stacks."""
SHARED_FROM_HIGH = 0xFFF0_0000_0000
"""The same of arm64, with addresses of 48 bits."""
SPECIAL = {"[heap]": "c_heap", "[stack]": "main_stack", "[vdso]": "kernel", "[vvar]": "kernel", "[vsyscall]": "kernel"}


class Mapping(NamedTuple):
    """One mapping."""

    start: int
    stop: int
    mode: str
    path: str
    fields: dict[str, int]
    """FIELDS, in bytes."""


def kinds_of(mappings: list[Mapping]) -> Iterator[str]:
    """The kind of each mapping, in order of address."""
    binary = next((m.path for m in mappings if m.path.startswith("/") and not is_library(m.path)), "")
    arenas = arena_ranges(mappings)
    c_arenas = {m.start for m, behind in pairwise(mappings) if is_c_arena(m, behind)}
    before: tuple[int, str] = (-1, "")
    for m in mappings:
        kind = kind_of(m, binary)
        if kind == "anonymous":
            if before == (m.start, "binary"):
                kind = "binary"  # its .bss
            elif any(start <= m.start < stop for start, stop in arenas):
                kind = "go_heap"
            elif m.start in c_arenas:
                kind = "c_heap"
        before = (m.stop, kind)
        yield kind


def kind_of(m: Mapping, binary: str) -> str:
    """The kind as far as the name of a mapping tells it."""
    if m.path.startswith(GO):
        return "go_heap" if HEAP_NAMES.match(m.path) else "go_runtime"
    if C_NAMES.match(m.path):
        return "c_heap"
    if m.path in SPECIAL or m.path.startswith(("[vvar", "[uprobes")):
        return SPECIAL.get(m.path, "kernel")
    if m.path.startswith("/"):
        if m.path == binary:
            return "binary"
        return "library" if is_library(m.path) else "file"
    return "anonymous"


def is_library(path: str) -> bool:
    return re.search(r"\.so(?:\.[\d.]+)?(?: \(deleted\))?$", path) is not None


def arena_ranges(mappings: list[Mapping]) -> list[tuple[int, int]]:
    """Runs of nameless mappings, one behind the other, that begin and end as arenas of Go do."""
    found: list[tuple[int, int]] = []
    start = stop = -1
    for m in mappings:
        if m.path or m.start >= SHARED_FROM_HIGH or SHARED_FROM <= m.start < 0x8000_0000_0000:
            continue
        if m.start != stop:
            found.append((start, stop))
            start = m.start
        stop = m.stop
    found.append((start, stop))
    return [(start, stop) for start, stop in found if start > 0 and not (start % ARENA or stop % ARENA)]


def is_c_arena(m: Mapping, behind: Mapping) -> bool:
    """Whether this is an arena of glibc's malloc: 64 MiB, of which the first part is in use (malloc/arena.c, new_heap)."""
    nameless = not m.path and not behind.path and m.start >= SHARED_FROM
    return nameless and m.start % ARENA == 0 and m.stop == behind.start and behind.stop % ARENA == 0 and "w" in m.mode
